"""Tiles of 100 km, with names that sort."""

import re
from dataclasses import dataclass

from firesat.errors import GridError

_NAME = re.compile(r"x(\d{2})y(\d{2})")


@dataclass(frozen=True, order=True)
class Tile:
    """A square of 100 km, counted from the grid's upper left corner.

    Parameters
    ----------
    column : int
        From the left, 0 or more.
    row : int
        From the top, 0 or more.

    Examples
    --------
    >>> Tile(23, 17)
    Tile(x23y17)
    """

    column: int
    row: int

    @property
    def name(self) -> str:
        """The tile's name.

        Returns
        -------
        str
            Such as "x23y17".
        """
        return f"x{self.column:02d}y{self.row:02d}"

    def __repr__(self) -> str:
        return f"Tile({self.name})"

    @classmethod
    def parse(cls, name: str) -> "Tile":
        """Read a tile's name.

        Parameters
        ----------
        name : str
            Such as "x23y17".

        Returns
        -------
        Tile
            The tile.

        Raises
        ------
        GridError
            If the name has another form.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise GridError(f"{name!r} is not a tile: write it as x23y17")
        return cls(int(match[1]), int(match[2]))
