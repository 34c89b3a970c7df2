"""Groups computed from other groups: fire weather day by day, labels tile by tile."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from firesat import fwi
from firesat.cube import Cube, create_cube, cube_hash, grid_of, open_cube
from firesat.errors import ConfigError, CubeError
from firesat.grid import Grid
from firesat.jobs.derive import derive
from firesat.labels import VARIABLES, label_season
from firesat.manifest import Receipt
from tests.tiny_cube import layouts

REGION = (-10_000.0, 670_000.0, 10_000.0, 680_000.0)  # 20 x 10 km over the border of two tiles
HOUR, DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
CODES = ("ffmc", "dmc", "dc", "isi", "bui", "fwi", "dsr")
UNREAD = ("t2m", "t2m_max", "t2m_min", "skt", "rh", "vp", "ws", "tp", "swvl1", "sd", "frp")
Fill = Callable[[str, int], NDArray[np.float64]]


def quiet(ended: int, total: int, text: str) -> None:
    assert 0 < ended <= total


def days(start: str, count: int) -> NDArray[np.datetime64]:
    return np.datetime64(start, "D") + np.arange(count) * DAY


def put(
    path: Path,
    group: str,
    times: NDArray[np.datetime64],
    fill: Fill,
    available: NDArray[np.datetime64] | None = None,
) -> None:
    """Write a group, region wise, and vouch for its blocks in the ledger.

    `fill(variable, step)` gives the region's cells; a step that is never available has none.
    """
    cube, layout = create_cube(path, Grid(region=REGION)), layouts()[group]
    read = tuple(v for v in layout.variables if v.name not in UNREAD)
    layout = replace(layout, variables=read)
    known = times.astype("datetime64[s]") + 36 * HOUR if available is None else available
    x0, _, _, y1 = REGION
    box = cube.grid.box(layout.level)
    top = round((box.boundingbox.top - y1) / layout.level)
    left = round((x0 - box.boundingbox.left) / layout.level)
    receipts = []
    for block in cube.add_group(layout, times):
        first = block.index[0] * layout.steps
        steps = range(first, first + len(block.times))
        height, width = block.geobox.shape
        rows = slice(block.index[1] * height, (block.index[1] + 1) * height)
        columns = slice(block.index[2] * width, (block.index[2] + 1) * width)
        layer = {}
        for variable in layout.variables:
            values = np.full((len(steps), *box.shape), np.nan, dtype="float32")
            for number, step in enumerate(steps):
                if not np.isnat(known[step]):
                    cells = fill(variable.name, step)
                    high, wide = cells.shape
                    values[number, top : top + high, left : left + wide] = cells
            layer[variable.name] = (("time", "y", "x"), values[:, rows, columns])
        cube.write_block(layout, block, xr.Dataset(layer))
        times_known = ["" if np.isnat(known[step]) else str(known[step]) for step in steps]
        receipts.append(Receipt(key=block.key, group=group, status="done", available=times_known))
    cube.record_times(receipts, layout)
    cube.manifest().add(receipts)


def forget_times(path: Path, group: str) -> None:
    """What a job leaves that is killed before it has noted its times."""
    for file in (path / group / "available_time" / "c").rglob("*"):
        if file.is_file():
            file.unlink()
    with Cube(path, grid_of(path)).manifest().table.database() as database:
        database.execute("UPDATE blocks SET noted = 0 WHERE group_name = ?", (group,))


def vouch(cube: Cube, group: str, checksum: str, keys: list[str]) -> None:
    rows = [Receipt(key=key, group=group, status="done", checksum=checksum) for key in keys]
    cube.manifest().add(rows)


# Fire weather -------------------------------------------------------------------------------------

SEASON = np.concatenate([days("2022-05-01", 40), days("2023-05-01", 5)])


def noon(name: str, step: int) -> NDArray[np.float64]:
    """Weather of the 10 km cells: warmer eastward, rain on every seventh day."""
    values = {
        "t2m_noon": 288.15 + 10 * np.sin(step),
        "rh_noon": 50.0 + 30 * np.cos(step),
        "ws_noon": 5.0 + (step % 3),
        "tp_noon": 12.0 if step % 7 == 3 else 0.0,
    }
    return values.get(name, 0.0) + np.array([[0.0, 1.0]])


def expected(steps: range) -> fwi.Codes:
    """The codes of the region's cells from a fresh start, without blocks."""
    t, rh, ws, tp = (
        np.stack([noon(name, step).astype("float32").astype("float64") for step in steps])
        for name in ("t2m_noon", "rh_noon", "ws_noon", "tp_noon")
    )
    month = SEASON[list(steps)].astype("datetime64[M]").astype(int) % 12 + 1
    codes, _ = fwi.series(
        fwi.start((1, 2)), temp=t - 273.15, rh=rh, ws=3.6 * ws, prec=tp, month=month, latitude=55.0
    )
    return codes


def region_of(path: Path, group: str) -> xr.Dataset:
    x0, y0, x1, y1 = REGION
    return open_cube(path, group).sel(x=slice(x0, x1), y=slice(y1, y0)).load()


def copy(cube: Path, folder: Path) -> Path:
    """A cube and its ledger in another folder."""
    shutil.copytree(cube.with_suffix(".ledger"), (folder / cube.name).with_suffix(".ledger"))
    return shutil.copytree(cube, folder / cube.name)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ingested") / "weather.zarr"
    put(path, "era5_land", SEASON, noon)
    return path


@pytest.fixture(scope="module")
def derived(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = copy(ingested, tmp_path_factory.mktemp("derived"))
    assert derive(path, ["fire_weather"], quiet).counts == {
        "fire_weather": {"done": 2, "unchanged": 0}
    }
    return path


def test_the_index_follows_the_noon_weather_from_block_to_block(derived: Path) -> None:
    made = region_of(derived, "fire_weather")
    codes = expected(range(40))
    for name in CODES:
        np.testing.assert_array_equal(made[name][:40], getattr(codes, name).astype("float32"))
    assert made["dc"][39].max() > 100  # the drought of forty days went over the block's edge
    assert np.isnan(open_cube(derived, "fire_weather")["fwi"][0, -1, 0])  # outside the region


def test_a_new_period_starts_afresh(derived: Path) -> None:
    made, codes = region_of(derived, "fire_weather"), expected(range(40, 45))
    np.testing.assert_array_equal(made["fwi"][40:], codes.fwi.astype("float32"))
    assert made["dc"][40].max() < 30


@pytest.mark.parametrize(("absent", "carried"), [(10, True), (52, True), (53, False)])
def test_a_short_gap_in_the_days_is_carried_over(
    tmp_path: Path, absent: int, carried: bool
) -> None:
    path = tmp_path / "weather.zarr"
    dry = {"t2m_noon": 298.15, "rh_noon": 30.0, "ws_noon": 3.0}
    times = np.concatenate([days("2022-05-01", 20), days("2022-05-21", absent + 2)[absent:]])
    put(path, "era5_land", times, lambda name, _: np.full((1, 2), dry.get(name, 0.0)))
    derive(path, ["fire_weather"], quiet)
    drought = region_of(path, "fire_weather")["dc"].values
    assert (drought[20] > drought[19]).all() == carried
    assert (drought[20] < 30).all() != carried


def test_codes_are_available_when_their_weather_is(tmp_path: Path) -> None:
    path, times = tmp_path / "weather.zarr", days("2022-05-01", 8)
    available = times.astype("datetime64[s]") + 156 * HOUR
    available[3] = np.datetime64("NaT", "s")
    put(path, "era5_land", times, noon, available)
    derive(path, ["fire_weather"], quiet)
    made, weather = region_of(path, "fire_weather"), region_of(path, "era5_land")
    xr.testing.assert_equal(made["available_time"], weather["available_time"])
    assert np.isnan(made["dc"][3]).all()
    kept = fwi.dc(made["dc"][2], temp=noon("t2m_noon", 4) - 273.15, prec=0.0, month=5)
    np.testing.assert_allclose(made["dc"][4], kept, rtol=1e-5)


def test_a_rerun_does_nothing(derived: Path) -> None:
    before = cube_hash(derived)
    stamps = {file: file.stat().st_mtime_ns for file in derived.rglob("fire_weather/*/c/**/*")}
    assert stamps

    def never(ended: int, total: int, text: str) -> None:
        raise AssertionError(f"{text} was made again")

    report = derive(derived, ["fire_weather"], never)
    assert report.counts["fire_weather"] == {"unchanged": 2}
    assert cube_hash(derived) == before
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps


@pytest.mark.parametrize(("changed", "made"), [(0, 2), (1, 1)])
def test_only_what_follows_from_changed_weather_is_made_again(
    derived: Path, tmp_path: Path, changed: int, made: int
) -> None:
    path = copy(derived, tmp_path)
    vouch(Cube(path, grid_of(path)), "era5_land", "second", [f"era5_land/{changed:04d}/0/0"])
    report = derive(path, ["fire_weather"], quiet)
    assert report.counts["fire_weather"]["done"] == made
    assert report.counts["fire_weather"]["unchanged"] == 2 - made


def test_a_killed_run_goes_on_and_ends_with_the_same_cube(
    ingested: Path, derived: Path, tmp_path: Path
) -> None:
    path = copy(ingested, tmp_path)

    def killed(ended: int, total: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        derive(path, ["fire_weather"], killed)
    assert derive(path, ["fire_weather"], quiet).counts["fire_weather"]["done"] == 1
    assert cube_hash(path) == cube_hash(derived)


# Labels -------------------------------------------------------------------------------------------

RELEASED = np.array(["2024-05-30T00:00:00"], dtype="datetime64[s]")
FIRST = np.datetime64("2023-06-01", "D").astype(int)


def perimeters(name: str, step: int) -> NDArray[np.float64]:
    """A fire across the tiles' border, one with an agency's date only, and a prescribed burn."""
    values = np.full((100, 200), np.nan if name.endswith(("start", "end")) else 0.0)
    places = {1: (slice(20, 60), slice(70, 130)), 2: (slice(80, 83), slice(10, 13))}
    for number, place in places.items():
        dates = {"hotspot_start": 3, "hotspot_end": 14} if number == 1 else {"agency_start": 9}
        facts = {"fraction": 1.0, "fire_id": number, **{k: FIRST + v for k, v in dates.items()}}
        if name in facts:
            values[place] = facts[name]
    if name == "prescribed":
        values[90:95, 190:200] = 1.0
    return values


def fires(name: str, step: int) -> NDArray[np.float64]:
    """The fire runs eastward, a 500 m column a day; two hotspots lie in the far corner.

    One in three detections is published on the day after.
    """
    count, before = np.zeros((20, 40)), np.zeros((20, 40))
    for late, made in ((0, 2.0), (1, 1.0)):
        column = 14 + step - 3 - late
        if 14 <= column < 26:
            count[4:12, column] += made
            before[4:12, column] += made * late
    if step == 20:
        count[1, 36:38] = 1.0
    return before if name == "hotspot_count_before" else count


@pytest.fixture(scope="module")
def burned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "burned.zarr"
    put(path, "nbac", np.array(["2023-01-01"], dtype="datetime64[D]"), perimeters, RELEASED)
    put(path, "hotspots", days("2023-06-01", 30), fires)
    report = derive(path, ["labels"], quiet)
    assert report.counts["labels"] == {"done": 2, "unchanged": 0}
    assert report.cells["labels"] == {
        "burnt": 40 * 60 + 9,
        "undated": 0,
        "prescribed": 50,
        "stray": 3 * 4 * 25,
    }
    return path


def test_a_fire_over_the_border_of_tiles_is_dated_as_one(burned: Path) -> None:
    made = region_of(burned, "labels").isel(time=0)
    whole = label_season(region_of(burned, "nbac").isel(time=0), region_of(burned, "hotspots"))
    for name in VARIABLES:
        np.testing.assert_array_equal(made[name], whole[name])
    # five cells of 100 m a day from column 70 on; the third cell is a hotspot cell's centre
    np.testing.assert_array_equal(made["burn_day"][40, 72:130:5], FIRST + np.arange(3, 15))


def test_labels_come_with_the_perimeters_and_never_before_the_season_ended(burned: Path) -> None:
    available = open_cube(burned, "labels")["available_time"]
    assert (available == RELEASED[0]).all()
    assert available.shape == (1, 1, 2)


def test_times_that_a_killed_ingest_left_unnoted_are_noted_first(
    burned: Path, tmp_path: Path
) -> None:
    path = copy(burned, tmp_path)
    shutil.rmtree(path / "labels")
    with Cube(path, grid_of(path)).manifest().table.database() as database:
        database.execute("DELETE FROM blocks WHERE group_name = 'labels'")
    forget_times(path, "nbac")
    assert np.isnat(open_cube(path, "nbac")["available_time"]).all()
    assert derive(path, ["labels"], quiet).counts["labels"]["done"] == 2
    assert (open_cube(path, "labels")["available_time"] == RELEASED[0]).all()


def test_ground_outside_the_region_is_unknown(burned: Path) -> None:
    labels = open_cube(burned, "labels").isel(time=0)
    assert np.isnan(labels["fraction"][500, 500])
    assert np.isnan(labels["fire_id"][500, 500])


def test_labels_are_made_again_when_hotspots_change(burned: Path, tmp_path: Path) -> None:
    path = copy(burned, tmp_path)
    assert derive(path, ["labels"], quiet).counts["labels"] == {"unchanged": 2}
    vouch(Cube(path, grid_of(path)), "hotspots", "second", ["hotspots/0000/0/1"])
    assert derive(path, ["labels"], quiet).counts["labels"] == {"done": 2, "unchanged": 0}


def test_without_hotspots_the_agencies_dates_stand_alone(burned: Path, tmp_path: Path) -> None:
    path = tmp_path / "agencies.zarr"
    put(path, "nbac", np.array(["2023-01-01"], dtype="datetime64[D]"), perimeters, RELEASED)
    assert derive(path, ["labels"], quiet).counts["labels"] == {"done": 2, "unchanged": 0}
    made = region_of(path, "labels").isel(time=0)
    assert "hotspots" not in made.attrs["source"]
    for first, last, place in ((3, 14, (40, 100)), (9, 9 + 2, (81, 11))):  # end, or two days later
        dates = [float(made[name][place]) for name in ("fire_start", "earliest", "latest")]
        assert dates == [FIRST + first, FIRST + first, FIRST + last]
    np.testing.assert_array_equal(
        made["fraction"] == 1, region_of(burned, "labels").isel(time=0)["fraction"] == 1
    )
    assert derive(path, ["labels"], quiet).counts["labels"] == {"unchanged": 2}
    put(path, "hotspots", days("2023-06-01", 30), fires)
    vouch(
        Cube(path, grid_of(path)), "hotspots", "first", ["hotspots/0000/0/0", "hotspots/0000/0/1"]
    )
    assert derive(path, ["labels"], quiet).counts["labels"] == {"done": 2, "unchanged": 0}
    after = region_of(path, "labels").isel(time=0)
    np.testing.assert_array_equal(
        after["burn_day"], region_of(burned, "labels").isel(time=0)["burn_day"]
    )


# Refusals -----------------------------------------------------------------------------------------


def test_an_unknown_group_is_refused_with_the_nearest_name(ingested: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean labels"):
        derive(ingested, ["label"], quiet)


def test_a_missing_input_is_named(ingested: Path) -> None:
    with pytest.raises(CubeError, match="has no nbac, of which labels is made"):
        derive(ingested, ["labels"], quiet)
