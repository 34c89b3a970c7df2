"""What chips are made from, part by part, without a cube; and their settings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from jsonargparse import ArgumentParser
from odc.geo.geobox import GeoBox

from firesat.errors import BandError, CheckpointError, ConfigError, CubeError
from firesat.grid import Grid
from firesat.samples import Inputs, SampleSettings, within
from firesat.samples.fires import fire_layers
from firesat.samples.pieces import take
from firesat.samples.truth import truth
from firesat.samples.weather import fill_nearest, to_fine
from firesat.window import Period, Window
from tests.tiny_cube import REGION

DAY = "2023-06-25"
T = np.datetime64("2023-06-25T12:00:00")
SECOND = np.timedelta64(1, "s")


@pytest.fixture
def cells() -> GeoBox:
    return Grid(region=REGION).region_geobox(100)


# --- weather ------------------------------------------------------------------------------------


def test_missing_coarse_cells_take_their_neighbours_value_and_missing_days_stay_missing() -> None:
    layers = np.array([[[1, np.nan], [3, np.nan]], [[np.nan] * 2] * 2], dtype=np.float32)
    filled = fill_nearest(layers)
    np.testing.assert_array_equal(filled[0], [[1, 1], [3, 3]])
    assert np.isnan(filled[1]).all()


def test_one_coarse_cell_is_spread_evenly() -> None:
    fine = to_fine(np.full((1, 1, 1), 7.0, dtype=np.float32), 0, 0, (10, 10))
    np.testing.assert_array_equal(fine, np.full((1, 10, 10), 7.0))


# --- fires as known at T ------------------------------------------------------------------------


def test_fire_layers_of_one_hotspot() -> None:
    hot = np.zeros((1, 60, 60), dtype=bool)
    hot[0, 10, 10] = True
    near, new, burnt = fire_layers(hot, np.array([3]))
    assert near[10, 10] == 1
    np.testing.assert_allclose(near[10, 14], np.exp(-2 / 3), rtol=1e-6)  # 4 cells, 2 km
    assert near[10, 49] > 0
    assert near[10, 50] == 0  # 20 km
    np.testing.assert_allclose(new[12, 8], np.exp(-3 / 5), rtol=1e-6)
    assert new[13, 10] == 0
    assert burnt.sum() == 1
    np.testing.assert_array_equal(within(near, 2.0)[10, 10:16], [1, 1, 1, 1, 1, 0])


def test_old_hotspots_are_burnt_ground_but_no_active_fire() -> None:
    hot = np.ones((1, 4, 4), dtype=bool)
    for age, near in ((10, 1), (11, 0)):
        layers = fire_layers(hot, np.array([age]))
        assert layers[0].max() == near
        assert layers[2].all()


def test_without_hotspots_all_fire_layers_are_zero() -> None:
    assert not fire_layers(np.zeros((0, 4, 4), dtype=bool), np.zeros(0, dtype=int)).any()


# --- truth --------------------------------------------------------------------------------------


def cell(**days: float) -> xr.Dataset:
    """Labels of one cell."""
    nothing = {"fraction": 0.0, "fire_id": 0.0, "burn_day": np.nan}
    undated = {"earliest": np.nan, "latest": np.nan, "fire_start": np.nan}
    values = {**nothing, **undated, **days}
    return xr.Dataset({k: (("y", "x"), np.array([[v]], "f4")) for k, v in values.items()})


@pytest.mark.parametrize(
    ("earliest", "latest", "start", "label", "valid", "fire"),
    [
        (0, 7, -3, (1, 0), 1, 9),  # growth, the whole window
        (2, 3, 2, (0, 1), 1, 9),  # new
        (-1, 3, -3, (0, 0), 0, 9),  # perhaps before T
        (5, 8, -3, (0, 0), 0, 9),  # perhaps after the window
        (-4, -1, -9, (0, 0), 0, 0),  # burnt before: no longer at risk
        (8, 9, 8, (0, 0), 1, 0),  # later
        (np.nan, np.nan, np.nan, (0, 0), 0, 9),  # undated
    ],
)
def test_truth_of_one_cell(
    earliest: float, latest: float, start: float, label: tuple[int, int], valid: int, fire: int
) -> None:
    first = int(np.datetime64(DAY, "D").astype(int))
    labels = cell(
        fraction=0.5, fire_id=9, earliest=first + earliest, latest=first + latest,
        fire_start=first + start,
    )  # fmt: skip
    found = truth(labels, np.zeros((1, 1), "f4"), DAY, Window())
    assert tuple(found.label[:, 0, 0]) == label
    assert tuple(found.valid[:, 0, 0]) == (valid, valid)
    assert found.fire_id[0, 0] == fire


@pytest.mark.parametrize(("water", "valid"), [(0.5, 1), (0.51, 0), (np.nan, 1)])
def test_water_cannot_burn(water: float, valid: int) -> None:
    found = truth(cell(), np.full((1, 1), water, "f4"), DAY, Window())
    assert (found.valid == valid).all()
    assert not found.label.any()


# --- pieces -------------------------------------------------------------------------------------


def two_tiles() -> xr.Dataset:
    """One step of a 500 m group over two tiles side by side; the right one comes after T."""
    times = np.array(["2023-06-20"], "datetime64[ns]")
    late = np.array([[[T, T + SECOND]]], "datetime64[ns]")
    return xr.Dataset(
        {"ndvi": (("time", "y", "x"), np.ones((1, 200, 400), "f4"))},
        coords={
            "time": times,
            "y": 700_000 - 250 - 500.0 * np.arange(200),
            "x": 250 + 500.0 * np.arange(400),
            "available_time": (("time", "tile_y", "tile_x"), late),
        },
        attrs={"firesat_layout": {"level": 500, "whole_box": False}},
    )


def test_each_tile_has_its_own_clock(cells: GeoBox) -> None:
    # 20 km across the edge at x = 100 km
    piece = take(two_tiles(), cells.translate_pix(800, 0))
    known = piece.known(DAY, Window(), 64)
    values = piece.read("ndvi", np.array([0, -1]), known)
    assert (values[0, :, :20] == 1).all()
    assert np.isnan(values[0, :, 20:]).all()
    assert np.isnan(values[1]).all()
    assert piece.touched(known).tolist() == [True]
    right = take(two_tiles(), cells.translate_pix(1000, 0))
    assert right.touched(right.known(DAY, Window(), 64)).tolist() == [False]


def test_a_margin_goes_as_far_as_the_cube(cells: GeoBox) -> None:
    # the region begins 10 km from the left and 20 km from the upper edge
    piece = take(two_tiles(), cells, margin=15_000)
    assert (piece.left, piece.top) == (10_000, 15_000)
    assert piece.data.sizes["x"] == 20 + 40 + 30
    with pytest.raises(CubeError, match="hold no evi"):
        piece.read("evi", np.array([0]), piece.written())


def test_history_begins_with_a_whole_day(cells: GeoBox) -> None:
    piece = take(two_tiles(), cells)
    # the step is five days old
    assert piece.known(DAY, Window(), 5).any()
    assert not piece.known(DAY, Window(), 4).any()


# --- settings -----------------------------------------------------------------------------------


def test_inputs_survive_json() -> None:
    inputs = Inputs(looks=2, regime="hindsight", modis=("evi",), window=Window(horizon=5))
    assert Inputs.from_record(json.loads(json.dumps(inputs.record))) == inputs


def test_inputs_of_another_version_are_refused() -> None:
    with pytest.raises(CheckpointError, match="another version of firesat"):
        Inputs.from_record({**Inputs().record, "colour": "red"})


def test_impossible_inputs_are_refused() -> None:
    with pytest.raises(BandError, match="did you mean ndvi"):
        Inputs(modis=("ndwi",))
    with pytest.raises(BandError, match="unknown band 't2max'"):
        Inputs(weather=("t2max",))
    with pytest.raises(ConfigError, match="reach back 80 days"):
        Inputs(sentinel2_history=80)
    with pytest.raises(ConfigError, match="start at 1"):
        Inputs(looks=0)


TRAIN = [Period(start="2023-05-20", end="2023-06-25")]
VAL = [Period(start="2023-06-26", end="2023-07-29")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": Path("chips")}, "end in .zarr"),
        ({"chip": 85}, "multiples of 10"),
        ({"stride": 90}, "stride at most chip"),
        ({"positives": 1}, "positives start at 2, issue_step at 1"),
        ({"growth": 0.0}, "sample.growth is 0: give more than 0 and less than 1"),
        ({"growth": 1.0}, "sample.growth is 1: give"),
        ({"buffer_days": -1}, "buffer_days at 0"),
        ({"near_km": 20.0}, "near_km is 20: give more than 0 and less than 20"),
        ({"hard": {"test_hard": "test"}}, "test_hard of test: give a new name, and one of"),
        ({"splits": {"val": VAL}}, "val is first, not train"),
        ({"splits": {}}, "nothing is first"),
        ({"splits": {"train": VAL, "val": VAL}}, "forward in time"),
    ],
)
def test_impossible_draws_are_refused(change: dict[str, object], words: str) -> None:
    settings = {"path": Path("chips.zarr"), "splits": {"train": TRAIN, "val": VAL}}
    with pytest.raises(ConfigError, match=words):
        SampleSettings(**{**settings, **change})


def test_settings_are_read_from_yaml() -> None:
    text = """
    path: out/chips.zarr
    inputs: {looks: 2, regime: hindsight, modis: [ndvi], window: {horizon: 5}}
    splits:
      val: [{start: 2023-06-26, end: 2023-07-29}]
      train: [{start: 2023-05-20, end: 2023-06-25}]
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SampleSettings)
    content = yaml.load(text, yaml.BaseLoader)
    read = SampleSettings(**vars(parser.instantiate(parser.parse_object(content))))
    assert read.inputs == Inputs(
        looks=2, regime="hindsight", modis=("ndvi",), window=Window(horizon=5)
    )
    assert read.splits == {"train": TRAIN, "val": VAL}
    # 0.3, 0.2, 0.2 and 0.3 for each chip with fire
    strata = ("positive", "near_fire", "hard", "matched", "random")
    for split, numbers in {
        "train": (600, 180, 120, 120, 180),
        "val": (240, 72, 48, 48, 72),
    }.items():
        assert read.wanted(split) == dict(zip(strata, numbers, strict=True))
    assert read.order == ("train", "val")
    fewest = replace(read, positives=2)  # of two strata, each needs one
    assert [fewest.wanted(split)["positive"] for split in read.order] == [2, 2]
