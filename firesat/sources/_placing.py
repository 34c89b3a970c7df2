"""Where a Sentinel-2 granule lies, and parts of it in whole pixels of every size."""

import math
from dataclasses import dataclass, field, replace

from firesat.errors import SourceError
from firesat.grid import Bounds

CELLS = 100  # metres
_WHOLE = 300  # metres: whole pixels of 10, 20 and 60, and whole cells


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Where a granule lies, as its metadata say.

    Parameters
    ----------
    tile : str
        Square of the Military Grid Reference System, such as "15UVB".
    sensed : str
        ISO time of its sensing, UTC.
    epsg : int
        Code of its UTM zone.
    left, top : float
        Upper left corner, metres.
    shapes : dict
        Rows and columns by pixel size in metres: 10, 20, 60.
    quality : dict
        Number of a band to the name of its quality mask; empty before baseline 04.00, whose masks
        are polygons.
    """

    tile: str
    sensed: str
    epsg: int
    left: float
    top: float
    shapes: dict[int, tuple[int, int]]
    quality: dict[int, str] = field(default_factory=dict)

    def cut(self, bounds: Bounds) -> "Placing":
        """Cut out the part that is wanted, in whole pixels of every size.

        Parameters
        ----------
        bounds : tuple of float
            x0, y0, x1, y1 in metres, of which some must lie in the granule.

        Returns
        -------
        Placing
            Of the part, grown to multiples of 300 m from the corner.

        Raises
        ------
        SourceError
            If nothing of it lies in the granule.
        """
        x0, y0, x1, y1 = bounds
        rows, columns = (10 * count // _WHOLE for count in self.shapes[10])
        first, last = _span(self.top - y1, self.top - y0, rows)
        start, end = _span(x0 - self.left, x1 - self.left, columns)
        if first >= last or start >= end:
            raise SourceError(f"{bounds} lie outside the granule of {self.tile}: search again")
        extent = (last - first) * _WHOLE, (end - start) * _WHOLE
        return replace(
            self,
            left=self.left + start * _WHOLE,
            top=self.top - first * _WHOLE,
            shapes={size: (extent[0] // size, extent[1] // size) for size in self.shapes},
        )

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of 100 m.

        Returns
        -------
        tuple of int
            Y, X.
        """
        rows, columns = self.shapes[10]
        return rows * 10 // CELLS, columns * 10 // CELLS

    @property
    def bounds(self) -> Bounds:
        """The area it covers.

        Returns
        -------
        tuple of float
            x0, y0, x1, y1 in metres.
        """
        rows, columns = (10 * count for count in self.shapes[10])
        return self.left, self.top - rows, self.left + columns, self.top


def _span(low: float, high: float, count: int) -> tuple[int, int]:
    """Steps of `_WHOLE` that cover a stretch, as far as there are any."""
    return max(0, math.floor(low / _WHOLE)), min(count, math.ceil(high / _WHOLE))
