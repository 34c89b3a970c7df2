"""Hours that come one after the other, turned into days as they come.

A month of hours of a country is gigabytes, its days a tenth of that: an hour is added to what its
day needs of it and let go.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.sources._era5_names import AT_NOON, MEANS
from firesat.sources._hours import Moments, later
from firesat.sources._netcdf import PRELIMINARY as EARLY
from firesat.sources._rain import OfTheHour, Rain, SinceMidnight
from firesat.sources._weather import Field

_HOUR = np.timedelta64(1, "h")


class _Open:
    """A day of which hours are still to come."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.sums: dict[str, NDArray[np.float64]] = {}
        self.counts: Counter[str] = Counter()
        self.high: Field | None = None
        self.low: Field | None = None
        self.versions: set[int] = set()

    def add(self, hour: int, fields: dict[str, Field], version: int) -> None:
        """Take an hour in."""
        self.seen.add(hour)
        self.versions.add(version)
        for name in set(MEANS) & set(fields):
            values = fields[name]
            known = self.sums.get(name)
            self.counts[name] += 1
            self.sums[name] = values.astype("float64") if known is None else known + values
        warm = fields.get("t2m")
        if warm is not None:
            self.high = warm.copy() if self.high is None else np.maximum(self.high, warm)
            self.low = warm.copy() if self.low is None else np.minimum(self.low, warm)


class DayTable:
    """Daily values of fire days, from hours in any order; smallest in order of time.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Fire days.
    shape : sequence of int
        Rows and columns.
    hours : sequence of int
        Hours UTC that each day must have.
    start : int
        Hour UTC at which days begin.
    noon : int
        Hour UTC of local standard noon.
    final : bool
        Leave out hours that say they are preliminary.
    hourly_rain : bool
        Whether ``tp`` is of the hour that ends at its stamp, and not since 00 UTC.
    """

    def __init__(
        self,
        days: Moments,
        shape: Sequence[int],
        hours: Sequence[int],
        start: int,
        noon: int,
        *,
        final: bool = False,
        hourly_rain: bool = False,
    ) -> None:
        self._final = final
        self._rain = OfTheHour if hourly_rain else SinceMidnight
        self._days = days.astype("datetime64[D]")
        self._shape = (len(days), shape[0], shape[1])
        self._wanted = {(hour - start) % 24 for hour in hours}
        self._start, self._noon = start, noon
        self._rank = {day: number for number, day in enumerate(self._days.tolist())}
        self._open: dict[int, _Open] = {}
        self._done: set[int] = set()
        self.arrays: dict[str, Field] = {}

    def take(self, scenes: Iterable[xr.Dataset]) -> dict[str, Field]:
        """Go through hours.

        Parameters
        ----------
        scenes : iterable of xr.Dataset
            Dims ``(time, y, x)``; of an hour that comes twice the first counts. The attribute
            ``versions``, if there, holds the ``expver`` of each hour, 0 where it is not told.

        Returns
        -------
        dict of ndarray of float32, shape (T, Y, X)
            Means, extremes, values at noon and rain by name; NaN where an hour is missing.
            ``preliminary`` is 1 on days of which any hour is so, 0 where none is, NaN if not told.
        """
        names = [*MEANS, "t2m_max", "t2m_min", *(f"{name}_noon" for name in AT_NOON)]
        names.append("preliminary")
        self.arrays = {name: np.full(self._shape, np.nan, dtype="float32") for name in names}
        # All that is kept is asked for at once: between what comes and goes it would pin the heap.
        rain: Rain = self._rain(self._days, self._shape[1:], self._start, self._noon)
        for scene in scenes:
            moments = scene["time"].values.astype("datetime64[h]")
            versions = scene.attrs.get("versions") or (0,) * len(moments)
            for step, (moment, version) in enumerate(zip(moments, versions, strict=True)):
                if self._final and version == EARLY:
                    continue
                fields = {str(n): v.values[step] for n, v in scene.data_vars.items()}
                self._add(moment, fields, version)
                if "tp" in fields:
                    rain.take(moment, fields["tp"])
        return self.arrays | rain.of_days()

    def _add(self, moment: np.datetime64, fields: dict[str, Field], version: int) -> None:
        """Take one hour in."""
        if moment.item().hour == self._noon:
            self._at_noon(moment, fields)
        day = (moment - self._start * _HOUR).astype("datetime64[D]")
        number = self._rank.get(day.item())
        if number is None:
            return
        hour = int((moment - later(day, self._start)) / _HOUR)
        opened = self._open.setdefault(number, _Open())
        if number not in self._done and hour in self._wanted - opened.seen:
            opened.add(hour, fields, version)
            if opened.seen == self._wanted:
                self._close(number)

    def _at_noon(self, moment: np.datetime64, fields: dict[str, Field]) -> None:
        """Keep the values at noon of a date."""
        number = self._rank.get(moment.astype("datetime64[D]").item())
        for name in set(AT_NOON) & set(fields) if number is not None else ():
            self.arrays[f"{name}_noon"][number] = fields[name]

    def _close(self, number: int) -> None:
        """Make a day's values, now that it is whole."""
        opened = self._open.pop(number)
        self._done.add(number)
        if 0 not in opened.versions:
            self.arrays["preliminary"][number] = float(EARLY in opened.versions)
        whole = [name for name, count in opened.counts.items() if count == len(self._wanted)]
        for name in whole:
            self.arrays[name][number] = opened.sums[name] / len(self._wanted)
        if "t2m" in whole and opened.high is not None and opened.low is not None:
            self.arrays["t2m_max"][number], self.arrays["t2m_min"][number] = opened.high, opened.low
