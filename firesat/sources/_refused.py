"""Rows of a table that cannot be used: which, why, and in how few words that can be said."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

_NAMED = 5  # rows that are named for each reason where there is one line for all of them


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The rows of one file that were left out.

    Parameters
    ----------
    file : str
        Its name, without folder.
    total : int
        Rows in the file.
    rows : tuple of (int, str)
        Number of each row that was left out, counted from 1 without the header, and the reason.
    """

    file: str
    total: int
    rows: tuple[tuple[int, str], ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Rows that were left out, by reason.

        Returns
        -------
        dict of str to int
            The most frequent reason first.
        """
        return dict(Counter(reason for _, reason in self.rows).most_common())

    def __str__(self) -> str:
        if not self.rows:
            return ""
        parts = [f"{reason} {count} ({self._which(reason)})" for reason, count in self._ordered()]
        return f"{self.file}: {len(self.rows)} of {self.total} rows left out: {'; '.join(parts)}"

    def _ordered(self) -> Iterable[tuple[str, int]]:
        """Reasons and counts."""
        return self.counts.items()

    def _which(self, reason: str) -> str:
        """The first rows of a reason."""
        rows = [number for number, why in self.rows if why == reason]
        shown = ", ".join(map(str, rows[:_NAMED]))
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        return f"row{'s' * (len(rows) > 1)} {shown}{more}"


def first_reasons(
    checks: Mapping[str, "pd.Series[bool] | NDArray[np.bool_]"],
    file: str,
    total: int,
    numbers: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.bool_], Refused]:
    """Give each row that fails a check the first check that it fails.

    Parameters
    ----------
    checks : mapping of str to array of bool, shape (n,)
        Reason to the rows that fail, in order.
    file : str
        Name of the file.
    total : int
        Rows in the file.
    numbers : ndarray of int, shape (n,), optional
        Which rows these are; None = all, 1, 2, ...

    Returns
    -------
    sound : ndarray of bool, shape (n,)
        Rows that fail none.
    refused : Refused
        The others.
    """
    rows = np.arange(1, total + 1) if numbers is None else numbers
    reason = np.full(len(rows), "", dtype=object)
    for why, wrong in checks.items():
        reason[np.asarray(wrong, dtype=bool) & (reason == "")] = why
    bad = reason != ""
    found = tuple((int(rows[place]), str(reason[place])) for place in np.flatnonzero(bad))
    return ~bad, Refused(file=file, total=total, rows=found)


def left_out(tables: Iterable[xr.Dataset]) -> dict[str, str]:
    """Say what became of rows that were left out of a block's tables.

    Parameters
    ----------
    tables : iterable of xr.Dataset
        With the attribute `left_out`, one line, where rows were.

    Returns
    -------
    dict of str to str
        Attribute `left_out` of the block, which goes into its receipt; none where no row was.
    """
    lines = dict.fromkeys(str(t.attrs["left_out"]) for t in tables if t.attrs.get("left_out"))
    return {"left_out": "; ".join(lines)} if lines else {}
