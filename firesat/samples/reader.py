"""From the cube to what a network sees: the same code for training and for maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.cube import groups
from firesat.errors import SampleError
from firesat.samples.inputs import COARSEST, Inputs
from firesat.samples.pieces import Array
from firesat.samples.region import Region
from firesat.samples.truth import Truth
from firesat.scaling import Batch, add_masks
from firesat.window import parse_day

_CELLS = {"modis": 5, "weather": 10}  # cells of 100 m in a cell of the field; others 1
_PLACELESS = ("season",)


@dataclass(frozen=True, kw_only=True)
class DayFields:
    """Everything of one issue day over some cells, NaN where missing.

    Parameters
    ----------
    day : str
        Issue day.
    cells : GeoBox
        Cells of 100 m.
    inputs : dict of ndarray
        Fields of `firesat.batch` without N and without masks, over all the cells.
    truth : Truth, optional
        What burned, if asked for.
    """

    day: str
    cells: GeoBox
    inputs: dict[str, NDArray[Any]]
    truth: Truth | None = None


class Reader:
    """Reads issue days from a cube and cuts them into chips.

    Parameters
    ----------
    cube_path : Path
        A cube.
    inputs : Inputs
        What a chip holds.
    """

    def __init__(self, cube_path: Path, inputs: Inputs) -> None:
        self.cube_path = cube_path
        self.inputs = inputs
        self._region: Region | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Groups that the inputs ask for and the cube lacks.

        Returns
        -------
        tuple of str
            Their fields are NaN: the masks say so, and a network sees 0.
        """
        there = groups(self.cube_path)
        return tuple(name for name in self.inputs.groups if name not in there)

    def region(self, cells: GeoBox) -> Region:
        """Open the cube over some cells; the last ones asked for are kept.

        Parameters
        ----------
        cells : GeoBox
            Cells of 100 m on 1 km lines.

        Returns
        -------
        Region
            With the scenes it has read in memory.
        """
        if self._region is None or self._region.cells != cells:
            self._region = Region(self.cube_path, self.inputs, cells)
        return self._region

    def day(self, issue_day: str, cells: GeoBox, *, truth: bool = False) -> DayFields:
        """Read all fields of one issue day.

        Parameters
        ----------
        issue_day : str
            The forecast is issued on this day at 12:00 UTC.
        cells : GeoBox
            Cells of 100 m that begin and end on 1 km lines.
        truth : bool
            Whether to read labels too.

        Returns
        -------
        DayFields
            Nothing in its inputs was unavailable at T, except weather in the regimes `protocol`
            (up to T at no latency) and `hindsight`.

        Raises
        ------
        SampleError
            If the cells lie outside the cube or off the 1 km lines, or labels are missing.
        """
        issue_day = str(parse_day(issue_day))
        region = self.region(cells)
        looks = region.looks(issue_day)
        return DayFields(
            day=issue_day,
            cells=cells,
            inputs={
                "sentinel2": looks.reflectance,
                "age": looks.age,
                "modis": region.modis(issue_day),
                "weather": region.weather(issue_day),
                "fire": region.fire(issue_day),
                "static": region.static(issue_day),
                "season": season(issue_day),
            },
            truth=region.truth(issue_day) if truth else None,
        )

    def chip(self, fields: DayFields, row: int, col: int, size: int) -> Batch:
        """Cut a chip.

        Parameters
        ----------
        fields : DayFields
            A result of :meth:`day`.
        row, col : int
            Upper left cell within ``fields.cells``, multiples of 10.
        size : int
            Cells of the side, a multiple of 10.

        Returns
        -------
        dict of ndarray
            Fields of `firesat.batch` without N: inputs in physical units, NaN where missing; masks;
            with truth also `label` and `valid`. Scale it before use.

        Raises
        ------
        SampleError
            If the chip leaves the cells or lies off the 1 km lines.
        """
        height, width = fields.cells.shape
        inside = 0 <= row <= height - size and 0 <= col <= width - size
        if not inside or row % COARSEST or col % COARSEST or size % COARSEST:
            raise SampleError(
                f"no chip of {size} cells at row {row}, col {col} of {height} x {width}: chips lie "
                f"inside, in multiples of {COARSEST} cells"
            )
        layers = dict(fields.inputs)
        if fields.truth is not None:
            layers |= {"label": fields.truth.label, "valid": fields.truth.valid}
        return add_masks({name: _cut(name, v, row, col, size) for name, v in layers.items()})


def _cut(name: str, values: NDArray[Any], row: int, col: int, size: int) -> NDArray[Any]:
    """A field of a chip."""
    if name in _PLACELESS:
        return values
    times = _CELLS.get(name, 1)
    rows, columns = (slice(start // times, (start + size) // times) for start in (row, col))
    return values[..., rows, columns]


def season(day: str) -> Array:
    """Place a day on the circle of the year.

    Parameters
    ----------
    day : str
        ISO 8601.

    Returns
    -------
    ndarray of float32, shape (2,)
        Sine and cosine of ``2 pi (day of year - 1) / 365.25``.
    """
    angle = 2 * np.pi * (parse_day(day).timetuple().tm_yday - 1) / 365.25
    return np.array([np.sin(angle), np.cos(angle)], dtype=np.float32)
