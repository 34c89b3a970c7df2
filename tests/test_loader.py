"""Every chip once an epoch, at random, near each other on disk, and the same after a pause."""

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firesat.chipstore import ChipStore
from firesat.datamodule import ChipData
from firesat.dataset import SplitChips
from firesat.errors import CorruptChipError
from firesat.loader import AHEAD, POOL, Loader, Order
from tests.tiny_chips import write_tiny_chips


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chips(tmp_path_factory.mktemp("store") / "chips.zarr")


def chips_of(order: Order) -> list[int]:
    return [chip if isinstance(chip, int) else chip[0] for some in order.batches() for chip in some]


@settings(deadline=None)
@given(
    chips=st.integers(1, 500),
    shard=st.integers(1, 20),
    batch=st.integers(1, 70),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
)
def test_every_chip_comes_once_an_epoch(
    chips: int, shard: int, batch: int, seed: int, epoch: int
) -> None:
    order = Order(np.arange(chips) // shard, batch, seed)
    order.set_epoch(epoch)
    assert sorted(chips_of(order)) == list(range(chips))
    sizes = [len(some) for some in order.batches()]
    assert len(sizes) == len(order)
    assert all(size == batch for size in sizes[:-1])
    assert {key[1] for some in order.batches() for key in some} == {epoch}


@settings(deadline=None)
@given(chips=st.integers(1, 300), batch=st.integers(1, 40), ranks=st.integers(1, 5))
def test_processes_share_the_batches_and_none_has_more(chips: int, batch: int, ranks: int) -> None:
    shards = np.zeros(chips, int)
    orders = [Order(shards, batch, 1, rank, ranks) for rank in range(ranks)]
    assert len({len(order) for order in orders}) == 1
    assert set().union(*(chips_of(order) for order in orders)) == set(range(chips))
    given_ = sum(len(order) for order in orders)
    assert given_ - len(Order(shards, batch, 1)) < ranks


@pytest.mark.parametrize("threads", [0, 2])
def test_of_several_processes_one_scores_each_chip(path: Path, threads: int) -> None:
    chips = SplitChips(ChipStore(path), "train")
    alone = Loader(chips, Order(chips.shards, 3, None), threads)
    ranks = len(alone) + 1  # one has only what is another's
    shared = [
        Loader(chips, Order(chips.shards, 3, None, rank, ranks, scored=True), threads)
        for rank in range(ranks)
    ]
    assert {len(loader) for loader in shared} == {1}
    weight = sum(batch["weight"].sum() for batch in alone)
    assert weight > 0
    assert sum(batch["weight"].sum() for loader in shared for batch in loader) == weight


def test_a_small_store_is_shuffled_as_a_whole() -> None:
    # 5 chips in 5 shards: each of 25 (chip, place) pairs comes in a fifth of 5000 orders
    orders = np.array([chips_of(Order(np.arange(5), 2, seed)) for seed in range(5000)])
    counts = np.array([(orders == chip).sum(0) for chip in range(5)])
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(5000 * 0.2 * 0.8)
    together = [set(row[:2]) for row in orders.tolist()]
    assert np.mean([pair == {0, 1} for pair in together]) == pytest.approx(0.1, abs=0.021)


def test_a_large_store_is_read_a_pool_of_shards_at_a_time() -> None:
    shards = np.arange(200 * 16) // 16
    touched = shards[chips_of(Order(shards, 20, seed=0))]
    pools = -(-200 // POOL)
    assert pools == 7  # of 28 or 29 shards
    spans = [int(np.ptp(np.flatnonzero(touched == shard))) for shard in range(200)]
    assert max(spans) < 29 * 16
    # and its chips are spread over the pool: 16 of 448 places span 15/17 of them on average
    assert np.mean(spans) == pytest.approx(448 * 15 / 17, rel=0.05)
    files = [len(set(touched[i : i + 20])) for i in range(0, len(touched), 20)]
    # 20 chips miss one of 28 shards with chance (27/28)^20, a little less as none comes twice
    assert np.mean(files) == pytest.approx(28 * (1 - (27 / 28) ** 20), rel=0.05)


def test_epochs_and_seeds_differ_and_repeat() -> None:
    shards = np.arange(300) // 4

    def order(seed: int, epoch: int) -> list[int]:
        made = Order(shards, 8, seed)
        made.set_epoch(epoch)
        return chips_of(made)

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)
    assert Order(shards, 8).batches()[1] == list(range(8, 16))


def test_threads_change_nothing(path: Path) -> None:
    every = {"look_dropout": 0.3, "modality_dropout": 0.5, "spectral_jitter": 0.2}
    loaders = [
        ChipData(path, batch_size=7, workers=n, seed=3, **every).train_dataloader()
        for n in (0, 1, 3, 9)
    ]
    for epoch in (0, 5):
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        for first, *others in zip(*loaders, strict=True):
            for other in others:
                assert all(torch.equal(values, other[name]) for name, values in first.items())


def test_augmentation_differs_by_epoch_chip_and_seed(path: Path) -> None:
    def seen(seed: int, epoch: int) -> torch.Tensor:
        data = ChipData(path, seed=seed, look_dropout=0.5)
        return data.train_dataloader().chips.batch([(7, epoch)])["sentinel2"]

    assert torch.equal(seen(0, 0), seen(0, 0))
    assert any(not torch.equal(seen(0, 0), seen(0, epoch)) for epoch in range(1, 5))
    assert any(not torch.equal(seen(0, 0), seen(seed, 0)) for seed in range(1, 5))


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("given", [0, 1, 4, 6])
def test_it_goes_on_where_it_was(path: Path, threads: int, given: int) -> None:
    def loader() -> Loader:
        made = ChipData(path, batch_size=7, workers=threads).train_dataloader()
        made.sampler.set_epoch(2)
        return made

    whole = [batch["sentinel2"] for batch in loader()]
    assert len(whole) == 6
    stopped = loader()
    for _, batch in zip(range(given), stopped, strict=False):
        assert batch
    state = stopped.state_dict()
    again = loader()
    again.load_state_dict(state)
    rest = [batch["sentinel2"] for batch in again]
    assert len(rest) == 6 - given
    assert all(torch.equal(a, b) for a, b in zip(whole[given:], rest, strict=True))
    assert len(list(again)) == 6  # once only


def test_no_more_is_read_than_told_and_nothing_before_it_is_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    room = SplitChips.room

    def counted(self: SplitChips, number: int, *, pinned: bool = False) -> dict[str, torch.Tensor]:
        started.append(number)
        return room(self, number, pinned=pinned)

    monkeypatch.setattr(SplitChips, "room", counted)
    batches = iter(ChipData(path, batch_size=2, workers=1).train_dataloader())
    assert started == []
    for number in range(1, 5):
        next(batches)
        assert len(started) == number + AHEAD
    batches.close()


def test_threads_end_with_the_epoch_or_when_nobody_asks_any_more(path: Path) -> None:
    def readers() -> int:
        return sum(thread.name.startswith("chips") for thread in threading.enumerate())

    loader = ChipData(path, batch_size=4, workers=3).train_dataloader()
    list(loader)
    assert readers() == 0
    batches = iter(loader)
    next(batches)
    assert readers() == 3
    del batches
    assert readers() == 0


def test_a_damaged_chip_stops_the_epoch_and_is_named(tmp_path: Path) -> None:
    path = write_tiny_chips(tmp_path / "chips.zarr", 12, 0)
    shard = path / "static/c/0/0/0/0"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    for workers in (0, 2):
        with pytest.raises(CorruptChipError, match=r"chip 0 is damaged in .*static"):
            list(ChipData(path, batch_size=4, workers=workers).train_dataloader())


def test_memory_is_flat_over_many_epochs(path: Path) -> None:
    loader = ChipData(path, batch_size=8, workers=2, look_dropout=0.2).train_dataloader()
    process = psutil.Process()

    def epochs(numbers: range) -> int:
        for epoch in numbers:
            loader.sampler.set_epoch(epoch)
            for _ in loader:
                pass
        return process.memory_info().rss

    settled = [epochs(range(start, start + 10)) for start in (0, 10, 20)]
    files, threads = process.num_fds(), process.num_threads()
    grown = epochs(range(30, 130)) - max(settled)
    # an epoch is 40 chips of 130 kB: one batch lost an epoch would be 100 MB
    assert grown < 4e6
    assert process.num_fds() == files
    assert process.num_threads() <= threads  # other tests' may end meanwhile


def test_batches_that_are_kept_keep_their_values(path: Path) -> None:
    loader = ChipData(path, batch_size=8, workers=2).train_dataloader()
    kept = list(loader)
    copies = [{name: values.clone() for name, values in batch.items()} for batch in kept]
    list(loader)
    for batch, copy in zip(kept, copies, strict=True):
        assert all(torch.equal(values, copy[name]) for name, values in batch.items())


def test_shards_are_counted_within_the_store(path: Path) -> None:
    chips = SplitChips(ChipStore(path), "val")
    assert chips.shards.tolist() == [row // 64 for row in range(40, 48)]
    assert all(a <= b for a, b in pairwise(chips.shards.tolist()))
