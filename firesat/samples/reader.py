"""From the cube to what a network sees: the same code for training and for maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import Scene
from firesat.cube import groups, open_cube
from firesat.errors import SampleError
from firesat.labels import SQUARE
from firesat.samples.frames import choose_frames
from firesat.samples.inputs import Inputs
from firesat.samples.looks import EVERYWHERE, in_lexicon
from firesat.samples.opened import Opener, Part
from firesat.samples.pieces import Array
from firesat.samples.region import Region
from firesat.samples.truth import Daily, Truth
from firesat.samples.wide import Wide
from firesat.scaling import Batch, add_masks
from firesat.window import parse_day

# cells of 100 m in a cell of the field; others 1
_CELLS = {"modis": 5, "weather": 10, "starts": SQUARE}
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
    daily : Daily, optional
        On which days, if asked for.
    scenes : tuple of (float, ndarray, ndarray)
        Sentinel-2 in hand, newest first, where frames are chosen chip by chip.
    bands : tuple of str
        Of the scenes.
    around : Wide, optional
        Weather of the cells of 10 km that hold them and a margin, if the inputs have one.
    """

    day: str
    cells: GeoBox
    inputs: dict[str, NDArray[Any]]
    truth: Truth | None = None
    daily: Daily | None = None
    scenes: tuple[Scene, ...] = ()
    bands: tuple[str, ...] = SENTINEL2_BANDS
    around: Wide | None = None


class Reader:
    """Reads issue days from a cube and cuts them into chips.

    Parameters
    ----------
    cube_path : Path
        A cube.
    inputs : Inputs
        What a chip holds.
    opener : callable
        Opens a group of the cube.
    """

    def __init__(self, cube_path: Path, inputs: Inputs, opener: Opener = open_cube) -> None:
        self.cube_path = cube_path
        self.inputs = inputs
        self._open = opener
        self._region: Region | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Groups, and variables like "static/lightning", that are asked for and the cube lacks.

        Returns
        -------
        tuple of str
            Their fields are NaN: the masks say so, and a network sees 0.
        """
        there = groups(self.cube_path)
        lacking = [name for name in self.inputs.groups if name not in there]
        if "static" in there and self.inputs.optional:
            with open_cube(self.cube_path, "static") as static:
                held = set(static.data_vars)
            lacking += [f"static/{name}" for name in self.inputs.optional if name not in held]
        return tuple(lacking)

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
            self._region = Region(self.cube_path, self.inputs, cells, self._open)
        return self._region

    def day(
        self, issue_day: str, cells: GeoBox, *, truth: bool = False, part: Part = EVERYWHERE
    ) -> DayFields:
        """Read all fields of one issue day.

        Parameters
        ----------
        issue_day : str
            The forecast is issued on this day, when it begins.
        cells : GeoBox
            Cells of 100 m that begin and end on 1 km lines.
        truth : bool
            Whether to read labels too.
        part : tuple of slice
            Rows and columns of these cells that are wanted, on 1 km lines; the others serve only
            to read the cube once for several days.

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
        inputs = {
            "modis": region.modis(issue_day),
            "weather": region.weather(issue_day),
            "fire": region.fire(issue_day),
            "static": region.static(issue_day),
            "season": season(issue_day),
        }
        rows, columns = (range(n)[some] for n, some in zip(region.shape, part, strict=True))
        inputs = {
            name: _cut(name, v, (rows.start, columns.start), (len(rows), len(columns)))
            for name, v in inputs.items()
        }
        scenes: tuple[Scene, ...] = ()
        if self.inputs.frames:
            scenes = tuple((a, r[:, *part], c[part]) for a, r, c in region.scenes(issue_day))
        else:
            looks = region.looks(issue_day, part)
            inputs |= {"sentinel2": looks.reflectance, "age": looks.age}
        return DayFields(
            day=issue_day,
            cells=cells[part],
            inputs=inputs,
            truth=region.truth(issue_day, part) if truth else None,
            daily=region.daily(issue_day, part) if truth else None,
            scenes=scenes,
            bands=region.bands,
            around=region.atmosphere.around(issue_day).of(rows.start, columns.start)
            if self.inputs.around
            else None,
        )

    def chip(self, fields: DayFields, row: int, col: int, size: int) -> Batch:
        """Cut a chip.

        Parameters
        ----------
        fields : DayFields
            A result of :meth:`day`.
        row, col : int
            Upper left cell within ``fields.cells``, multiples of ``inputs.line``.
        size : int
            Cells of the side, a multiple of ``inputs.line``.

        Returns
        -------
        dict of ndarray
            Fields of `firesat.batch` without N: inputs in physical units, NaN where missing; masks;
            with truth also `label`, `valid`, `lead` and `starts`. Scale it before use.

        Raises
        ------
        SampleError
            If the chip leaves the cells or lies off the lines.
        """
        height, width = fields.cells.shape
        line = self.inputs.line
        inside = 0 <= row <= height - size and 0 <= col <= width - size
        if not inside or row % line or col % line or size % line:
            raise SampleError(
                f"no chip of {size} cells at row {row}, col {col} of {height} x {width}: chips lie "
                f"inside, in multiples of {line} cells"
            )
        layers = dict(fields.inputs)
        chosen: tuple[str, ...] = ()
        if self.inputs.frames:
            chosen = "sentinel2", "age"
            part = slice(row, row + size), slice(col, col + size)
            looks = choose_frames(fields.scenes, part, self.inputs.looks, self.inputs.frames)
            looks = in_lexicon(looks, fields.bands)
            layers |= {"sentinel2": looks.reflectance, "age": looks.age}
        if fields.around is not None:
            chosen = (*chosen, "around", "off_centre")
            layers |= fields.around.patch((row, col), size, self.inputs.around)
        if fields.truth is not None:
            layers |= {"label": fields.truth.label, "valid": fields.truth.valid}
        if fields.daily is not None:
            layers |= {"lead": fields.daily.lead, "starts": fields.daily.starts}
        return add_masks(
            {
                name: v if name in chosen else _cut(name, v, (row, col), (size, size))
                for name, v in layers.items()
            }
        )


def _cut(
    name: str, values: NDArray[Any], origin: tuple[int, int], size: tuple[int, int]
) -> NDArray[Any]:
    """A part of a field; where its cells do not begin on the part's edge, the nearest ones."""
    if name in _PLACELESS:
        return values
    times = _CELLS.get(name, 1)
    rows, columns = (
        _nearest(start, length, times) for start, length in zip(origin, size, strict=True)
    )
    return values[..., rows, :][..., columns]  # one by one: lists of both would be pairs


def _nearest(start: int, length: int, times: int) -> slice | NDArray[np.intp]:
    """Which coarse cells stand for some fine ones, along one axis."""
    if start % times == 0 and length % times == 0:
        return slice(start // times, (start + length) // times)
    number = -(-length // times)
    centres = start + (np.arange(number) + 0.5) * length / number
    return (centres // times).astype(np.intp)


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
