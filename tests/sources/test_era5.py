"""Daily weather of fire days, checked against hours whose sums are known."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.bands import check
from firesat.blocks import Block
from firesat.errors import ConfigError, CorruptFileError, SourceError
from firesat.grid import geobox
from firesat.raster import align
from firesat.sources._hours import noon_hour
from firesat.sources._weather import fill_sea, relative_humidity, vapour_pressure
from firesat.sources.era5 import Era5Land
from tests.sources.gribs import LATITUDES, LONGITUDES, PARAMETERS, grib_message
from tests.sources.small import ONE, first_block, scene

ERA5 = Era5Land()
HOUR = np.timedelta64(1, "h")


def hours_between(start: str, stop: str, step: int = 3) -> np.ndarray:
    return np.arange(np.datetime64(start, "h"), np.datetime64(stop, "h"), step * HOUR)


def accumulated(rain: dict[np.datetime64, float], moments: np.ndarray) -> np.ndarray:
    """Rain since 00 UTC as ERA5-Land stamps it, from the rain of each single hour."""
    sums = []
    for moment in moments:
        midnight = (moment - HOUR).astype("datetime64[D]").astype("datetime64[h]")
        sums.append(sum(mm for end, mm in rain.items() if midnight < end <= moment))
    return np.array(sums)


def table(block: Block, moments: np.ndarray, **series: np.ndarray) -> xr.Dataset:
    names = dict.fromkeys(("t2m", "skt", "rh", "vp", "ws", "tp", "swvl1", "sd"), None) | series
    shape = (len(moments), *block.geobox.shape)
    variables = {
        name: (
            ("time", "y", "x"),
            np.broadcast_to(
                np.ones(len(moments))[:, None, None] if values is None else values[:, None, None],
                shape,
            ).astype("float32"),
        )
        for name, values in names.items()
    }
    return xr.Dataset(variables, coords={"time": moments})


@pytest.fixture
def block() -> Block:
    return first_block(ERA5)


@pytest.fixture
def moments() -> np.ndarray:
    return hours_between("2023-06-30T00", "2023-07-06T00")


def inside(layer: xr.Dataset, name: str) -> np.ndarray:
    """The series of one cell within the region."""
    values = layer[name].values
    row, column = np.argwhere(np.isfinite(values).any(axis=0))[0]
    return values[:, row, column]


def test_rain_of_the_fire_day_and_to_noon_is_the_sum_of_its_hours(
    block: Block, moments: np.ndarray
) -> None:
    rng = np.random.default_rng(1)
    every = hours_between("2023-06-30T00", "2023-07-06T00", 1)
    rain = dict(zip(every, rng.gamma(0.3, 2.0, len(every)), strict=True))
    layer = ERA5.compose(
        [(scene(block, moments[-1], 120.0), table(block, moments, tp=accumulated(rain, moments)))],
        block,
    )
    for name, end_hour in (("tp", 36), ("tp_noon", 18)):  # local noon at 94.7 W is 18 UTC
        for day, found in zip(block.times, inside(layer, name), strict=True):
            end = day.astype("datetime64[h]") + end_hour * HOUR
            wanted = sum(mm for moment, mm in rain.items() if end - 24 * HOUR < moment <= end)
            assert found == pytest.approx(wanted, rel=1e-4, abs=1e-3)


def test_packing_noise_never_makes_negative_rain(block: Block, moments: np.ndarray) -> None:
    noise = np.where(np.arange(len(moments)) % 2, -1e-4, 1e-4)
    dataset = table(block, moments, tp=noise)
    layer = ERA5.compose([(scene(block, moments[-1], 120.0), dataset)], block)
    assert inside(layer, "tp").min() >= 0
    assert inside(layer, "tp_noon").min() >= 0


def test_means_and_extremes_are_those_of_12_to_12(block: Block, moments: np.ndarray) -> None:
    temperature = 280 + 10 * np.sin(np.arange(len(moments)) * 0.7)
    dataset = table(block, moments, t2m=temperature)
    layer = ERA5.compose([(scene(block, moments[-1], 120.0), dataset)], block)
    for step, day in enumerate(block.times):
        start = day.astype("datetime64[h]") + 12 * HOUR
        within = temperature[(moments >= start) & (moments < start + 24 * HOUR)]
        assert len(within) == 8
        assert inside(layer, "t2m")[step] == pytest.approx(within.mean(), rel=1e-6)
        assert inside(layer, "t2m_max")[step] == pytest.approx(within.max(), rel=1e-6)
        assert inside(layer, "t2m_min")[step] == pytest.approx(within.min(), rel=1e-6)
        noon = temperature[moments == day.astype("datetime64[h]") + 18 * HOUR]
        assert inside(layer, "t2m_noon")[step] == pytest.approx(noon[0], rel=1e-6)


def test_a_day_that_lacks_an_hour_is_missing_and_never_available(
    block: Block, moments: np.ndarray
) -> None:
    kept = moments[moments != np.datetime64("2023-07-02T21", "h")]
    layer = ERA5.compose([(scene(block, moments[-1], 120.0), table(block, kept))], block)
    missing = np.isnan(inside(layer, "t2m"))
    assert missing.tolist() == [False, True, False, False]
    assert np.isnat(layer["available_time"].values).tolist() == missing.tolist()


def test_a_fire_day_is_available_five_days_after_its_end(block: Block, moments: np.ndarray) -> None:
    layer = ERA5.compose([(scene(block, moments[-1], 120.0), table(block, moments))], block)
    assert layer["available_time"].values[0] == np.datetime64("2023-07-07T12:00:00")


def test_months_are_asked_for_by_their_days_with_one_before_and_one_after() -> None:
    days = np.arange(np.datetime64("2023-06-29"), np.datetime64("2023-07-03"))
    scenes = ERA5.search(first_block(ERA5, days))
    asked = [(each.request["month"], each.request["day"]) for each in scenes]
    assert asked == [("06", ["28", "29", "30"]), ("07", ["01", "02", "03"])]
    north, west, south, east = scenes[0].request["area"]
    assert south < 54.5 < 54.8 < north
    assert west < -94.9 < -94.5 < east
    assert scenes[0].id != scenes[1].id
    assert scenes[0].id.endswith(".grib")
    assert max(each.available for each in scenes) == np.datetime64("2023-07-08T12:00:00")


def test_seasons_apart_are_not_joined_by_the_winter() -> None:
    days = np.concatenate(
        [
            np.datetime64("2021-09-29") + np.arange(2) * ONE,
            np.datetime64("2022-05-01") + np.arange(2) * ONE,
        ]
    )
    months = [each.request["month"] for each in ERA5.search(first_block(ERA5, days))]
    assert months == ["09", "10", "04", "05"]


def test_noon_follows_the_region() -> None:
    hours = (0, 3, 6, 9, 12, 15, 18, 21)
    west = geobox((-2_000_000, 300_000, -1_900_000, 400_000), "EPSG:3979", 10_000)  # 123 W
    middle = geobox((0, 600_000, 100_000, 700_000), "EPSG:3979", 10_000)  # 94 W
    assert noon_hour(west, tuple(range(24))) == 20
    assert noon_hour(west, hours) == 21
    assert noon_hour(middle, hours) == 18


def test_hours_that_cannot_count_rain_are_refused() -> None:
    with pytest.raises(ConfigError, match="add 0 and 12"):
        Era5Land(hours=(3, 9, 15, 21))
    with pytest.raises(ConfigError, match="noon hour"):
        Era5Land(noon_hour=17)


def fields(moment: np.datetime64) -> dict[str, np.ndarray]:
    """Weather that differs from cell to cell; two cells of sea."""
    rng = np.random.default_rng(int(moment.astype(np.int64)))
    shape = (len(LATITUDES), len(LONGITUDES))
    values = {
        "t2m": rng.normal(290, 3, shape), "d2m": rng.normal(282, 2, shape),
        "skt": rng.normal(291, 3, shape), "u10": rng.normal(2, 2, shape),
        "v10": rng.normal(-1, 2, shape), "tp": rng.gamma(1, 1e-3, shape),
        "swvl1": rng.uniform(0.1, 0.4, shape), "sd": np.zeros(shape),
    }  # fmt: skip
    for field in values.values():
        field[2, 4] = field[3, 4] = np.nan
    return values


def write_gribs(path: Path, moments: np.ndarray) -> None:
    with path.open("wb") as file:
        for moment in moments:
            for name, values in fields(moment).items():
                file.write(grib_message(values, moment, parameter=PARAMETERS[name], bits=24))


def write_netcdfs(folder: Path, moments: np.ndarray) -> list[Path]:
    """As the store converts them: new names of dims, and what accumulates apart."""
    parts = {"instant": ("t2m", "d2m", "skt", "u10", "v10", "swvl1", "sd"), "accum": ("tp",)}
    units = {"tp": "m", "swvl1": "m**3 m**-3", "sd": "m of water equivalent",
             "u10": "m s**-1", "v10": "m s**-1"}  # fmt: skip
    paths = []
    for part, names in parts.items():
        data = {
            name: (
                ("valid_time", "latitude", "longitude"),
                np.stack([fields(moment)[name] for moment in moments]).astype("float32"),
                {"units": units.get(name, "K")},
            )
            for name in names
        }
        coords = {
            "valid_time": moments.astype("datetime64[s]"),
            "latitude": LATITUDES,
            "longitude": LONGITUDES % 360,
            "number": 0,
            "expver": ("valid_time", np.array(["0001"] * len(moments))),
        }
        paths.append(folder / f"data_stream-oper_stepType-{part}.nc")
        xr.Dataset(data, coords=coords).to_netcdf(paths[-1], engine="h5netcdf")
    return paths


def test_grib_and_zipped_netcdf_read_alike(tmp_path: Path) -> None:
    moments = hours_between("2023-07-01T00", "2023-07-01T12")
    write_gribs(tmp_path / "a.grib", moments)
    with zipfile.ZipFile(tmp_path / "a.netcdf", "w") as archive:  # zip, whatever its name says
        for path in write_netcdfs(tmp_path, moments):
            archive.write(path, path.name)
    grib, netcdf = (ERA5.read(tmp_path / name) for name in ("a.grib", "a.netcdf"))
    assert set(grib.data_vars) == set(netcdf.data_vars) == {
        "t2m", "skt", "swvl1", "sd", "tp", "rh", "vp", "ws",
    }  # fmt: skip
    for name in grib.data_vars:
        np.testing.assert_allclose(grib[name], netcdf[name], rtol=2e-5, atol=1e-6)
    assert grib.odc.geobox.affine.almost_equals(netcdf.odc.geobox.affine, 1e-6)
    first = fields(moments[0])
    assert float(grib["tp"][0, 0, 0]) == pytest.approx(1000 * first["tp"][0, 0], rel=1e-4)
    speed = np.hypot(first["u10"][0, 0], first["v10"][0, 0])
    assert float(grib["ws"][0, 0, 0]) == pytest.approx(speed, rel=1e-4)
    for name in ("t2m", "rh", "vp", "ws", "tp", "swvl1", "sd", "skt"):
        check(grib[name], name)


def test_sea_takes_the_nearest_land_and_the_coast_survives_warping(tmp_path: Path) -> None:
    moments = hours_between("2023-07-01T00", "2023-07-01T06")
    write_gribs(tmp_path / "a.grib", moments)
    dataset = ERA5.read(tmp_path / "a.grib")
    assert np.isfinite(dataset["t2m"].values).all()
    first = fields(moments[0])["t2m"]
    neighbours = [first[2, 3], first[2, 5], first[1, 4]]
    assert min(abs(float(dataset["t2m"][0, 2, 4]) - value) for value in neighbours) < 1e-3
    cells = geobox((10_000, 690_000, 40_000, 720_000), "EPSG:3979", 10_000)
    assert np.isfinite(align(dataset, cells)["t2m"].values).all()


def test_filling_leaves_whole_seas_and_whole_lands_alone() -> None:
    sea = np.full((2, 3, 3), np.nan, dtype="float32")
    assert np.isnan(fill_sea(sea)).all()
    land = np.ones((2, 3, 3), dtype="float32")
    assert fill_sea(land) is land


def test_humidity_over_water_at_known_points() -> None:
    # WMO: saturation over water is 6.112 hPa at 0 C, 23.37 hPa at 20 C, 1.254 hPa at -20 C.
    celsius = np.array([0.0, 20.0, -20.0], dtype="float32") + np.float32(273.15)
    np.testing.assert_allclose(vapour_pressure(celsius), [6.112, 23.37, 1.254], rtol=4e-3)
    warm = np.array([293.15], dtype="float32")
    assert relative_humidity(warm, warm)[0] == pytest.approx(100)
    dew = np.array([282.43], dtype="float32")  # 9.28 C at 20 C: 50 %
    assert relative_humidity(warm, dew)[0] == pytest.approx(50, abs=0.3)


def test_a_web_page_is_no_weather(tmp_path: Path) -> None:
    (tmp_path / "a.grib").write_text("<html>504 Gateway Time-out</html>")
    with pytest.raises(CorruptFileError, match="neither GRIB, NetCDF nor zip"):
        ERA5.read(tmp_path / "a.grib")


def test_a_damaged_netcdf_is_named(tmp_path: Path) -> None:
    (path,) = write_netcdfs(tmp_path, hours_between("2023-07-01T00", "2023-07-01T06"))[:1]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CorruptFileError, match=r"instant\.nc cannot be read as NetCDF"):
        ERA5.read(path)


def test_unknown_units_are_refused(tmp_path: Path) -> None:
    moments = hours_between("2023-07-01T00", "2023-07-01T06")
    data = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), np.ones((2, 2, 2)), {"units": "degF"})},
        coords={"time": moments.astype("datetime64[s]"), "latitude": [55, 54], "longitude": [1, 2]},
    )
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(SourceError, match="gives t2m in 'degF', not K"):
        ERA5.read(tmp_path / "a.nc")


def test_calendar_days_begin_at_midnight_when_asked(block: Block, moments: np.ndarray) -> None:
    calendar = Era5Land(day_start=0, hours=tuple(range(0, 24, 3)))
    every = np.arange(moments[0], moments[-1] + HOUR, HOUR)
    rain = dict(zip(every, np.random.default_rng(1).gamma(0.3, 2.0, len(every)), strict=True))
    dataset = table(block, moments, tp=accumulated(rain, moments))
    layer = calendar.compose([(scene(block, moments[-1], 120.0), dataset)], block)
    for step, day in enumerate(block.times):
        end = day.astype("datetime64[h]") + 24 * HOUR
        wanted = sum(mm for moment, mm in rain.items() if end - 24 * HOUR < moment <= end)
        assert inside(layer, "tp")[step] == pytest.approx(wanted, rel=1e-5)
    # five days after midnight, not after noon
    assert layer["available_time"].values[0] == np.datetime64("2023-07-07T00:00:00")
    assert calendar.layout.attrs["day_start"] == 0
    assert "0 to 0 UTC" in str(calendar.layout.attrs["source"])


def test_levels_of_one_quantity_only_are_refused(tmp_path: Path) -> None:
    moments = hours_between("2023-07-01T00", "2023-07-01T06")
    field = np.full((len(LATITUDES), len(LONGITUDES)), 285.0)
    content = [
        grib_message(field, moment, parameter=PARAMETERS[name], keys={"level": level})
        for moment in moments
        for name, level in (("t2m", 0), ("t2m", 850), ("d2m", 0))
    ]
    path = tmp_path / "a.grib"
    path.write_bytes(b"".join(content))
    with pytest.raises(CorruptFileError, match=r"a\.grib holds quantities along .* and .*time"):
        Era5Land().read(path)
