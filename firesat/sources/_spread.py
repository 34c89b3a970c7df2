"""How far the members of an ensemble lie apart, each member's own day for itself.

The deviation of a daily mean is not the mean of hourly deviations: an hour's members are added to
what their day needs of them and let go, and the deviation is taken of the days.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.errors import SourceError
from firesat.sources._weather import Field

SPREADS = ("t2m", "ws", "tp")
"""Quantities whose spread is kept."""


def members_of(name: str) -> str:
    """Name the values of all members of a quantity.

    Parameters
    ----------
    name : str
        Such as "t2m".

    Returns
    -------
    str
        Of a variable ``(time, number, y, x)``.
    """
    return f"{name}_members"


class Spread:
    """Standard deviation over members (n - 1 in the denominator) of fire days.

    Parameters
    ----------
    days : sequence of tuple of int
        Leads inside each fire day, its start included and its end not.
    ends : sequence of int
        Leads of their ends.
    shape : sequence of int
        Rows and columns.
    """

    def __init__(
        self, days: Sequence[tuple[int, ...]], ends: Sequence[int], shape: Sequence[int]
    ) -> None:
        self._days, self._ends = days, ends
        self._sums: dict[tuple[str, int], NDArray[np.float64]] = {}
        self._counts: Counter[tuple[str, int]] = Counter()
        self._rain: dict[int, Field] = {}
        self._open = set(range(len(days)))  # days whose rain is not known yet
        self._members = 0
        self._seen: set[int] = set()
        self.arrays: dict[str, Field] = {
            f"{name}_spread": np.full((len(days), *shape), np.nan, "float32") for name in SPREADS
        }

    def take(self, lead: int, dataset: xr.Dataset) -> xr.Dataset:
        """Take the members of a lead, once, in any order; least memory in order of time.

        Parameters
        ----------
        lead : int
            Hours.
        dataset : xr.Dataset
            One time step; without members nothing is taken.

        Returns
        -------
        xr.Dataset
            The same without its members.

        Raises
        ------
        SourceError
            If it has another number of members than the leads before.
        """
        found = {n: dataset[members_of(n)].values[0] for n in SPREADS if members_of(n) in dataset}
        rest = dataset.drop_vars([members_of(name) for name in found])
        if lead in self._seen:
            return rest
        self._seen.add(lead)
        self._check({len(values) for values in found.values()}, lead)
        inside = [day for day, within in enumerate(self._days) if lead in within]
        for name in {"t2m", "ws"} & set(found):
            for day in inside:
                self._add((name, day), found[name])
        if "tp" in found:
            self._fall(lead, found["tp"])
        return rest

    def _fall(self, lead: int, rain: Field) -> None:
        """Keep a sum of rain that a day begins or ends with."""
        needed = [day for day, end in enumerate(self._ends) if lead in (end, end - 24)]
        if needed:
            self._rain[lead] = rain
        for day in needed:
            self._rain_of(day)

    def _check(self, counts: set[int], lead: int) -> None:
        """Refuse leads of other ensembles."""
        if counts:
            self._members = self._members or min(counts)
            if counts != {self._members}:
                raise SourceError(
                    f"lead {lead} h has {sorted(counts)} members, those before {self._members}: "
                    "the run is damaged, delete its files and run the command again"
                )

    def _add(self, key: tuple[str, int], values: Field) -> None:
        """Add an hour to its day, and finish the day with the last of its hours."""
        known = self._sums.get(key)
        self._sums[key] = values.astype("float64") if known is None else known + values
        self._counts[key] += 1
        name, day = key
        if self._counts[key] == len(self._days[day]):
            mean = self._sums.pop(key) / self._counts[key]
            self.arrays[f"{name}_spread"][day] = mean.std(axis=0, ddof=1)

    def _rain_of(self, day: int) -> None:
        """Finish a day's rain if both sums are there; no rain has fallen when the run starts."""
        end = self._ends[day]
        last, first = self._rain.get(end), self._rain.get(end - 24)
        if last is None or (first is None and end > 24):
            return
        fallen = np.maximum(last if first is None else last - first, 0)
        self.arrays["tp_spread"][day] = fallen.std(axis=0, ddof=1, dtype="float64")
        self._open.discard(day)
        needed = {lead for day in self._open for lead in (self._ends[day] - 24, self._ends[day])}
        self._rain = {lead: rain for lead, rain in self._rain.items() if lead in needed}
