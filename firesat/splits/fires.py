"""Which fires are one: those that smouldered through the winter go on under another number.

A fire is taken to have overwintered where the ground on which it may have started lies within a
kilometre of what burned the year before, and it started early in the season: the rule by which
Scholten et al. 2021 (Nature 593, 399-404, doi:10.1038/s41586-021-03437-y) find such fires, 1000 m
and 50 days from the regional snow melt. They also leave out starts that lightning or a road
explains; here those stay, because a fire that is put into a group without need costs a few chips,
and one that is missed leaks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from firesat.errors import ConfigError, WindowError
from firesat.window import parse_day

Fire = tuple[int, int]
"""Year, and number within the year."""


@dataclass(frozen=True, kw_only=True)
class Overwintering:
    """When a fire counts as the last year's, come up again.

    Parameters
    ----------
    metres : float
        From ground that burned last year, between centres of cells; 0 = never.
    until : str
        Last day of the year on which such a fire starts, such as "06-30": 50 days after a snow
        melt in early May.

    Raises
    ------
    ConfigError
        If the distance is negative, or there is no such day.
    """

    metres: float = 1000.0
    until: str = "06-30"

    def __post_init__(self) -> None:
        """Refuse what is no rule."""
        if self.metres < 0:
            raise ConfigError(f"sample.overwintering.metres is {self.metres:g}: give 0 or more")
        try:
            parse_day(f"2001-{self.until}")
        except WindowError:
            raise ConfigError(
                f"sample.overwintering.until is {self.until!r}, no day: write it as 06-30"
            ) from None

    def links(self, last: xr.Dataset, this: xr.Dataset, year: int) -> set[tuple[Fire, Fire]]:
        """Find the fires that came up again.

        Parameters
        ----------
        last, this : xr.Dataset
            Labels of the year before and of `year` over the same cells, with a margin of
            `metres`; see :mod:`firesat.labels`.
        year : int
            Of `this`.

        Returns
        -------
        set of (Fire, Fire)
            Each with the nearest fire of the year before.
        """
        old = np.nan_to_num(last["fraction"].values) > 0
        new = np.nan_to_num(this["fraction"].values) > 0
        new &= this["fire_start"].values <= _day_number(f"{year}-{self.until}")
        if not self.metres or not old.any() or not new.any():
            return set()
        ground = _first_ground(this, new)
        tree = cKDTree(_places(last, old))
        metres, which = tree.query(_places(this, ground), distance_upper_bound=self.metres + 1e-3)
        near = np.isfinite(metres)
        names = np.nan_to_num(this["fire_id"].values[ground])[near].astype(int).tolist()
        olds = np.nan_to_num(last["fire_id"].values[old])[which[near]].astype(int).tolist()
        nearest: dict[int, tuple[float, int]] = {}
        for name, found in zip(names, zip(metres[near].tolist(), olds, strict=True), strict=True):
            nearest[name] = min(found, nearest.get(name, found))
        return {((year, name), (year - 1, found)) for name, (_, found) in nearest.items()}


def _first_ground(this: xr.Dataset, new: np.ndarray) -> np.ndarray:
    """Cells of each fire that may have burned on the first day on which any of them may have."""
    names = np.nan_to_num(this["fire_id"].values[new]).astype(np.int64)
    earliest = this["earliest"].values[new]
    _, which = np.unique(names, return_inverse=True)
    first = np.full(which.max() + 1, np.inf)
    np.minimum.at(first, which, np.where(np.isnan(earliest), np.inf, earliest))
    ground = np.zeros(new.shape, dtype=bool)
    # an undated fire may have started anywhere on its ground
    ground[new] = (earliest <= first[which]) | np.isinf(first[which])
    return ground


def _places(labels: xr.Dataset, cells: np.ndarray) -> np.ndarray:
    """Centres of cells, (n, 2), metres."""
    rows, columns = np.nonzero(cells)
    return np.stack([labels["y"].values[rows], labels["x"].values[columns]], axis=1)


def _day_number(day: str) -> int:
    """Days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(np.int64))


class Groups:
    """Names of fires, the same for those that are one.

    Parameters
    ----------
    links : iterable of (Fire, Fire)
        Pairs that are one fire; order does not matter.
    """

    def __init__(self, links: Iterable[tuple[Fire, Fire]] = ()) -> None:
        self._parent: dict[Fire, Fire] = {}
        for one, other in links:
            first, second = sorted((self._root(one), self._root(other)))
            if first != second:
                self._parent[second] = first

    def _root(self, fire: Fire) -> Fire:
        """The first fire of a group."""
        while fire in self._parent:
            fire = self._parent[fire]
        return fire

    def name(self, year: int, fire: int) -> str:
        """Name a fire's group.

        Parameters
        ----------
        year : int
            In which it burned.
        fire : int
            Its number.

        Returns
        -------
        str
            Year and number of the group's first fire, such as "2023-417".
        """
        first_year, number = self._root((year, fire))
        return f"{first_year}-{number}"

    def __len__(self) -> int:
        """Count the fires that go on under another number."""
        return len(self._parent)
