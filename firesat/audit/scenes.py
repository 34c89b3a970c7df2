"""Scenes that came too late, or were taken too late."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.audit.watcher import Fields


class Looks:
    """Ask whether any Sentinel-2 look was not yet published at T.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence, self._leaks, self._seen = evidence, Leaks(), 0
        self._closest: float = np.inf

    def see(self, chip: Chip, fields: Fields) -> None:
        """Compare the day of every look with the receipts of its tile.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            With `age`.
        """
        age = fields["age"]
        if not np.isfinite(age).any():
            return
        days, arrived = self._evidence.arrivals("sentinel2")
        for row, col, part in _by_tile(chip, self._evidence, age):
            found = np.unique(part[np.isfinite(part)])
            self._seen += len(found)
            for days_old in found.tolist():
                look = chip.day - np.timedelta64(round(days_old), "D")
                step = np.flatnonzero(days == look)
                known = arrived[step[0], row, col] if step.size else np.datetime64("NaT", "s")
                self._judge(chip, look, known)

    def _judge(self, chip: Chip, look: np.datetime64, known: np.datetime64) -> None:
        """Compare one look's arrival with T."""
        if known <= chip.time:
            self._closest = min(self._closest, (chip.time - known) / np.timedelta64(1, "h"))
        else:
            self._leaks.add(
                f"{chip}: sentinel2 look of {look}, available {_said(known)}, T {chip.time}"
            )

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            Named "looks".
        """
        nearest = f", the latest arrived {self._closest:.1f} h before T" if self._seen else ""
        return self._leaks.check(
            "looks", "Sentinel-2 looks published after T", f"{self._seen} looks{nearest}"
        )


class Burning:
    """Ask whether a scene was taken after a cell that burns may have burned.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence, self._leaks, self._cells = evidence, Leaks(), 0
        self._margin: float = np.inf

    def see(self, chip: Chip, fields: Fields) -> None:
        """Compare the days of the looks at burning cells with their earliest burn day.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            With `age` and `label`.
        """
        burns = fields["label"].astype(bool).any(axis=0)
        if not burns.any():
            return
        labels = self._evidence.labels(chip)
        earliest = np.where(burns, labels["earliest"], np.nan)
        self._cells += int(burns.sum())
        # a look on the day itself may have been taken after the fire came
        margin = earliest - (chip.day.astype(int) - fields["age"])
        known = margin[np.isfinite(margin)]
        self._margin = min(self._margin, float(known.min(initial=np.inf)))
        late = np.argwhere(margin <= 0)
        if len(late):
            look, row, col = late[0]
            self._leaks.add(
                f"{chip}: fire {int(labels['fire_id'][row, col])} may have burned {len(late)} seen "
                f"cells since {_date(earliest[row, col])}, look {look + 1} is of "
                f"{chip.day - np.timedelta64(round(float(fields['age'][look, row, col])), 'D')}"
            )

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            Named "burning".
        """
        nearest = f", the latest look {self._margin:.0f} days before" if self._cells else ""
        return self._leaks.check(
            "burning",
            "scenes taken on or after the earliest day on which a burning cell may have burned",
            f"{self._cells} burning cells{nearest}",
        )


def _by_tile(
    chip: Chip, evidence: Evidence, values: NDArray[Any]
) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Parts of a chip's field by tile: row and column of the tile in the cube, and the cells."""
    rows, cols = ((np.arange(place.start, place.stop) // 1000) for place in evidence.inside(chip))
    for row in np.unique(rows):
        for col in np.unique(cols):
            yield int(row), int(col), values[..., rows == row, :][..., cols == col]


def _said(moment: np.datetime64) -> str:
    """A moment, or that it never came."""
    return "never" if np.isnat(moment) else str(moment)


def _date(day: float) -> str:
    """A day since 1970-01-01 as a date."""
    return str(np.datetime64(int(day), "D"))
