"""CanadaFireSat as a stream of batches, in bounded memory, each sample once an epoch.

Row groups are the unit: a process owns whole ones, for good, and reads each from end to end. For
training several are read at once and their rows mixed in a buffer, since one row group comes from
one province. The order depends on the seed, the epoch and the number of processes, on nothing else.

Apart from the data module, so that a process that only reads does not import Lightning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, islice
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from firesat.benchmark.fields import fields_of
from firesat.benchmark.nested import Row
from firesat.benchmark.pieces import Piece, open_file, read_rows
from firesat.benchmark.sample import DATE, Sample, Taker
from firesat.errors import FiresatError
from firesat.scaling import Scaler
from firesat.turns import turned

AT_A_TIME = 1  # rows decoded together: each takes 60 MB meanwhile, and several are no faster
OPEN = 4  # row groups that are read at once while shuffling

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """How training samples are mixed.

    Parameters
    ----------
    seed : int
        Of the order and the turns.
    buffer : int
        Samples of each process that wait to be drawn.
    turns : int
        Turns to choose from: 1 = none.
    epoch : int
        The first one.
    """

    seed: int
    buffer: int
    turns: int
    epoch: int = 0


class Taken(NamedTuple):
    """A sample and the number of its region."""

    sample: Sample
    region: int


def deal(pieces: Sequence[Piece], hands: int, seed: int | None) -> list[list[Piece]]:
    """Share row groups between processes so that each has about as many rows.

    Parameters
    ----------
    pieces : sequence of Piece
        Of a split.
    hands : int
        Processes.
    seed : int, optional
        Mixes provinces and files; default each keeps their order.

    Returns
    -------
    list of list of Piece
        One per process, some empty if there are fewer pieces. The same in every epoch, so that
        every epoch has as many batches.
    """
    order = range(len(pieces))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(pieces)).tolist()
    held: list[list[Piece]] = [[] for _ in range(hands)]
    rows = [0] * hands
    for number in order:
        least = rows.index(min(rows))
        held[least].append(pieces[number])
        rows[least] += pieces[number].rows
    return held


def samples_in(piece: Piece, taker: Taker, limit: int | None = None) -> Iterator[Sample]:
    """Read the samples of a row group.

    Parameters
    ----------
    piece : Piece
        Which.
    taker : Taker
        Takes from each row what is wanted.
    limit : int, optional
        At most so many; default all.

    Yields
    ------
    Sample
        In the order of the file.

    Raises
    ------
    SampleError
        If a row is not what it should be.
    CorruptFileError
        If the file is damaged.
    """
    given = 0
    with open_file(piece.file) as file:
        for row in _rows(file, piece, taker):
            if given == limit:
                return
            yield taker.take(row)
            given += 1


def _rows(file: pq.ParquetFile, piece: Piece, taker: Taker) -> Iterator[Row]:
    """The rows of a row group that count."""
    dated = [DATE] if DATE in file.schema_arrow.names else []
    number = piece.first
    for batch in read_rows(file, piece.file, piece.group, [*taker.columns, *dated], AT_A_TIME):
        for place in range(batch.num_rows):
            if piece.keep is None or batch.column("file_id")[place].as_py() == piece.keep:
                yield Row(file=piece.file, number=number + place, batch=batch, place=place)
        number += batch.num_rows


class Stream(IterableDataset[Batch | FiresatError]):
    """Batches of a split.

    Parameters
    ----------
    pieces : sequence of Piece
        Row groups of the split.
    regions : sequence of str
        Names, by number.
    taker : Taker
        Takes samples from rows.
    scaler : Scaler
        Brings them to training units.
    batch_size : int
        Samples in a batch; the last one of each process may have fewer.
    workers : int
        Processes that read; 0 = the one that asks.
    shuffle : Shuffle, optional
        Default the order of the files.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        regions: Sequence[str],
        taker: Taker,
        scaler: Scaler,
        *,
        batch_size: int,
        workers: int = 0,
        shuffle: Shuffle | None = None,
    ) -> None:
        super().__init__()
        self._held = deal(pieces, max(1, workers), shuffle.seed if shuffle else None)
        self._number = {name: number for number, name in enumerate(regions)}
        self._taker, self._scaler = taker, scaler
        self._batch_size, self._shuffle = batch_size, shuffle
        # each process has its own copy and counts for itself: it is asked once an epoch
        self._epoch = shuffle.epoch if shuffle else 0

    def __len__(self) -> int:
        """Count the batches of all processes."""
        rows = [sum(piece.rows for piece in mine) for mine in self._held]
        return sum(-(-count // self._batch_size) for count in rows)

    def __iter__(self) -> Iterator[Batch | FiresatError]:
        """Yield batches; an error comes as the last of them, to be raised where it can be read."""
        worker = get_worker_info()
        place = worker.id if worker else 0
        epoch, self._epoch = self._epoch, self._epoch + 1
        try:
            yield from self._batches(place, epoch)
        except FiresatError as error:
            yield error

    def _batches(self, place: int, epoch: int) -> Iterator[Batch]:
        """The batches of one process."""
        mine = self._held[place]
        ready: Iterator[Batch]
        if self._shuffle is None:
            taken = (one for piece in mine for one in self._taken(piece))
            ready = (self._unpack(one, 0) for one in taken)
        else:
            rng = np.random.default_rng([self._shuffle.seed, epoch, place])
            ready = self._shuffled(mine, self._shuffle, rng)
        for some in batched(ready, self._batch_size):
            yield {name: torch.stack([one[name] for one in some]) for name in some[0]}

    def _taken(self, piece: Piece) -> Iterator[Taken]:
        """Samples of a row group."""
        region = self._number[piece.region]
        return (Taken(sample, region) for sample in samples_in(piece, self._taker))

    def _shuffled(
        self, pieces: Sequence[Piece], how: Shuffle, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Samples in random order: whoever is drawn leaves a place in the buffer."""
        order = [pieces[number] for number in rng.permutation(len(pieces))]
        waiting: list[Taken] = []
        for taken in _interleaved([self._taken(piece) for piece in order], rng):
            waiting.append(taken)
            if len(waiting) > how.buffer:
                yield self._drawn(waiting, how, rng)
        while waiting:
            yield self._drawn(waiting, how, rng)

    def _drawn(self, waiting: list[Taken], how: Shuffle, rng: np.random.Generator) -> Batch:
        """Take one that waits, at random, and turn it."""
        number = int(rng.integers(len(waiting)))
        waiting[number], waiting[-1] = waiting[-1], waiting[number]
        return self._unpack(waiting.pop(), int(rng.integers(how.turns)))

    def _unpack(self, taken: Taken, turn: int) -> Batch:
        """Fields, scaled, and what scores are told apart by."""
        sample, region = taken
        chip = turned(fields_of(sample, self._taker.inputs), turn, {})
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(values))
            for name, values in self._scaler.apply(chip).items()
        }
        return {
            **tensors,
            # how likely a sample was to be drawn is not published
            "weight": torch.tensor(1.0),
            "region": torch.tensor(region),
            "positive": torch.tensor(sample.positive),
            "fwi": torch.tensor(sample.fwi, dtype=torch.float32),
        }


def _interleaved(streams: Sequence[Iterator[Taken]], rng: np.random.Generator) -> Iterator[Taken]:
    """Read a few streams at once, each turn from one of them at random."""
    later = iter(streams)
    reading = list(islice(later, OPEN))
    while reading:
        number = int(rng.integers(len(reading)))
        try:
            yield next(reading[number])
        except StopIteration:
            following = next(later, None)
            if following is None:
                del reading[number]
            else:
                reading[number] = following


class Loader(DataLoader[Batch]):
    """A loader whose workers' errors are raised as they are, not as a page of tracebacks."""

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Yield batches."""
        for batch in super().__iter__():
            if isinstance(batch, FiresatError):
                raise batch
            yield batch
