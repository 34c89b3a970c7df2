"""What data stores have called axes, names and versions over the years, read as the same hours."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.errors import CorruptFileError, SourceError
from firesat.sources._datamart import choose_files
from firesat.sources.era5 import Era5Land
from firesat.sources.fire_weather import CemsFireWeather
from tests.sources.gribs import LATITUDES, LONGITUDES, PARAMETERS, grib_message

MOMENTS = np.array(["2023-07-01T00", "2023-07-01T03", "2023-07-01T06"], dtype="datetime64[ns]")
THREE = np.timedelta64(3, "h").astype("timedelta64[ns]")
DIMS = ("valid_time", "latitude", "longitude")
SHAPE = (len(LATITUDES), len(LONGITUDES))


def hours(*, seed: int = 0, names: tuple[str, ...] = ("t2m", "tp")) -> xr.Dataset:
    """Three hours as the Climate Data Store has delivered them since 2024."""
    rng = np.random.default_rng(seed)
    means, units = {"t2m": 285.0, "tp": 0.01}, {"t2m": "K", "tp": "m"}
    data = {
        name: (DIMS, rng.normal(means[name], 1e-3, (3, *SHAPE)), {"units": units[name]})
        for name in names
    }
    coords = {"valid_time": MOMENTS, "latitude": LATITUDES, "longitude": LONGITUDES}
    return xr.Dataset(data, coords=coords)


def with_runs(made: xr.Dataset) -> xr.Dataset:
    """Each hour as a step of its own run."""
    renamed = made.rename(valid_time="time").assign_coords(time=MOMENTS - THREE, step=THREE)
    return renamed.assign_coords(valid_time=("time", MOMENTS), surface=0.0)


def by_step(made: xr.Dataset) -> xr.Dataset:
    """All hours as steps of one run."""
    steps = MOMENTS - MOMENTS[0]
    apart = made.rename(valid_time="step").assign_coords(step=steps).expand_dims("time")
    return apart.assign_coords(time=MOMENTS[:1], valid_time=(("time", "step"), MOMENTS[None]))


VARIANTS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "run and step of each hour": with_runs,
    "runs by steps": by_step,
    "steps of one run": lambda made: by_step(made).isel(time=0),
    "a member's number": lambda made: made.expand_dims("number").assign_coords(number=[0]),
    "hours in any order": lambda made: made.isel(valid_time=[2, 0, 1]),
    "columns before rows": lambda made: made.transpose("longitude", "latitude", "valid_time"),
    "south first, east of Greenwich": lambda made: made.isel(
        latitude=slice(None, None, -1)
    ).assign_coords(longitude=made["longitude"] % 360),
    "kelvin in full": lambda made: made.assign(t2m=made["t2m"].assign_attrs(units="kelvin")),
}


def written(made: xr.Dataset, path: Path) -> Path:
    made.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_hours_are_read_from_every_layout(variant: str, tmp_path: Path) -> None:
    made = hours()
    found = Era5Land().read(written(VARIANTS[variant](made), tmp_path / "a.nc")).sortby("time")
    assert found["t2m"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(found["time"].values, MOMENTS)
    np.testing.assert_allclose(found["x"].values, LONGITUDES, atol=1e-6)
    np.testing.assert_allclose(found["t2m"].values, made["t2m"].values, rtol=1e-6)
    np.testing.assert_allclose(found["tp"].values, 1000 * made["tp"].values, rtol=1e-6)


@pytest.mark.parametrize("name", ["valid_time", "time"])
def test_a_single_hour_is_one_of_a_series(name: str, tmp_path: Path) -> None:
    one = hours().isel(valid_time=1)
    one = one if name == "valid_time" else one.rename(valid_time="time")
    found = Era5Land().read(written(one, tmp_path / "a.nc"))
    assert found["time"].values.tolist() == [MOMENTS[1].astype("datetime64[ns]").item()]
    np.testing.assert_allclose(found["t2m"].values[0], one["t2m"].values, rtol=1e-6)


@pytest.mark.parametrize(
    "versions", ["0005", ("valid_time", ["0005"] * 3), ("valid_time", [b"0005"] * 3)]
)
def test_the_version_is_known_however_it_is_written(versions: object, tmp_path: Path) -> None:
    made = hours().assign_coords(expver=versions)
    assert Era5Land().read(written(made, tmp_path / "a.nc")).attrs["versions"] == (5, 5, 5)


@pytest.mark.parametrize(("rows", "columns"), [(6, 1), (1, 8), (1, 1)])
def test_a_box_of_one_row_or_column_has_cells_of_the_store_s_size(
    rows: int, columns: int, tmp_path: Path
) -> None:
    box = hours().isel(latitude=slice(rows), longitude=slice(columns))
    for each in box.data_vars.values():
        each.attrs |= {f"GRIB_{axis}DirectionIncrementInDegrees": 0.1 for axis in "ij"}
    cells = Era5Land().read(written(box, tmp_path / "a.nc")).odc.geobox
    assert (cells.resolution.x, cells.resolution.y) == pytest.approx((0.1, -0.1))
    if rows != columns:
        for each in box.data_vars.values():
            each.attrs = {"units": each.attrs["units"]}
        assert (
            Era5Land()
            .read(written(box, tmp_path / "b.nc"))
            .odc.geobox.affine.almost_equals(cells.affine, 1e-6)
        )


def test_members_that_are_no_single_field_are_refused(tmp_path: Path) -> None:
    members = hours().expand_dims(number=[0, 1, 2])
    with pytest.raises(SourceError, match=r"a\.nc holds several fields of each hour, along number"):
        Era5Land().read(written(members, tmp_path / "a.nc"))


def zipped(path: Path, *members: xr.Dataset) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, member in enumerate(members):
            part = written(member, path.with_name(f"{number}.nc"))
            archive.write(part, f"data_{number}.nc")
    return path


def test_members_of_an_archive_add_days_and_versions_to_each_other(tmp_path: Path) -> None:
    first, second = hours(), hours(seed=1)
    later = MOMENTS + np.timedelta64(1, "D")
    second = second.assign_coords(valid_time=later)
    parts = [
        made.assign_coords(expver=("valid_time", [version] * 3))
        for made, version in ((first, "0001"), (second, "0005"))
    ]
    found = Era5Land().read(zipped(tmp_path / "a.zip", *parts))
    np.testing.assert_array_equal(found["time"].values, np.concatenate([MOMENTS, later]))
    wanted = np.concatenate([first["t2m"].values, second["t2m"].values])
    np.testing.assert_allclose(found["t2m"].values, wanted, rtol=1e-6)
    assert found.attrs["versions"] == (1, 1, 1, 5, 5, 5)


def test_members_whose_coordinates_are_rounded_differently_share_their_cells(
    tmp_path: Path,
) -> None:
    moved = hours(names=("tp",)).assign_coords(latitude=LATITUDES + 1e-7)
    found = Era5Land().read(zipped(tmp_path / "a.zip", hours(names=("t2m",)), moved))
    assert found["t2m"].shape == found["tp"].shape == (3, *SHAPE)
    assert np.isfinite(found["tp"].values).all()
    far = hours(names=("tp",)).assign_coords(latitude=LATITUDES + 1)
    with pytest.raises(CorruptFileError, match=r"b\.zip holds fields of different cells"):
        Era5Land().read(zipped(tmp_path / "b.zip", hours(names=("t2m",)), far))


@pytest.mark.parametrize("name", ["fwinx", "fwi", "FWI"])
def test_fire_weather_has_had_several_names(name: str, tmp_path: Path) -> None:
    made = hours(names=("t2m",)).rename(t2m=name)
    found = CemsFireWeather().read(written(made, tmp_path / "a.nc"))
    np.testing.assert_allclose(found["fwi"].values, made[name].values, rtol=1e-6)


def test_both_editions_of_grib_in_one_file_are_one_series(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fields = {("t2m", 1): 0, ("t2m", 2): 3, ("d2m", 2): 0, ("d2m", 1): 3}
    values = {key: rng.normal(280, 5, SHAPE) for key in fields}
    day = np.datetime64("2023-07-01T00", "h")
    content = [
        grib_message(
            values[name, edition],
            day + np.timedelta64(hour, "h"),
            parameter=PARAMETERS[name],
            edition=edition,
            bits=24,
            keys={"typeOfLevel": "heightAboveGround", "level": 2} if edition == 2 else None,
        )
        for (name, edition), hour in fields.items()
    ]
    (tmp_path / "a.grib").write_bytes(b"".join(content))
    found = Era5Land().read(tmp_path / "a.grib")
    assert found.sizes["time"] == 2
    for hour, edition in ((0, 1), (3, 2)):
        np.testing.assert_allclose(
            found["t2m"].sel(time=day + np.timedelta64(hour, "h")),
            values["t2m", edition],
            atol=1e-3,
        )
    assert np.isfinite(found["rh"].values).all()


def test_rain_in_kilogrammes_is_not_taken_for_metres(tmp_path: Path) -> None:
    day = np.datetime64("2023-07-01T00", "h")
    rain = grib_message(np.full(SHAPE, 5.0), day, parameter=228228, edition=2, step=3)
    (tmp_path / "a.grib").write_bytes(rain)
    assert float(Era5Land().read(tmp_path / "a.grib")["tp"].max()) == pytest.approx(5.0)


def test_one_quantity_twice_at_one_time_is_refused(tmp_path: Path) -> None:
    day = np.datetime64("2023-07-01T00", "h")
    both = [
        grib_message(np.full(SHAPE, 5.0), day, parameter=parameter, edition=2, step=3)
        for parameter in (228, 228228)
    ]
    (tmp_path / "a.grib").write_bytes(b"".join(both))
    with pytest.raises(SourceError, match=r"a\.grib holds tp \(Total Precipitation\) in two kinds"):
        Era5Land().read(tmp_path / "a.grib")


@pytest.mark.parametrize(
    ("stem", "level"),
    [
        ("20260602T00Z_MSC_GDPS_{}_{}_LatLon0.15_PT003H.grib2", ("AGL-2m", "AGL-10m")),
        ("CMC_glb_{}_{}_latlon.15x.15_2026060200_P003.grib2", ("TGL_2", "TGL_10")),
        ("CMC_geps-raw_{}_{}_latlon0p5x0p5_2026060200_P003_allmbrs.grib2", ("TGL_2m", "TGL_10m")),
    ],
)  # fmt: skip
def test_files_of_the_canadian_models_are_known_by_their_names_of_all_years(
    stem: str, level: tuple[str, str]
) -> None:
    now = stem.startswith("2026")
    words = ("AirTemp", "DewPoint", "WindSpeed") if now else ("TMP", "DPT", "WIND")
    rain = ("Precip-Accum", "Sfc") if now else ("APCP", "SFC_0")
    high = (level[0], level[0], level[1])
    names = [stem.format(*pair) for pair in (*zip(words, high, strict=True), rain)]
    others = [stem.format("UGRD", "ISBL_0850"), stem.format("TMP", "ISBL_0850")]
    urls = [f"https://dd.weather.gc.ca/x/{name}" for name in (*others, *names)]
    assert list(choose_files(urls, "2026060200", 3)) == urls[2:]
