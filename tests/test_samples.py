"""What a chip holds: worked out by hand on the tiny cube, and nothing from after T."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from odc.geo.geobox import GeoBox

from firesat.batch import INPUTS, MASKS
from firesat.composite import recent_looks
from firesat.cube import grid_of, open_cube
from firesat.errors import SampleError
from firesat.labels import SCORING_ONLY
from firesat.samples import DayFields, Inputs, Reader, season
from firesat.samples.looks import Scenes
from firesat.samples.pieces import take
from firesat.window import Window

DAY = "2023-06-25"  # day 55 of the cube
STEP = 55
T = np.datetime64("2023-06-25T12:00:00")
SECOND = np.timedelta64(1, "s")


@pytest.fixture(scope="module")
def cells(tiny_cube: Path) -> GeoBox:
    return grid_of(tiny_cube).region_geobox(100)


@pytest.fixture(scope="module")
def fields(tiny_cube: Path, cells: GeoBox) -> DayFields:
    return Reader(tiny_cube, Inputs()).day(DAY, cells, truth=True)


@pytest.fixture
def copy(tiny_cube: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_cube, tmp_path / "copy.zarr")


def set_available(cube: Path, group: str, change: dict[int, np.datetime64]) -> None:
    """Change when steps of a group became available."""
    array = zarr.open_group(cube, mode="r+")[f"{group}/available_time"]
    table = array[:]
    for step, moment in change.items():
        table[step] = int(moment.astype("datetime64[s]").astype(np.int64))
    array[:] = table


def available(cube: Path, group: str) -> np.ndarray:
    return open_cube(cube, group).available_time.values[:, 0, 0]


# --- Sentinel-2 ---------------------------------------------------------------------------------


def test_looks_are_those_of_recent_looks(tiny_cube: Path, cells: GeoBox, fields: DayFields) -> None:
    piece = take(open_cube(tiny_cube, "sentinel2"), cells)
    plain = recent_looks(piece.data, DAY, window=Window(history=64), looks=3)
    np.testing.assert_array_equal(fields.inputs["sentinel2"], plain.reflectance)
    np.testing.assert_array_equal(fields.inputs["age"], plain.age)


def test_newest_look_is_of_the_scene_of_the_evening_before(fields: DayFields) -> None:
    # the scene of day 54, 18:00 UTC, was there at midnight: band b = 0.05 + 0.01 b + 0.001 x 54
    row, col = np.argwhere(fields.inputs["age"][0, 150:, 150:] == 1)[0] + 150
    look = fields.inputs["sentinel2"][0, :, row, col]
    np.testing.assert_allclose(look, 0.104 + 0.01 * np.arange(13), atol=1e-6)


def test_a_scene_one_second_late_is_not_seen(copy: Path, cells: GeoBox) -> None:
    for moment, newest in ((T, 1.0), (T + SECOND, 7.0)):
        set_available(copy, "sentinel2", {54: moment})
        age = Reader(copy, Inputs()).region(cells).looks(DAY).age
        assert np.nanmin(age) == newest


def test_looks_older_than_their_history_are_missing(tiny_cube: Path, cells: GeoBox) -> None:
    age = Reader(tiny_cube, Inputs(sentinel2_history=6, looks=1)).region(cells).looks(DAY).age
    assert set(np.unique(age[np.isfinite(age)])) == {1.0}


def test_forgetting_scenes_changes_nothing(tiny_cube: Path, cells: GeoBox) -> None:
    piece = take(open_cube(tiny_cube, "sentinel2", packed=True), cells)
    window = Window(history=64)
    forgetful, retentive = Scenes(piece, kept_bytes=1), Scenes(piece)
    for day in (DAY, "2023-06-29"):
        one, other = (scenes.looks(day, window, 3) for scenes in (forgetful, retentive))
        np.testing.assert_array_equal(one.reflectance, other.reflectance)
    assert (len(forgetful._kept), len(retentive._kept)) == (1, 10)


# --- MODIS --------------------------------------------------------------------------------------


def test_modis_steps_are_the_latest_composites_that_had_ended(fields: DayFields) -> None:
    # vegetation: 16 days from day 0, two days late, so that of day 48 comes on day 66;
    # temperature: 8 days, so that of day 40 came on day 50 and that of day 48 comes on day 58
    modis = fields.inputs["modis"][:, :, 0, 0]
    np.testing.assert_allclose(modis[:, 0], [0.40, 0.42, 0.44], rtol=1e-6)
    np.testing.assert_allclose(modis[:, 1], [0.20, 0.21, 0.22], rtol=1e-6)
    np.testing.assert_allclose(modis[:, 2], [293.0, 294.0, 295.0])
    assert fields.inputs["modis"].shape == (3, 3, 40, 40)


def test_too_few_composites_leave_the_oldest_places_empty(tiny_cube: Path, cells: GeoBox) -> None:
    modis = Reader(tiny_cube, Inputs()).region(cells).modis("2023-05-20")
    assert np.isnan(modis[:2, 0]).all()
    assert (modis[2, 0] == np.float32(0.4)).all()


# --- weather ------------------------------------------------------------------------------------


def test_weather_is_bilinear_between_the_coarse_cells(fields: DayFields) -> None:
    # 1 + number + 0.01 day + 0.1 column - 0.2 row; 1 km cell (10, 5) lies at row 0.55, column 0.05
    weather = fields.inputs["weather"]
    tp = 1 + 7 + 0.01 * STEP + 0.1 * 0.05 - 0.2 * 0.55
    np.testing.assert_allclose(weather[-1, 3, 10, 5], tp - 0.01, rtol=1e-6)
    np.testing.assert_allclose(weather[0, 3, 10, 5], tp - 0.16, rtol=1e-6)
    # fire weather stands after the weather: dc is the third code, number 14 + 2
    np.testing.assert_allclose(weather[-1, 8, 0, 0], 1 + 16 + 0.54, rtol=1e-6)


@pytest.mark.parametrize(
    ("regime", "days", "known"),
    [("protocol", 16, 16), ("operational", 16, 11), ("hindsight", 24, 24)],
)
def test_regimes_see_so_many_days(
    tiny_cube: Path, cells: GeoBox, regime: str, days: int, known: int
) -> None:
    # five days late: of fire days 39 to 54, those that ended by day 50 are there, 39 to 49
    weather = Reader(tiny_cube, Inputs(regime=regime)).region(cells).weather(DAY)
    assert weather.shape == (days, 10, 20, 20)
    missing = np.isnan(weather)
    np.testing.assert_array_equal(missing.all(axis=(1, 2, 3)), np.arange(days) >= known)
    assert not missing[:known].any()


# --- fires as known at T ------------------------------------------------------------------------


def test_hotspots_of_the_last_day_are_known_and_none_of_the_issue_day(
    tiny_cube: Path, cells: GeoBox
) -> None:
    # fire 2 starts on day 50 at cell (140, 120); what that day published is out on day 51, 12 UTC
    region = Reader(tiny_cube, Inputs()).region(cells)
    before, after = (region.fire(f"2023-06-{day}") for day in (20, 21))
    assert before[2, 140, 120] == 0
    assert after[2, 140, 120] == 1
    np.testing.assert_allclose(after[1, 140, 120], np.exp(-1 / 5), rtol=1e-6)


# --- nothing from after T -----------------------------------------------------------------------


def spoil(cube: Path, group: str, late: np.ndarray) -> None:
    """Overwrite steps of every variable of a group."""
    members = zarr.open_group(cube, mode="r+")[group]
    for name, array in members.arrays():
        if array.ndim >= 3 and name != "available_time":
            for step in np.flatnonzero(late):
                array[step, ..., 200:400, 100:300] = 1


@pytest.mark.parametrize("regime", ["protocol", "operational"])
def test_what_came_after_t_has_no_influence(copy: Path, cells: GeoBox, regime: str) -> None:
    inputs = Inputs(regime=regime)
    honest = Reader(copy, inputs).day(DAY, cells).inputs
    for group in ("sentinel2", "modis_vi", "modis_lst", "hotspots", "nbac", "labels"):
        spoil(copy, group, available(copy, group) > T)
    for group in ("era5_land", "fire_weather"):
        days = open_cube(copy, group).time.values
        late = days >= T.astype("datetime64[D]")
        if regime == "operational":
            late = available(copy, group) > T
        members = zarr.open_group(copy, mode="r+")[group]
        for name, array in members.arrays():
            if array.ndim == 3 and name != "available_time":
                array[int(np.flatnonzero(late)[0]) :] = 999.0
    for name, values in Reader(copy, inputs).day(DAY, cells).inputs.items():
        np.testing.assert_array_equal(values, honest[name], err_msg=name)


@pytest.mark.parametrize(
    ("group", "field"),
    [
        ("sentinel2", "looks"),
        ("modis_vi", "modis"),
        ("era5_land", "weather"),
        ("fire_weather", "weather"),
        ("hotspots", "fire"),
    ],
)
def test_a_group_that_comes_one_second_after_t_is_missing(
    copy: Path, cells: GeoBox, group: str, field: str
) -> None:
    inputs = Inputs(regime="operational", modis=("ndvi",))
    channels = {"fire_weather": slice(6, None), "era5_land": slice(0, 6)}.get(group, slice(None))
    steps = range(len(available(copy, group)))
    for moment, there in ((T, True), (T + SECOND, False)):
        set_available(copy, group, dict.fromkeys(steps, moment))
        read = getattr(Reader(copy, inputs).region(cells), field)(DAY)
        found = read.reflectance if field == "looks" else read[:, channels]
        assert bool((np.nan_to_num(found) != 0).any()) is there


def test_a_static_map_that_is_not_there_yet_is_an_error(copy: Path, cells: GeoBox) -> None:
    set_available(copy, "static", {0: T + SECOND})
    with pytest.raises(SampleError, match="no static map was available by 2023-06-25"):
        Reader(copy, Inputs()).region(cells).static(DAY)


# --- truth --------------------------------------------------------------------------------------


def test_truth_of_the_cube_counts_the_growing_ring(fields: DayFields) -> None:
    # fire 2 (1.5 cells a day from day 50, exactly dated): days 55 to 62 are distances 7.5 to 19.5
    row, col = np.mgrid[0:200, 0:200]
    distance = np.hypot(row - 140, col - 120)
    ring = (distance >= 7.5) & (distance < 19.5)
    assert fields.truth is not None
    np.testing.assert_array_equal(fields.truth.label[0] & (fields.truth.fire_id == 2), ring)
    assert not fields.truth.valid[:, distance < 7.5].any()
    assert not fields.truth.valid[:, 0:30, 100:160].any()  # the lake


def test_fires_with_an_agencys_date_alone_are_unknown(fields: DayFields) -> None:
    # fire 3 burns on one of the days 55 to 67: the window holds a part of them
    assert fields.truth is not None
    assert fields.truth.valid[:, 50, 170].tolist() == [0, 0]
    assert fields.truth.fire_id[50, 170] == 3


def test_a_year_without_labels_is_an_error(copy: Path, cells: GeoBox) -> None:
    table = zarr.open_group(copy, mode="r+")["labels/available_time"]
    table[:] = np.iinfo("int64").min
    with pytest.raises(SampleError, match="no labels of 2023: run firesat derive"):
        Reader(copy, Inputs()).region(cells).truth(DAY)


# --- chips --------------------------------------------------------------------------------------


def test_a_chip_has_the_sizes_that_channels_promise(tiny_cube: Path, fields: DayFields) -> None:
    inputs = Inputs()
    chip = Reader(tiny_cube, inputs).chip(fields, 40, 100, 80)
    c = inputs.channels(80)
    assert {name: values.shape for name, values in chip.items()} == {
        "sentinel2": (c.looks, c.sentinel2, 80, 80),
        "age": (c.looks, 80, 80),
        "clear": (c.looks, 80, 80),
        "modis": (c.modis_steps, c.modis, 16, 16),
        "modis_mask": (c.modis_steps, c.modis, 16, 16),
        "weather": (c.weather_steps, c.weather, 8, 8),
        "weather_mask": (c.weather_steps, c.weather),
        "fire": (c.fire, 80, 80),
        "fire_mask": (c.fire,),
        "static": (c.static, 80, 80),
        "season": (2,),
        "label": (c.heads, 80, 80),
        "valid": (c.heads, 80, 80),
        "lead": (2, 80, 80),
        "starts": (c.leads, 8, 8),
    }


def test_a_chip_is_a_part_of_the_day(tiny_cube: Path, fields: DayFields) -> None:
    chip = Reader(tiny_cube, Inputs()).chip(fields, 40, 100, 80)
    # elevation is 200 + column; the road lies 0.1 km a column to the west; fuels in stripes of 40
    assert chip["static"][0, 0, 0] == 300
    np.testing.assert_allclose(chip["static"][5, 0, -1], 17.9, rtol=1e-6)
    assert chip["static"][6:, 79, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(chip["clear"], np.isfinite(chip["age"]))
    np.testing.assert_array_equal(chip["weather"], fields.inputs["weather"][..., 4:12, 10:18])


def test_a_part_of_the_region_reads_the_same(
    tiny_cube: Path, cells: GeoBox, fields: DayFields
) -> None:
    part = Reader(tiny_cube, Inputs()).day(DAY, cells[60:160, 100:180], truth=True)
    reader = Reader(tiny_cube, Inputs())
    whole, alone = reader.chip(fields, 60, 100, 80), reader.chip(part, 0, 0, 80)
    for name, values in whole.items():
        np.testing.assert_allclose(values, alone[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(("row", "col"), [(-10, 0), (130, 0), (0, 5)])
def test_chips_off_the_cells_or_the_kilometre_lines_are_refused(
    tiny_cube: Path, fields: DayFields, row: int, col: int
) -> None:
    with pytest.raises(SampleError, match="in multiples of 10 cells"):
        Reader(tiny_cube, Inputs()).chip(fields, row, col, 80)


def test_cells_outside_the_cube_or_off_the_lines_are_refused(
    tiny_cube: Path, cells: GeoBox
) -> None:
    reader = Reader(tiny_cube, Inputs())
    with pytest.raises(SampleError, match="ask for cells inside"):
        reader.day(DAY, cells.translate_pix(1000, 0))
    with pytest.raises(SampleError, match="off the 1 km lines"):
        reader.day(DAY, cells[5:100, :])


def test_season_runs_round_the_year() -> None:
    np.testing.assert_allclose(season("2023-01-01"), [0, 1], atol=1e-7)
    np.testing.assert_allclose(np.hypot(*season(DAY)), 1, rtol=1e-6)


def test_at_risk_truth_is_in_the_truth_and_never_in_a_batch(
    tiny_cube: Path, fields: DayFields
) -> None:
    assert fields.truth is not None
    assert all(hasattr(fields.truth, name) for name in SCORING_ONLY)
    risk = fields.truth.at_risk_truth
    assert (risk == 0).any()
    assert not fields.truth.valid[:, risk == 0].any()
    chip = Reader(tiny_cube, Inputs()).chip(fields, 0, 0, 80)
    assert "label" in chip
    assert not set(SCORING_ONLY) & {*chip, *fields.inputs, *INPUTS, *MASKS.values()}
