"""Rain of days, from the two ways in which reanalyses accumulate it.

ERA5-Land accumulates from 00 UTC, ERA5 over the single hour that ends at the stamp: what is read as
the other is wrong by a factor of about twelve (confluence.ecmwf.int, "Conversion table for
accumulated variables (total precipitation/fluxes)").
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xarray as xr

from firesat.sources._hours import HourTable, Moments, later
from firesat.sources._weather import Field

_DAY = np.timedelta64(1, "D")
_HOUR = np.timedelta64(1, "h")


class Rain(Protocol):
    """Takes fields of rain as they come, and gives the rain of days."""

    def take(self, moment: np.datetime64, field: Field) -> None:
        """Take a field; of a moment that comes twice the first counts, unless it is all NaN.

        Parameters
        ----------
        moment : np.datetime64
            Its stamp, UTC, in hours.
        field : ndarray of float32, shape (Y, X)
            mm; NaN where missing.
        """
        ...

    def of_days(self) -> dict[str, Field]:
        """Give the rain of the days.

        Returns
        -------
        dict of ndarray of float32, shape (T, Y, X)
            mm, 0 or more: ``tp`` of the fire days, ``tp_noon`` of the 24 h to noon of their dates;
            NaN where a field that it takes is missing.
        """
        ...


class SinceMidnight:
    """Rain that is accumulated from 00 UTC: only three stamps of a day are needed.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Fire days.
    shape : sequence of int
        Rows and columns.
    start, noon : int
        Hours UTC at which days begin, and of local standard noon.
    """

    def __init__(self, days: Moments, shape: Sequence[int], start: int, noon: int) -> None:
        self._days, self._start, self._noon = days, start, noon
        dates = np.unique(np.concatenate([days - _DAY, days, days + _DAY]))
        stamps = [later(dates, hour) for hour in sorted({0, start, noon})]
        self._stamps = np.concatenate(stamps)
        self._slots = {moment.item(): slot for slot, moment in enumerate(self._stamps)}
        self._fields = np.full((len(self._stamps), *shape), np.nan, dtype="float32")

    def take(self, moment: np.datetime64, field: Field) -> None:
        """Take a field; of a moment that comes twice the first counts, unless it is all NaN.

        Parameters
        ----------
        moment : np.datetime64
            Its stamp, UTC, in hours.
        field : ndarray of float32, shape (Y, X)
            mm since 00 UTC; NaN where missing.
        """
        slot = self._slots.get(moment.item())
        if slot is not None and np.isnan(self._fields[slot]).all():
            self._fields[slot] = field

    def of_days(self) -> dict[str, Field]:
        """Give the rain of the days.

        Returns
        -------
        dict of ndarray of float32, shape (T, Y, X)
            mm, 0 or more: ``tp`` and ``tp_noon``.
        """
        kept = xr.Dataset({"tp": (("time", "y", "x"), self._fields)}, coords={"time": self._stamps})
        table = HourTable.join([kept], self._fields.shape[1:])
        return {
            "tp": table.rain(later(self._days, 24), self._start),
            "tp_noon": table.rain(self._days, self._noon),
        }


class OfTheHour:
    """Rain of the single hour that ends at the stamp: all 24 of a day are needed, and added up.

    Parameters
    ----------
    days : ndarray of datetime64[D]
        Fire days.
    shape : sequence of int
        Rows and columns.
    start, noon : int
        Hours UTC at which days begin, and of local standard noon.
    """

    def __init__(self, days: Moments, shape: Sequence[int], start: int, noon: int) -> None:
        self._rank = {day: number for number, day in enumerate(days.tolist())}
        # Of the hour that ends at a stamp: the fire day it lies in, and the date of the noon ahead.
        self._spans = {"tp": (start + 1) * _HOUR, "tp_noon": (noon + 1) * _HOUR - _DAY}
        self._seen: set[object] = set()
        self._counts = {name: np.zeros(len(days), dtype=int) for name in self._spans}
        self._sums = {name: np.zeros((len(days), *shape), dtype="float32") for name in self._spans}

    def take(self, moment: np.datetime64, field: Field) -> None:
        """Take a field; of a moment that comes twice the first counts, unless it is all NaN.

        Parameters
        ----------
        moment : np.datetime64
            Its stamp, UTC, in hours.
        field : ndarray of float32, shape (Y, X)
            mm of the hour before; NaN where missing.
        """
        if moment.item() in self._seen or np.isnan(field).all():
            return
        self._seen.add(moment.item())
        for name, offset in self._spans.items():
            number = self._rank.get((moment - offset).astype("datetime64[D]").item())
            if number is not None:
                self._sums[name][number] += field
                self._counts[name][number] += 1

    def of_days(self) -> dict[str, Field]:
        """Give the rain of the days.

        Returns
        -------
        dict of ndarray of float32, shape (T, Y, X)
            mm, 0 or more: ``tp`` and ``tp_noon``.
        """
        for name, sums in self._sums.items():
            np.maximum(sums, 0, out=sums)  # packing can make them slightly negative
            sums[self._counts[name] < 24] = np.nan
        return dict(self._sums)
