"""How a region is cut into chips and pieces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firesat.errors import ConfigError, GridError
from firesat.jobs.predict.machine import chip_side, chip_step, machine_of
from firesat.jobs.predict.pieces import Load, pieces
from firesat.products.settings import PredictSettings
from firesat_models.temporal_cnn import TemporalCNN
from tests.jobs.predict_tools import INPUTS

pytest_plugins = ["tests.jobs.predict_fixtures"]


def test_batches_are_no_larger_than_pieces_and_evenly_filled() -> None:
    small = Load.of([4], 16, days=100)  # a region of four chips
    assert (small.size, small.batches, small.chips, small.wanted) == (4, 100, 400, 1.0)
    large = Load.of([49, 49, 7], 16, days=2)  # 13 + 13 + 13 + 10, twice, and 7
    assert (large.size, large.batches, large.chips) == (13, 18, 210)
    assert large.wanted == pytest.approx(210 / (18 * 13))


@pytest.mark.parametrize(
    ("halo", "reach", "region", "side"),
    [
        (40, 40, (600, 600), 360),  # four chips; sixteen of 240 cells have twice as many
        (16, 16, (600, 600), 320),
        (40, 40, (48_000, 55_000), 400),
        (40, 40, (600, 400), 400),  # two chips
        (40, 40, (200, 300), 200),  # as large as the region has room for
        (16, 40, (600, 400), 80),  # reaches farther than its halo
        (16, None, (600, 400), 80),
    ],
)
def test_chips_are_as_large_as_changes_nothing(
    halo: int, reach: int | None, region: tuple[int, int], side: int
) -> None:
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    network.halo, network.reach = halo, reach
    assert chip_side(None, network, region) == side
    assert chip_side(120, network, region) == 120
    del network.reach  # networks of others need not say
    assert chip_side(None, network, region) == 80
    network.stride = 14  # patches of DINOv2: 80 is no multiple
    assert chip_side(None, network, region) == 70


@pytest.mark.usefixtures("smooth")
def test_a_batch_of_large_chips_has_few(cube: Path, settings: PredictSettings) -> None:
    chips = [40, 80, 200]  # 160 000 cells are as much as is quick on a processor
    machines = [machine_of(replace(settings, chip=chip), cube, ["2023-05-17"]) for chip in chips]
    assert [each.at_once for each in machines] == [100, 25, 4]


def test_chips_that_are_all_halo_are_refused_with_what_to_do() -> None:
    assert chip_step(None, 240, 40) == 160
    for wanted in (None, 10):
        with pytest.raises(ConfigError, match=r"nothing is left .*a smaller predict\.halo"):
            chip_step(wanted, 80, 40)


@pytest.mark.parametrize("span", [40, 100, 1000])
def test_pieces_share_out_every_chip_and_every_cell_once(span: int) -> None:
    shape, chip, stride = (330, 250), 80, 50
    described = np.zeros(shape, dtype=int)
    places = []
    for piece in pieces(shape, chip, stride, margin=10, span=span):
        described[piece.own_rows, piece.own_columns] += 1
        places += piece.chips
        height = piece.rows.stop - piece.rows.start
        assert height < span + chip + stride + 20
        assert piece.rows.start % 10 == piece.columns.start % 10 == 0
        for row, column in piece.chips:
            assert piece.rows.start <= row <= piece.rows.stop - chip
            assert piece.columns.start <= column <= piece.columns.stop - chip
        own = np.zeros((height, piece.columns.stop - piece.columns.start))[piece.own]
        assert own.shape == described[piece.own_rows, piece.own_columns].shape
    assert (described == 1).all()
    assert len(places) == len(set(places)) == 6 * 5


def test_a_region_smaller_than_a_chip_is_refused() -> None:
    with pytest.raises(GridError, match="do not cover"):
        list(pieces((60, 200), 80, 40, margin=10))
