"""Calendars as they come: gaps, repetitions, disorder, leap days, New Year, mixed versions.

Fault matrix T1 and T2: the ordinary run takes a hundred calendars, `exhaustive` 5 000.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firesat.blocks import cut
from firesat.cube import create_cube, open_cube
from firesat.errors import CorruptFileError
from firesat.raster import align
from firesat.sources._daily import DayTable
from firesat.sources._hours import read_parts
from firesat.sources._netcdf import read_netcdf
from firesat.sources.era5 import Era5Land
from tests.sources.small import GRID
from tests.sources.small import scene as scene_made

HOUR = np.timedelta64(1, "h")
DAY = np.timedelta64(1, "D")
STARTS = ("2024-02-26", "2023-02-26", "2023-12-29", "2100-02-26", "2023-03-10", "2023-11-03")
FULL = pytest.mark.exhaustive


def value(moment: np.datetime64) -> float:
    """Temperature of an hour, told from all others."""
    return 250.0 + float((moment - np.datetime64("2020-01-01T00", "h")) / HOUR) % 997 / 10


def fell(moment: np.datetime64) -> float:
    """Rain of the hour that ends at a moment, mm."""
    return 0.1 + float((moment - np.datetime64("2020-01-01T00", "h")) / HOUR) % 7


def fallen(moment: np.datetime64, *, hourly: bool) -> float:
    """Rain of that hour, or since 00 UTC; the stamp of 00 UTC closes the day before."""
    midnight = moment if hourly else (moment - HOUR).astype("datetime64[D]") + 1 * HOUR
    return sum(fell(end) for end in np.arange(midnight, moment + HOUR, HOUR))


def scene(moments: np.ndarray, *, hourly: bool = False) -> xr.Dataset:
    fields = {"t2m": [value(m) for m in moments], "tp": [fallen(m, hourly=hourly) for m in moments]}
    return xr.Dataset(
        {n: (("time", "y", "x"), np.array(v, "float32")[:, None, None]) for n, v in fields.items()},
        coords={"time": moments.astype("datetime64[ns]")},
    )


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Fire days, and hours about them as they come, file by file."""

    days: np.ndarray
    start: int  # hour UTC at which days begin
    hourly: bool  # all hours, each with its own rain; else every third, with the rain since 00 UTC
    files: list[np.ndarray]

    @property
    def hours(self) -> range:
        return range(0, 24, 1 if self.hourly else 3)

    def has(self, moments: np.ndarray) -> bool:
        return set(moments.tolist()) <= {moment for file in self.files for moment in file.tolist()}


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    days = np.datetime64(draw(st.sampled_from(STARTS))) + np.arange(draw(st.integers(1, 7))) * DAY
    hourly = draw(st.booleans())
    step = HOUR if hourly else 3 * HOUR
    every = np.arange((days[0] - DAY).astype("datetime64[h]"), days[-1] + 2 * DAY, step)
    places = st.integers(0, len(every) - 1)
    kept = np.delete(every, draw(st.lists(places, max_size=len(every), unique=True)))
    again = every[draw(st.lists(places, max_size=5))]
    hours = np.concatenate([kept, np.intersect1d(again, kept)])
    if draw(st.booleans()):
        hours = hours[np.array(draw(st.randoms()).sample(range(len(hours)), len(hours)), dtype=int)]
    cuts = sorted(draw(st.lists(st.integers(0, len(hours)), max_size=4)))
    start = draw(st.sampled_from([0, 12]))
    return Calendar(days=days, start=start, hourly=hourly, files=np.split(hours, cuts))


def expected(calendar: Calendar) -> dict[str, list[float]]:
    """What each day's values are, by the definitions alone."""
    names = ("t2m", "t2m_max", "t2m_min", "t2m_noon", "tp", "tp_noon")
    found: dict[str, list[float]] = {name: [] for name in names}
    for day in calendar.days.astype("datetime64[h]"):
        hours = day + (calendar.start + np.array(calendar.hours)) * HOUR
        values = [value(hour) for hour in hours] if calendar.has(hours) else [np.nan]
        found["t2m"].append(float(np.mean(values)))
        found["t2m_max"].append(max(values))
        found["t2m_min"].append(min(values))
        noon = day + 18 * HOUR
        found["t2m_noon"].append(value(noon) if calendar.has(noon[None]) else np.nan)
        for name, end in (("tp", day + (24 + calendar.start) * HOUR), ("tp_noon", noon)):
            within = end - np.arange(24) * HOUR
            needed = within if calendar.hourly else stamps_of(end)
            rain = sum(fell(hour) for hour in within)
            found[name].append(rain if calendar.has(needed) else np.nan)
    return found


def stamps_of(end: np.datetime64) -> np.ndarray:
    """Moments whose rain since 00 UTC gives that of the 24 h before an end."""
    midnight = end.astype("datetime64[D]").astype("datetime64[h]")
    return np.array([end] if end == midnight else [end, midnight, end - 24 * HOUR])


@pytest.mark.parametrize(
    "count", [pytest.param(100, id="T1-100"), pytest.param(5000, id="T1-5000", marks=FULL)]
)
def test_gaps_are_missing_repetitions_count_once_and_order_does_not_matter(count: int) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(calendar=calendars())
    def holds(calendar: Calendar) -> None:
        table = DayTable(
            calendar.days, (1, 1), calendar.hours, calendar.start, 18, hourly_rain=calendar.hourly
        )
        found = table.take(scene(hours, hourly=calendar.hourly) for hours in calendar.files)
        for name, wanted in expected(calendar).items():
            np.testing.assert_allclose(found[name][:, 0, 0], wanted, rtol=1e-5, err_msg=name)
            seen["gaps"] += int(np.isnan(wanted).sum())
            seen["values"] += int(np.isfinite(wanted).sum())

    holds()
    assert min(seen["gaps"], seen["values"]) > count  # there was something to find, of both


def written(path: Path, dataset: xr.Dataset, **encoding: Any) -> Path:
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


def grid(times: np.ndarray, fields: np.ndarray, dims: tuple[str, ...], **coords: Any) -> xr.Dataset:
    return xr.Dataset(
        {"t2m": (dims, fields.astype("float32"), {"units": "K"})},
        coords={
            dims[0]: times, "latitude": [55.0, 54.9], "longitude": [-95.0, -94.9, -94.8], **coords,
        },
    )  # fmt: skip


TIMES = np.datetime64("2023-07-01", "ns") + np.arange(6) * HOUR
FORMS = list(
    product(
        ("dimension", "text dimension", "coordinate", "absent"),
        ("time", "valid_time"),
        (6, 3, 0),  # steps that are consolidated, from the first
    )
)


@pytest.mark.parametrize(("form", "axis", "final"), FORMS, ids=lambda x: f"T2-{x}")
def test_consolidated_values_go_before_preliminary_ones_and_say_so(
    tmp_path: Path, form: str, axis: str, final: int
) -> None:
    both = np.full((6, 2, 2, 3), np.nan)
    both[:final, 0] = 281.0
    both[max(final - 1, 0) :, 1] = 285.0  # one step has both
    versions = np.where(np.arange(6) < final, 1, 5)
    if form.endswith("dimension"):
        names = [1, 5] if form == "dimension" else ["0001", "0005"]
        made = grid(TIMES, both, (axis, "expver", "latitude", "longitude"), expver=names)
    else:
        one = np.where(versions[:, None, None] == 1, both[:, 0], both[:, 1])
        made = grid(TIMES, one, (axis, "latitude", "longitude"))
        if form == "coordinate":
            made = made.assign_coords(expver=(axis, [f"{v:04d}" for v in versions]))
    found = read_netcdf(written(tmp_path / "x.nc", made))
    assert found["t2m"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(found["t2m"][:, 0, 0], np.where(versions == 1, 281.0, 285.0))
    if form == "absent":
        assert "expver" not in found.coords
    else:
        assert found["expver"].values.tolist() == versions.tolist()
    (part,) = read_parts(tmp_path / "x.nc")
    assert set(part.data_vars) == {"t2m"}


@pytest.mark.parametrize("kind", ["360_day", "noleap", "julian"])
def test_calendars_that_are_not_the_world_s_are_refused(tmp_path: Path, kind: str) -> None:
    made = grid(np.arange(6), np.full((6, 2, 3), 280.0), ("time", "latitude", "longitude"))
    made["time"].attrs = {"units": "days since 2023-01-01", "calendar": kind}
    with pytest.raises(CorruptFileError, match="no time axis of the Gregorian calendar"):
        read_netcdf(written(tmp_path / "x.nc", made))


def test_times_of_a_zone_are_told_in_utc(tmp_path: Path) -> None:
    made = grid(np.arange(6), np.full((6, 2, 3), 280.0), ("time", "latitude", "longitude"))
    made["time"].attrs = {"units": "hours since 2023-07-01 00:00:00-06:00"}
    found = read_netcdf(written(tmp_path / "x.nc", made))
    first = datetime(2023, 7, 1, 6, tzinfo=UTC).replace(tzinfo=None)
    assert found["time"].values[0].astype("datetime64[us]").item() == first


def test_a_file_without_times_is_refused(tmp_path: Path) -> None:
    made = grid(np.arange(6), np.full((6, 2, 3), 280.0), ("step", "latitude", "longitude"))
    with pytest.raises(CorruptFileError, match="no time axis"):
        read_netcdf(written(tmp_path / "x.nc", made))


def versions_file(path: Path, final: int) -> Path:
    """Five days of hours, of which the first `final` hours are consolidated at 281 K, then 285."""
    moments = np.datetime64("2023-06-30T00", "ns") + np.arange(0, 120, 3) * HOUR
    versions = np.where(np.arange(len(moments)) < final, 1, 5)
    values = np.where(versions == 1, 281.0, 285.0)[:, None, None] + np.zeros((1, 40, 60))
    made = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values.astype("float32"), {"units": "K"})},
        coords={
            "time": moments, "latitude": 57 - 0.1 * np.arange(40),
            "longitude": -98 + 0.1 * np.arange(60),
            "expver": ("time", [f"{version:04d}" for version in versions]),
        },
    )  # fmt: skip
    return written(path, made)


@pytest.mark.parametrize("kind", ["netcdf", "grib"], ids=lambda kind: f"T2-stored-{kind}")
def test_the_cube_keeps_for_each_day_whether_it_is_preliminary_and_the_final_beside_it(
    tmp_path: Path, kind: str
) -> None:
    days = np.arange(np.datetime64("2023-07-01"), np.datetime64("2023-07-04"))
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    stored = {}
    for stream, final in (("nrt", 24), ("final", 24), ("final", 40)):
        source = Era5Land(stream=stream)
        block = next(iter(cut(source.layout, GRID, days)))
        path = versions_file(tmp_path / f"{stream}{final}.nc", final)
        read = source.read(path if kind == "netcdf" else as_grib(path))
        cube.add_group(source.layout, days)
        layer = source.compose([(scene_of(block), align(read, block.geobox))], block)
        cube.write_block(source.layout, block, layer)
        with open_cube(cube.path, source.layout.group) as opened:
            names = ("t2m", "preliminary")
            stored[stream, final] = [opened[n].max(("y", "x")).values.tolist() for n in names]
    # hour 24 is 3 July, 00 UTC: the fire days of 1 and 2 July are final, or partly; 3 July is not
    assert stored["nrt", 24][1] == [0.0, 1.0, 1.0]
    assert stored["nrt", 24][0] == pytest.approx([281.0, 283.0, 285.0])
    np.testing.assert_array_equal(stored["final", 24][0], [281.0, np.nan, np.nan])
    assert stored["final", 40] == [[281.0, 281.0, 281.0], [0.0, 0.0, 0.0]]
    # what a forecast was made from stands as it was
    with open_cube(cube.path, "era5_land") as opened:
        assert opened["t2m"].max(("y", "x")).values.tolist() == stored["nrt", 24][0]


def scene_of(block: Any) -> Any:
    return scene_made(block, block.times[-1], 120.0)


def as_grib(path: Path) -> Path:
    """The same hours as the store's own format has them."""
    import eccodes

    with xr.open_dataset(path) as made:
        messages = []
        for step in range(made.sizes["time"]):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            moment = str(made["time"].values[step].astype("datetime64[h]"))
            settings = {
                "centre": "ecmf", "expver": str(made["expver"].values[step]), "Ni": 60, "Nj": 40,
                "latitudeOfFirstGridPointInDegrees": 57.0,
                "latitudeOfLastGridPointInDegrees": 53.1,
                "longitudeOfFirstGridPointInDegrees": 262.0,
                "longitudeOfLastGridPointInDegrees": 267.9, "iDirectionIncrementInDegrees": 0.1,
                "jDirectionIncrementInDegrees": 0.1, "dataDate": int(moment[:10].replace("-", "")),
                "dataTime": int(moment[11:13]) * 100, "paramId": 167, "bitsPerValue": 16,
            }  # fmt: skip
            for key, value in settings.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, made["t2m"].values[step].ravel().astype("float64"))
            messages.append(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    target = path.with_suffix(".grib")
    target.write_bytes(b"".join(messages))
    return target
