"""A sample of CanadaFireSat as it is kept until it is needed: chosen, but not yet unpacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.benchmark.footprint import SIDE, cut_out
from firesat.benchmark.layout import (
    IMAGES,
    KINDS,
    PIXELS,
    RASTERS,
    STEPS,
    TABLES,
)
from firesat.benchmark.nested import Row
from firesat.benchmark.settings import FWI, BenchmarkInputs
from firesat.benchmark.variables import places, read_names

OLDEST = 100
"""Days before T beyond which a date is taken for one after T: looks and steps reach back 72."""

UNKNOWN = -1
"""Label of a pixel of which nothing is known; stored as -999."""

DATE = "date"
"""Column with T that may be lacking: T is then the end of the last step."""

_STEP = 8  # days

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample, small enough that hundreds may wait to be shuffled.

    Parameters
    ----------
    positive : bool
        Whether any of it burned.
    day : int
        Day of the year of T, the first day of the 8 that are forecast.
    images : dict of ndarray, shape (k, bands, y, x)
        Column to the k latest looks, newest first, as stored: 0 to 255.
    age : ndarray, shape (k,)
        Days from each look to T.
    late_looks, late_steps : int
        Looks dated on or after T, and steps that do not end by T: left out.
    labels : ndarray of int8, shape (264, 264)
        1 burns, 0 does not, -1 unknown.
    modis : ndarray of float32, shape (8, V, 5, 5)
        Oldest first; NaN = missing.
    weather : ndarray of float32, shape (8, V)
        Oldest first; NaN = missing.
    fwi : float
        Fire weather index of the last 8 days before T; NaN where it was not read.
    """

    positive: bool
    day: int
    images: dict[str, NDArray[Any]]
    age: Floats
    late_looks: int
    late_steps: int
    labels: NDArray[np.int8]
    modis: Floats
    weather: Floats
    fwi: float


class Taker:
    """Takes from a row what the inputs ask for.

    Parameters
    ----------
    inputs : BenchmarkInputs
        What is taken.
    names : Path
        JSON that names the variables.

    Raises
    ------
    ConfigError
        If the data set has no such variable.
    SampleError
        If the JSON is missing or wrong.
    """

    def __init__(self, inputs: BenchmarkInputs, names: Path) -> None:
        self.inputs = inputs
        rasters = RASTERS if "modis" in inputs.use else ()
        tables = TABLES if "weather" in inputs.use else ()
        self._names = read_names(names, (*rasters, *tables))
        self._modis = self._places("modis", inputs.modis, RASTERS)
        self._weather = self._places("weather", inputs.weather, TABLES)

    def _places(
        self, field: str, wanted: Sequence[str], columns: Sequence[str]
    ) -> Mapping[str, tuple[str, int]]:
        """Where the variables of a field are; nowhere if it is not used."""
        return places(self._names, wanted, columns) if field in self.inputs.use else {}

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a file must have.

        Returns
        -------
        tuple of str
            Nothing else is read, but for `DATE` where there is one.
        """
        chosen = ["labels", "file_id", "env_doy"]
        if "sentinel2" in self.inputs.use:
            chosen += ["doy", *IMAGES]
        rasters = {column for column, _ in self._modis.values()}
        for column in sorted(rasters):
            chosen += [column, f"{column}_loc"]
        if rasters:
            chosen.append("loc")
        return (*chosen, *sorted({column for column, _ in self._weather.values()}))

    def take(self, row: Row) -> Sample:
        """Take a sample.

        Parameters
        ----------
        row : Row
            With `columns`.

        Returns
        -------
        Sample
            Looks newest first, steps oldest first.

        Raises
        ------
        SampleError
            If a value is not what it should be.
        """
        steps = row.array("env_doy", (STEPS,))
        today, year = _reference(row, steps)
        step_age = _age(steps, today, year)
        order = np.argsort(-step_age, kind="stable")
        known = ((step_age >= _STEP) & (step_age <= OLDEST))[order]
        images, age, late = self._images(row, today, year)
        weather = self._table(row)[order]
        weather[~known] = np.nan
        modis = self._rasters(row)[order]
        modis[~known] = np.nan
        return Sample(
            positive=row.kind("file_id", KINDS) == KINDS[0],
            day=today,
            images=images,
            age=age,
            late_looks=late,
            late_steps=int((~known).sum()),
            labels=_labels(row),
            modis=modis,
            weather=weather,
            fwi=self._fwi(weather),
        )

    def _images(
        self, row: Row, today: int, year: int
    ) -> tuple[dict[str, NDArray[Any]], Floats, int]:
        """The latest looks, their ages, and how many were too late."""
        if "sentinel2" not in self.inputs.use:
            return {}, np.zeros(0, np.float32), 0
        days = row.array("doy", (None,))
        age = _age(days, today, year)
        order = np.argsort(age, kind="stable")
        newest = order[age[order] <= OLDEST][: self.inputs.looks]
        images = {}
        for column, (bands, side) in IMAGES.items():
            looks = row.array(column, (len(days), len(bands), side, side))[newest]
            if looks.size and not (looks.min() >= 0 and looks.max() <= 255):
                raise row.error(
                    column, f"holds {looks.min():g} to {looks.max():g}, expected 0 to 255 (8 bits)"
                )
            images[column] = looks
        return images, age[newest], int((age > OLDEST).sum())

    def _table(self, row: Row) -> Floats:
        """One value per step and variable, in the row's own order of steps."""
        out = np.full((STEPS, len(self.inputs.weather)), np.nan, np.float32)
        for place, (column, number) in enumerate(self._weather.values()):
            table = row.array(column, (STEPS, len(self._names[column])))
            out[:, place] = table[:, number]
        return out

    def _rasters(self, row: Row) -> Floats:
        """The map's footprint of each step and variable, in the row's own order of steps."""
        out = np.full((STEPS, len(self.inputs.modis), SIDE, SIDE), np.nan, np.float32)
        for column in sorted({column for column, _ in self._modis.values()}):
            mine = [
                number for number, (name, _) in enumerate(self._modis.values()) if name == column
            ]
            numbers = [self._modis[self.inputs.modis[place]][1] for place in mine]
            out[:, mine] = self._footprint(row, column)[:, numbers]
        return out

    def _footprint(self, row: Row, column: str) -> Floats:
        """A raster cut out of its tile, steps first."""
        tile = row.array(column, (None, None, None, None))
        variables = len(self._names[column])
        if tile.shape[:2] not in ((STEPS, variables), (variables, STEPS)):
            raise row.error(
                column,
                f"has shape {tile.shape}, expected {STEPS} steps of {variables} variables "
                "(or the other way round) of rows and columns",
            )
        # documented as steps first, indexed as variables first: the lengths tell
        steps_first = tile.shape[:2] == (STEPS, variables)
        tile = tile if steps_first else tile.swapaxes(0, 1)
        tile_places = row.array(f"{column}_loc", (None, None, None))
        if sorted(tile_places.shape) != sorted((*tile.shape[-2:], 2)):
            raise row.error(
                f"{column}_loc", f"has shape {tile_places.shape}, not the pixels of {tile.shape}"
            )
        try:
            return cut_out(tile, tile_places, row.array("loc", (2, PIXELS, PIXELS)))
        except ValueError as error:
            raise row.error(f"loc or {column}_loc", str(error)) from None

    def _fwi(self, weather: Floats) -> float:
        """The fire weather index of the last step, if it is among the variables."""
        if FWI not in self._weather:
            return float("nan")
        return float(weather[-1, self.inputs.weather.index(FWI)])


def _reference(row: Row, steps: NDArray[Any]) -> tuple[int, int]:
    """Day of the year of T, and its year, 0 where it is not known."""
    if row.has(DATE):
        day = row.day(DATE)
        return day.timetuple().tm_yday, day.year
    after = int(steps[-1]) + _STEP
    return (after if after <= 366 else 1), 0  # each year's windows begin on 1 January


def _age(days: NDArray[Any], today: int, year: int) -> Floats:
    """Days from days of the year to T; more than `OLDEST` for those that are not before it."""
    before = (date(year, 1, 1) - timedelta(days=1)).timetuple().tm_yday if year else 365
    back = today - np.asarray(days, np.float32)
    return np.where(back > 0, back, back + before).astype(np.float32)


def _labels(row: Row) -> NDArray[np.int8]:
    """Which pixels burn; a negative sample may come without."""
    labels = row.optional("labels", (PIXELS, PIXELS))
    if labels is None:
        if row.kind("file_id", KINDS) == KINDS[0]:
            raise row.error("labels", "is null, though something burned")
        return np.zeros((PIXELS, PIXELS), np.int8)
    return np.where(labels == 1, 1, np.where(labels == 0, 0, UNKNOWN)).astype(np.int8)
