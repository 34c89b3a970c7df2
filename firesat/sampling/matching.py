"""How negatives are matched to the chips with fire: by season, land cover and fire weather.

Frequency matching: negatives are taken bin by bin, in proportion to the chips with fire in the bin
(Breslow and Day 1980, Statistical methods in cancer research I, IARC Sci. Publ. 32, sec. 1.4). The
bins come from the whole frame and not from what is drawn, so that chances stay exact. Drawing
quiet voxels with known chances beside all that burned is usual in fire occurrence prediction
(Brillinger, Preisler and Benoit 2003, in Science and Statistics, IMS Lecture Notes 40, 177-196;
Taylor et al. 2013, doi:10.1214/13-STS451).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firesat.errors import ConfigError
from firesat.window import parse_day

Bin = tuple[int, int]
"""Season and land cover, or fire weather and land cover."""

UNKNOWN = -1  # class of a chip whose index is not known; matched like any other


@dataclass(frozen=True, kw_only=True)
class Matching:
    """What counts as alike.

    Parameters
    ----------
    season_days : int
        Days of a season's bin, counted from 1 January.
    fwi_days : int
        The index is the mean over so many days before T, without latency: a property of the
        place and the time that is matched, not an input.
    fwi_edges : tuple of float
        Between its classes. The default is that of the national fire weather maps, which the
        reference system reports by too.

    Raises
    ------
    ConfigError
        If there are no days, or the edges do not rise.
    """

    season_days: int = 32
    fwi_days: int = 8
    fwi_edges: tuple[float, ...] = (5.0, 10.0, 20.0, 30.0)

    def __post_init__(self) -> None:
        """Refuse what makes no bins."""
        if min(self.season_days, self.fwi_days) < 1:
            raise ConfigError("sample.match: season_days and fwi_days start at 1")
        if not self.fwi_edges or (np.diff(self.fwi_edges) <= 0).any():
            raise ConfigError(f"sample.match: fwi_edges {list(self.fwi_edges)} do not rise")

    def season(self, day: str) -> int:
        """Tell the season's bin of a day.

        Parameters
        ----------
        day : str
            ISO 8601.

        Returns
        -------
        int
            From 0; the same in every year.
        """
        return (parse_day(day).timetuple().tm_yday - 1) // self.season_days

    def fwi_class(self, fwi: ArrayLike) -> NDArray[np.int64]:
        """Tell the class of a Fire Weather Index.

        Parameters
        ----------
        fwi : array_like of float
            0 or more; NaN = not known.

        Returns
        -------
        ndarray of int64
            From 0; `UNKNOWN` where not known.
        """
        values = np.asarray(fwi, dtype=np.float64)
        classes = np.searchsorted(self.fwi_edges, values, side="right")
        return np.where(np.isnan(values), UNKNOWN, classes)


def allocate(number: int, share: Mapping[Bin, int], room: Mapping[Bin, int]) -> dict[Bin, int]:
    """Spread a number of chips over bins, in proportion, by largest remainders.

    Parameters
    ----------
    number : int
        To spread.
    share : mapping
        Bin to its chips with fire.
    room : mapping
        Bin to the chips that may be taken; what a bin has no room for is not taken elsewhere,
        where it would no longer match.

    Returns
    -------
    dict
        Bin to chips to take, 0 included, for every bin of `share`.

    Examples
    --------
    >>> allocate(4, {(0, 1): 2, (0, 2): 1}, {(0, 1): 9, (0, 2): 1})
    {(0, 1): 3, (0, 2): 1}
    """
    bins = sorted(share)
    total = sum(share.values())
    if not total:
        return dict.fromkeys(bins, 0)
    quotas = {name: number * share[name] / total for name in bins}
    taken = {name: int(quotas[name]) for name in bins}
    by_remainder = sorted(bins, key=lambda name: (taken[name] - quotas[name], name))
    for name in by_remainder[: number - sum(taken.values())]:
        taken[name] += 1
    return {name: min(taken[name], room.get(name, 0)) for name in bins}


def union(*chances: ArrayLike) -> NDArray[np.float64]:
    """Give the chance of being drawn by any of several independent draws.

    Parameters
    ----------
    *chances : array_like of float
        Of each draw, 0 to 1.

    Returns
    -------
    ndarray of float64
        ``1 - (1 - p1)(1 - p2)...``

    Examples
    --------
    >>> float(union(0.5, 0.5))
    0.75
    """
    missed = np.ones(np.broadcast_shapes(*(np.shape(p) for p in chances)))
    for chance in chances:
        missed = missed * (1.0 - np.asarray(chance, dtype=np.float64))
    return 1.0 - missed
