"""Questions that are asked of every chip of a store, in one pass over it."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from firesat.audit.evidence import Chip
from firesat.audit.result import Check

Fields = Mapping[str, NDArray[Any]]
"""Fields of a chip by name, physical units, NaN = missing."""


class Watcher(Protocol):
    """One question, asked of every chip."""

    def see(self, chip: Chip, fields: Fields) -> None:
        """Look at a chip.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            Fields of `firesat.batch`, physical units, NaN = missing.
        """
        ...

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            After the last chip.
        """
        ...
