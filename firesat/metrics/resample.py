"""Every score of every forecast: once on everything, and once in each resample."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firesat.metrics import scores
from firesat.metrics.bootstrap import draws
from firesat.metrics.neighbourhood import FSS_KM, fractions_skill
from firesat.metrics.scoring import Scoring
from firesat.metrics.settings import EvaluateSettings
from firesat.metrics.tally import COARSE_BITS, FINE_BITS, TOTALS, Bins, Tally, coarsen

REFERENCE = "climatology"
"""The forecast that Brier skill is measured against."""

FINER = FINE_BITS - COARSE_BITS

Floats = NDArray[np.float64]
Table = dict[str, Floats]


class Zone(NamedTuple):
    """One zone's tallies, with their blocks in a common order.

    Parameters
    ----------
    name : str
        "all", "near" or "beyond".
    tallies : mapping of str to Tally
        By forecast.
    blocks : list of int
        Rising.
    """

    name: str
    tallies: Mapping[str, Tally]
    blocks: list[int]


class Histograms(NamedTuple):
    """What scores need, of one sample or of many resampled ones; the last axis is bins.

    Parameters
    ----------
    cells, burned, area, burned_area : ndarray of float64, shape (..., B)
        By bin.
    totals : ndarray of float64, shape (..., 8)
        As `tally.TOTALS`.
    """

    cells: Floats
    burned: Floats
    area: Floats
    burned_area: Floats
    totals: Floats


def reliability_starts(tally: Tally) -> NDArray[np.int64]:
    """Choose the reliability bins of a forecast.

    Parameters
    ----------
    tally : Tally
        Of a probability.

    Returns
    -------
    ndarray of int64
        First fine bin of each.
    """
    return scores.reliability_edges(coarsen(tally.fine[2])) << FINER


def points(zone: Zone, scoring: Scoring) -> dict[str, Table]:
    """Compute every score on everything.

    Parameters
    ----------
    zone : Zone
        Tallies.
    scoring : Scoring
        Where they come from.

    Returns
    -------
    dict of str to dict of str to ndarray
        By forecast, then by score: "ap", "lift", "capture"; of probabilities "brier", "ratio",
        "observed" (by reliability bin), and "fss", "brier_skill" where they can be.
    """
    everything = np.ones((1, len(zone.blocks)))
    found: dict[str, Table] = {}
    for name, tally in zone.tallies.items():
        starts = None if name in scoring.ranks else reliability_starts(tally)
        found[name] = _statistics(_pooled(tally), starts)
        if zone.name == "all" and name in scoring.fractions.blocks:
            found[name]["fss"] = _fss(_fss_sums(scoring, name, zone.blocks), everything)[0]
    _add_skill(found)
    return found


def resamples(zone: Zone, scoring: Scoring, settings: EvaluateSettings) -> dict[str, Table]:
    """Compute every score in each resample; all forecasts share the resamples.

    Parameters
    ----------
    zone : Zone
        Tallies.
    scoring : Scoring
        Where they come from.
    settings : EvaluateSettings
        Number of resamples and seed.

    Returns
    -------
    dict of str to dict of str to ndarray
        As :func:`points`, with a leading axis of resamples.
    """
    found = {name: _resampled(zone, name, scoring, settings) for name in zone.tallies}
    for name, table in found.items():
        _unbias(table, zone.tallies[name], zone.blocks)
    _add_skill(found)
    return found


def _unbias(table: Table, tally: Tally, blocks: Sequence[int]) -> None:
    """Take out what coarse bins do to scores of rank: forecasts that hardly vary lose much."""
    fine = _statistics(_pooled(tally), None)
    coarse = _statistics(_Held.of(tally, blocks).weighted(np.ones((1, len(blocks)))), None)
    for key in ("ap", "lift"):
        table[key] = table[key] * scores.ratio(fine[key], coarse[key][0])
    table["capture"] = np.clip(table["capture"] + fine["capture"] - coarse["capture"][0], 0.0, 1.0)


def _pooled(tally: Tally) -> Histograms:
    """Everything, in fine bins."""
    cells, burned, _, area, burned_area = tally.fine
    totals = np.array([tally.totals[key] for key in TOTALS])
    return Histograms(cells, burned, area, burned_area, totals)


def _resampled(zone: Zone, name: str, scoring: Scoring, settings: EvaluateSettings) -> Table:
    """One forecast's scores in each resample: the seed gives all forecasts the same draws."""
    tally = zone.tallies[name]
    held = _Held.of(tally, zone.blocks)
    starts = None
    if name not in scoring.ranks:
        starts = np.searchsorted(held.levels, reliability_starts(tally) >> FINER)
    scaled = zone.name == "all" and name in scoring.fractions.blocks
    fss = _fss_sums(scoring, name, zone.blocks) if scaled else None
    parts = []
    for weights in draws(zone.blocks, settings.resamples, np.random.default_rng(settings.seed)):
        table = _statistics(held.weighted(weights), starts)
        if fss is not None:
            table["fss"] = _fss(fss, weights)
        parts.append(table)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


class _Held(NamedTuple):
    """Blocks of a forecast as matrices, without the bins that nobody uses."""

    levels: NDArray[np.int64]
    counts: Floats  # shape (B, 2 L): cells, then burned ones
    totals: Floats

    @classmethod
    def of(cls, tally: Tally, blocks: Sequence[int]) -> "_Held":
        """Collect the blocks in order; one without cells is empty."""
        empty = Bins.empty("int32")
        bins = [tally.blocks.get(block, empty) for block in blocks]
        cells = np.stack([part.all for part in bins])
        levels = np.flatnonzero(cells.any(axis=0))
        burned = np.stack([part.burned for part in bins])
        counts = np.concatenate([cells[:, levels], burned[:, levels]], axis=1)
        totals = np.stack([part.totals for part in bins])
        return cls(levels, counts.astype(np.float64), totals)

    def weighted(self, weights: Floats) -> Histograms:
        """Sum the blocks by their weights; cells of a block share its mean area."""
        mean = np.nan_to_num(scores.ratio(self.totals[:, 5], self.totals[:, 0]))
        cells, burned = np.split(weights @ self.counts, 2, axis=1)
        area, burned_area = np.split((weights * mean) @ self.counts, 2, axis=1)
        return Histograms(cells, burned, area, burned_area, weights @ self.totals)


def _statistics(h: Histograms, starts: NDArray[np.int64] | None) -> Table:
    """Scores of histograms; `starts` are the reliability bins of a probability."""
    observed = scores.ratio(h.totals[..., 1], h.totals[..., 0])
    ap = scores.average_precision(h.cells, h.burned)
    found = {
        "ap": ap,
        "lift": scores.ratio(ap, observed),
        "capture": scores.capture(h.area, h.burned_area),
    }
    if starts is not None:
        cells, burned = (np.add.reduceat(row, starts, axis=-1) for row in (h.cells, h.burned))
        found["brier"] = scores.brier(h.totals)
        found["ratio"] = scores.ratio(h.totals[..., 2], h.totals[..., 1])
        found["observed"] = scores.ratio(burned, cells)
    return found


def _fss_sums(scoring: Scoring, name: str, blocks: Sequence[int]) -> Floats:
    """Errors of neighbourhood means, shape (B, S, 2)."""
    nothing = np.zeros((len(FSS_KM), 2))
    held = scoring.fractions.blocks[name]
    return np.stack([held.get(block, nothing) for block in blocks])


def _fss(sums: Floats, weights: Floats) -> Floats:
    """Fractions skill scores, shape (R, S)."""
    return fractions_skill(np.tensordot(weights, sums, axes=1))


def _add_skill(tables: Mapping[str, Table]) -> None:
    """Brier skill against climatology, resample by resample."""
    if REFERENCE not in tables:
        return
    for table in tables.values():
        if "brier" in table:
            table["brier_skill"] = scores.skill(table["brier"], tables[REFERENCE]["brier"])
