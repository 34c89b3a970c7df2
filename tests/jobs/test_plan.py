"""What is missing: counted without being made, and the same as what would be fetched."""

import time
from pathlib import Path

import numpy as np

from firesat.blocks import count, cut, keys
from firesat.grid import Grid
from firesat.jobs.ingest import plan
from firesat.jobs.ingest.plan import MissingBlocks
from firesat.project import load
from firesat.sources.granules import Sentinel2Granules

CANADA = Path(__file__).parents[2] / "configs/canada.yaml"
GRID = Grid(region=(0, 600_000, 200_000, 700_000))
DAYS = np.arange(np.datetime64("2023-07-01"), np.datetime64("2023-07-04"))
LAYOUT = Sentinel2Granules().layout


def missing(*finished: str) -> MissingBlocks:
    return MissingBlocks(layout=LAYOUT, grid=GRID, times=DAYS, finished=frozenset(finished))


def test_blocks_are_counted_and_named_as_they_are_cut() -> None:
    blocks = list(cut(LAYOUT, GRID, DAYS))
    assert len(blocks) == count(LAYOUT, GRID, DAYS) == 6
    assert [block.key for block in blocks] == list(keys(LAYOUT, GRID, DAYS))


def test_what_is_missing_has_the_length_of_what_it_yields() -> None:
    done = [block.key for block in missing()][::2]
    left = missing(*done, "sentinel2/0099/0/0")  # a key of some other period counts for nothing
    assert len(left) == len(list(left)) == 3
    assert not {block.key for block in left} & set(done)
    assert len(missing()) == 6
    assert not missing(*(block.key for block in missing()))


def test_the_whole_country_is_planned_in_seconds() -> None:
    project = load(CANADA)
    start = time.process_time()
    groups = {each.source.layout.group: each for each in plan(project)}
    spent = time.process_time() - start
    assert spent < 5, spent
    days = 9 * 184  # May to October of nine years
    assert groups["sentinel2"].total == len(groups["sentinel2"].missing) == 1256 * days
    assert groups["sentinel2"].source.provider == "cdse"
    assert groups["era5_land"].total < 100


def test_a_country_s_worth_of_finished_blocks_is_counted_in_seconds() -> None:
    grid, days = Grid(), np.arange(np.datetime64("2020-05-01"), np.datetime64("2020-11-01"))
    everything = frozenset(keys(LAYOUT, grid, days))
    assert len(everything) == 1256 * 184
    start = time.process_time()
    left = MissingBlocks(layout=LAYOUT, grid=grid, times=days, finished=everything)
    assert len(left) == 0
    assert time.process_time() - start < 3
