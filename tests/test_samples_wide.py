"""Weather around a chip: from the cube, through the store, turned with its chip."""

from pathlib import Path

import numpy as np
import pytest
import torch
from odc.geo.geobox import GeoBox

from firesat.augmentation import Change, changed
from firesat.cube import grid_of
from firesat.datamodule import ChipData
from firesat.errors import ConfigError
from firesat.grid import chip_origins
from firesat.samples import Inputs, Reader
from firesat.samples.wide import Wide
from firesat.scaling import Batch, Moments
from firesat.turns import TURNS, turned
from firesat_models.wide import WideWeather
from tests import weather_cube
from tests.tiny_chips import write_tiny_chips

DAY, STEP = "2023-06-25", 55  # of the cube's days
INPUTS = Inputs(around=1)


@pytest.fixture(scope="module")
def reader(tiny_cube: Path) -> Reader:
    return Reader(tiny_cube, INPUTS)


@pytest.fixture(scope="module")
def cells(tiny_cube: Path) -> GeoBox:
    return grid_of(tiny_cube).region_geobox(100)


def test_a_chip_has_the_weather_cells_that_hold_it_and_those_around(
    reader: Reader, cells: GeoBox
) -> None:
    """The cube has 2 x 2 weather cells; around them nothing is known."""
    chip = reader.chip(reader.day(DAY, cells), 40, 110, 40)
    assert chip["around"].shape == (16, 10, 4, 4)
    # rows -1 to 2 and columns 0 to 3: the chip may begin anywhere in its first weather cell
    row, col = np.mgrid[-1:3, 0:4]
    tp = 1 + 7 + 0.01 * (STEP - 1) + 0.1 * col - 0.2 * row
    inside = (row >= 0) & (row < 2) & (col < 2)
    np.testing.assert_allclose(chip["around"][-1, 3], np.where(inside, tp, np.nan), rtol=1e-6)
    np.testing.assert_array_equal(chip["around_mask"][-1, 3], inside)
    # middle of the chip at 60, 130; of the patch, which begins at -100, 0, at 100, 200
    np.testing.assert_array_equal(chip["off_centre"], [60 - 100, 130 - 200])


@pytest.mark.parametrize(
    "window", [(slice(40, 80), slice(110, 150)), (slice(20, 200), slice(90, 200))]
)
def test_another_window_gives_a_chip_the_same_weather(
    reader: Reader, cells: GeoBox, window: tuple[slice, slice]
) -> None:
    whole = reader.chip(reader.day(DAY, cells), 40, 110, 40)
    rows, cols = window
    part = reader.day(DAY, cells, part=window)
    alone = Reader(reader.cube_path, INPUTS).day(DAY, cells[window])
    for fields in (part, alone):
        again = reader.chip(fields, 40 - rows.start, 110 - cols.start, 40)
        for name in ("around", "around_mask", "off_centre", "weather"):
            np.testing.assert_array_equal(again[name], whole[name], err_msg=name)


def test_in_operation_it_is_what_was_known_at_t(tmp_path: Path) -> None:
    model = weather_cube.Model(value=weather_cube.biased)
    cube = weather_cube.write(tmp_path / "cube.zarr", model)
    inputs = Inputs(
        regime="operational", forecasts=("nwp_gdps",), weather=("t2m_noon", "tp"), around=1
    )
    cells = grid_of(cube).region_geobox(100)
    atmosphere = Reader(cube, inputs).region(cells).atmosphere
    wide = atmosphere.around(weather_cube.T).values
    layers = np.stack(list(atmosphere.outlook.layers(weather_cube.T)), axis=1)
    # all cells alike, none of them known outside the region
    np.testing.assert_array_equal(wide[..., 1, 1], np.nanmax(layers, axis=(-2, -1)))
    assert np.isfinite(wide[..., 1:3, 1:3]).all()
    assert np.isnan(wide[..., 0]).all()
    assert np.isnan(wide[..., 3:]).all()


def test_a_map_is_the_same_from_chips_of_any_size_and_windows_of_any_height(
    reader: Reader, cells: GeoBox
) -> None:
    torch.manual_seed(0)
    encoder = WideWeather(INPUTS.channels(80), 16).eval()
    moments = Moments(INPUTS.names)
    moments.add(reader.chip(reader.day(DAY, cells), 0, 0, 200))
    scaler = moments.scaler()

    def drawn(size: int, height: int) -> np.ndarray:
        """The map, made of windows of so many rows, each read by itself, and of chips."""
        out = np.full((16, 20, 20), np.nan, dtype="f4")
        for top in range(0, 200 - height + 1, height // 2):
            fields = Reader(reader.cube_path, INPUTS).day(DAY, cells[top : top + height])
            for row, col in chip_origins(height, 200, size, size):
                chip = scaler.apply(reader.chip(fields, row, col, size))
                batch = {name: torch.from_numpy(value)[None] for name, value in chip.items()}
                place = slice((top + row) // 10, (top + row + size) // 10)
                with torch.inference_mode():
                    out[:, place, col // 10 : (col + size) // 10] = encoder(batch)[0].numpy()
        return out

    whole = drawn(200, 200)
    assert whole.std(axis=(1, 2)).max() > 0.01
    for size, height in ((80, 200), (40, 80), (100, 100), (20, 40)):
        np.testing.assert_allclose(drawn(size, height), whole, rtol=1e-4, atol=1e-5)


def own(chip: Batch) -> np.ndarray:
    """The weather cell that each cell of a chip lies in."""
    side, size = chip["around"].shape[-1], chip["fire"].shape[-1]
    rows, cols = (
        ((place + 50 * side + np.arange(size) + 0.5 - size / 2) // 100).astype(int)
        for place in chip["off_centre"]
    )
    out: np.ndarray = chip["around"][0, 0][np.ix_(rows, cols)]
    return out


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_turned_chip_lies_in_its_turned_weather(turn: int) -> None:
    values = np.arange(64, dtype="f4").reshape(1, 1, 8, 8)
    chip = Wide(values=values, before=(130, 180)).patch((50, 20), 80, 1)
    chip["fire"] = own({**chip, "fire": np.zeros((1, 80, 80))})[None]
    assert len(np.unique(chip["fire"])) > 1
    out = turned(chip, turn, {})
    np.testing.assert_array_equal(own(out), out["fire"][0])


def test_chips_are_learned_from_with_it_and_lose_it_with_their_weather(tmp_path: Path) -> None:
    path = write_tiny_chips(tmp_path / "chips.zarr", train=4, val=4, inputs=INPUTS)
    data = ChipData(path, batch_size=4, workers=0, augment=False)
    assert data.channels.around == 1
    batch = next(iter(data.val_dataloader()))
    assert torch.equal(batch["around_mask"] > 0, ~torch.from_numpy(np.isnan(_stored(data))))
    known = batch["around"][batch["around_mask"] > 0]
    assert abs(float(known.mean())) < 0.5  # scaled
    assert not batch["around"][batch["around_mask"] == 0].any()
    gone = changed("around", np.ones((1, 1, 2, 2), "f4"), Change(lost=("weather",)))
    assert np.isnan(gone).all()


def _stored(data: ChipData) -> np.ndarray:
    """Weather around the validation chips as stored."""
    return np.stack([data.store[row]["around"] for row in range(4, 8)])


def test_records_without_a_margin_are_as_before() -> None:
    assert "around" not in Inputs().record
    assert Inputs.from_record(INPUTS.record) == INPUTS
    assert Inputs().channels(80).around == 0
    with pytest.raises(ConfigError, match=r"inputs\.around is 9: give 0 to 5"):
        Inputs(around=9)
