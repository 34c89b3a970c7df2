"""Static maps in the batch: years since fire as known at T, classes, and what a cube lacks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from odc.geo.geobox import GeoBox

from firesat.blocks import Layout, Variable
from firesat.cube import Cube, grid_of, open_cube
from firesat.errors import SampleError
from firesat.samples import Inputs, Reader
from firesat.samples.fires import extent_layers
from tests.tiny_cube import HOUR, write_group

SPRING = 4800 * HOUR  # from 1 October to the perimeters of the season
BASE = Inputs().static
SEASONS = np.array(["2020-10-01", "2021-10-01", "2022-10-01"], "datetime64[D]")


@pytest.fixture(scope="module")
def cells(tiny_cube: Path) -> GeoBox:
    return grid_of(tiny_cube).region_geobox(100)


@pytest.fixture
def copy(tiny_cube: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_cube, tmp_path / "copy.zarr")


def disturb(path: Path, years: Callable[[int], float]) -> None:
    """A group whose step of a season holds the same years everywhere."""
    layout = Layout(
        group="disturbance",
        level=100,
        variables=(Variable(name="years_since_fire", dtype="int16", fill=-1),),
    )
    published = SEASONS.astype("datetime64[s]") + SPRING
    write_group(
        Cube(path, grid_of(path)), layout, SEASONS,
        lambda variable, step: np.full((200, 200), years(step)), published,
    )  # fmt: skip


def since_fire(path: Path, cells: GeoBox, day: str) -> np.ndarray:
    inputs = Inputs(static=(*BASE, "years_since_fire"))
    place = inputs.names["static"].index("years_since_fire")
    return Reader(path, inputs).region(cells).static(day)[place]


def test_years_since_fire_are_of_the_last_season_that_was_published(
    copy: Path, cells: GeoBox
) -> None:
    # nothing burned but in the season of 2022, one year before 2023
    disturb(copy, lambda step: [49, 50, 1][step])
    assert SEASONS[2].astype("datetime64[s]") + SPRING == np.datetime64("2023-04-19T00:00:00")
    # on 1 May 2023 the season of 2022 is out
    np.testing.assert_array_equal(since_fire(copy, cells, "2023-05-01"), 1)
    # on 18 April it is not: that of 2021 counts to 2022, so a year more
    np.testing.assert_array_equal(since_fire(copy, cells, "2023-04-18"), 51)
    # nobody knew of 2022's fire in August 2022
    np.testing.assert_array_equal(since_fire(copy, cells, "2022-08-01"), 50)
    # nor is anything known before the first step was published
    assert np.isnan(since_fire(copy, cells, "2021-03-01")).all()
    # the years go on where no newer state is in the cube
    np.testing.assert_array_equal(since_fire(copy, cells, "2024-06-01"), 2)


def test_what_a_cube_lacks_is_missing_and_named_and_the_rest_as_before(
    copy: Path, cells: GeoBox
) -> None:
    asked = Inputs(
        static=(*BASE, "lightning", "years_since_fire"), cover_classes=(1, 14), fuel_classes=(1, 2)
    )
    reader, before = Reader(copy, asked), Reader(copy, Inputs(fuel_classes=(1, 2)))
    assert reader.missing == ("disturbance", "static/land_cover", "static/lightning")
    assert before.missing == ()
    assert asked.names["static"][-4:] == ("fuel_1", "fuel_2", "cover_1", "cover_14")
    found, old = (r.region(cells).static("2023-06-25") for r in (reader, before))
    assert found.shape[0] == len(asked.names["static"]) == old.shape[0] + 4
    np.testing.assert_array_equal(found[:6], old[:6])
    assert np.isnan(found[6:8]).all()  # lightning, years since fire
    np.testing.assert_array_equal(found[8:10], old[6:8])
    assert np.isnan(found[10:]).all()


def test_land_cover_becomes_one_layer_a_class(tmp_path: Path, copy: Path, cells: GeoBox) -> None:
    # a second static group cannot be: take the tiny cube's maps and give them land cover
    shutil.rmtree(copy / "static")
    names = (*BASE, "fuel", "land_cover")
    layout = Layout(group="static", level=100, variables=tuple(Variable(name=n) for n in names))
    codes = np.arange(200 * 200).reshape(200, 200) % 19 + 1

    def fill(variable: str, step: int) -> np.ndarray:
        return codes if variable == "land_cover" else np.ones((200, 200))

    times = np.array(["2015-01-01"], "datetime64[D]")
    write_group(Cube(copy, grid_of(copy)), layout, times, fill, times.astype("datetime64[s]"))
    inputs = Inputs(fuel_classes=(), cover_classes=(1, 18))
    found = Reader(copy, inputs).region(cells).static("2023-06-25")
    np.testing.assert_array_equal(found[-2:], [codes == 1, codes == 18])


# --- radiative power of the fires known at T ----------------------------------------------------


def test_power_is_that_of_the_last_ten_days_known_at_t(tiny_cube: Path, cells: GeoBox) -> None:
    reader = Reader(tiny_cube, Inputs(fire_power=True))
    assert reader.inputs.names["fire"] == ("proximity", "recency", "burnt", "power")
    found = reader.region(cells).fire("2023-06-25")
    np.testing.assert_array_equal(
        found[:3], Reader(tiny_cube, Inputs()).region(cells).fire("2023-06-25")
    )
    box = cells.boundingbox
    whole = open_cube(tiny_cube, "hotspots")
    group = whole.sel(x=slice(box.left, box.right), y=slice(box.top, box.bottom))
    days = group.time.values.astype("datetime64[D]")
    ages = (np.datetime64("2023-06-25") - days).astype(int)
    # what a fire day published is known at 12 UTC of the next: that of the 24th, and not the 25th
    power = np.where(group.hotspot_count.values > 0, group.frp.values, 0.0)
    power = power[(ages >= 1) & (ages <= 10)].max(axis=0)
    assert power.max() > 0
    padded = np.pad(power, 2)  # nothing burns around the region
    nearby = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).max(axis=(2, 3))
    wanted = np.minimum(np.log1p(nearby) / np.log1p(1000.0), 1.0)
    np.testing.assert_allclose(found[3][::5, ::5], wanted, atol=1e-6)


def test_power_that_is_published_a_second_after_t_never_enters(copy: Path, cells: GeoBox) -> None:
    now = int(np.datetime64("2023-06-25T12:00:00", "s").astype(np.int64))
    inputs = Inputs(fire_power=True)
    published = zarr.open_group(copy, mode="r+")["hotspots/available_time"]
    for late, there in ((0, True), (1, False)):
        published[:] = now + late
        layers = Reader(copy, inputs).region(cells).fire("2023-06-25")
        assert bool(np.nan_to_num(layers[:3]).any()) is there
        assert bool(np.nan_to_num(layers[3]).any()) is there


def test_extent_tells_a_long_front_from_a_single_hotspot_and_yesterday_from_last_week() -> None:
    hot = np.zeros((3, 80, 80), bool)
    hot[0, 30, 10] = True  # 9 days old
    hot[1, 30, 30] = hot[1, 30, 34] = True  # yesterday's, 2 km apart
    hot[2, 5, 50] = True  # older than the layers go
    ages = np.array([9, 1, 11])
    near, wide, old = extent_layers(hot, ages, np.full((80, 80), 1))

    def layer(*cells: tuple[float, float]) -> float:
        """Of hotspots so many kilometres away, each with its reach."""
        parts = [np.exp(-(far**2) / (2 * reach**2)) for far, reach in cells]
        return float(np.log1p(sum(parts)) / np.log(1001))

    assert near[30, 30] == pytest.approx(layer((0, 1), (2, 1)), rel=1e-5)
    assert wide[30, 30] == pytest.approx(layer((0, 3), (2, 3)), rel=1e-5)
    assert old[30, 16] == pytest.approx(layer((3, 3), (7, 3), (9, 3)), rel=1e-5)
    assert old[33, 16] == pytest.approx(
        layer((np.hypot(3, 1.5), 3), (np.hypot(7, 1.5), 3), (np.hypot(9, 1.5), 3)), rel=1e-5
    )
    assert not near[:, :24].any()  # 3 km from yesterday's, and the old one is not of that day
    assert not old[5, 56:].any()  # the third is older than 10 days
    # where the latest day is not in hand, the one before it speaks; late is not quiet
    late = np.full((80, 80), 1)
    late[:, 40:] = 2
    hot[0], ages[0] = np.roll(hot[1], 20, axis=1), 2  # at 50 and 54
    near = extent_layers(hot, ages, late)[0]
    assert near[30, 50] == pytest.approx(layer((0, 1), (2, 1)), rel=1e-5)
    assert near[30, 30] == pytest.approx(layer((0, 1), (2, 1)), rel=1e-5)
    assert extent_layers(np.ones((1, 80, 80), bool), ages[1:2], late * 0 + 1).max() <= 1


def test_extent_is_read_from_the_hotspots_known_at_t(tiny_cube: Path, cells: GeoBox) -> None:
    inputs = Inputs(fire_extent=True)
    assert inputs.names["fire"][3:] == ("extent_1d_1km", "extent_1d_3km", "extent_10d_3km")
    found = Reader(tiny_cube, inputs).region(cells).fire("2023-06-25")
    plain = Reader(tiny_cube, Inputs()).region(cells).fire("2023-06-25")
    np.testing.assert_array_equal(found[:3], plain)
    assert (found[4] <= found[5]).all()
    assert found[5].max() > 0


def test_extent_that_is_published_a_second_after_t_never_enters(copy: Path, cells: GeoBox) -> None:
    now = int(np.datetime64("2023-06-25T12:00:00", "s").astype(np.int64))
    published = zarr.open_group(copy, mode="r+")["hotspots/available_time"]
    for late, there in ((0, True), (1, False)):
        published[:] = now + late
        layers = Reader(copy, Inputs(fire_extent=True)).region(cells).fire("2023-06-25")
        assert bool(np.nan_to_num(layers[3:]).any()) is there


def test_late_hotspots_are_no_sign_that_nothing_burned(copy: Path, cells: GeoBox) -> None:
    inputs = Inputs(fire_extent=True)
    there = Reader(copy, inputs).region(cells).fire("2023-06-25")
    group = zarr.open_group(copy, mode="r+")["hotspots"]
    days = open_cube(copy, "hotspots").time.values.astype("datetime64[D]")
    published = group["available_time"]
    late = days >= np.datetime64("2023-06-23")  # the two last days before T
    published[late.nonzero()[0]] = np.iinfo(np.int64).min
    known = Reader(copy, inputs).region(cells).fire("2023-06-25")
    assert known[3].max() > 0
    assert not np.array_equal(known[3], there[3])
    published[:] = np.iinfo(np.int64).min
    assert np.isnan(Reader(copy, inputs).region(cells).fire("2023-06-25")).all()


def test_hotspots_by_the_day_on_which_they_were_made_are_refused(copy: Path, cells: GeoBox) -> None:
    del zarr.open_group(copy, mode="r+")["hotspots"].attrs["detection_latency_hours"]
    with pytest.raises(SampleError, match=r"those of the last day before T unseen: ingest into"):
        Reader(copy, Inputs()).region(cells).fire("2023-06-25")


def test_records_without_the_later_settings_are_what_they_were() -> None:
    record = Inputs().record
    assert not {"fire_power", "fire_extent", "cover_classes"} & set(record)
    assert Inputs.from_record(record) == Inputs()
    more = Inputs(fire_power=True, fire_extent=True, cover_classes=(1, 2))
    assert Inputs.from_record(more.record) == more
    assert more.channels(20).fire == 7
