"""The baselines, fitted on the training periods and asked for maps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.baselines import Climatology, FireWeather, Persistence, Rows, keep
from firesat.grid import Grid
from firesat.jobs.evaluate.record import Known, Record
from firesat.metrics import EvaluateSettings

RANKS = frozenset({"FWI"})
"""Baselines that rank cells without being probabilities."""
LARGEST_FWI = 1000.0  # of the lexicon
COARSE = 10_000.0  # metres, cells of climatology

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """All baselines, fitted.

    Parameters
    ----------
    climatology : Climatology
        By place, date and fuel.
    persistence : Persistence
        By known fires.
    fire_weather : FireWeather
        By FWI and fuel.
    grid : Grid
        Region on which climatology was counted.
    """

    climatology: Climatology
    persistence: Persistence
    fire_weather: FireWeather
    grid: Grid

    def maps(self, day: np.datetime64, cells: GeoBox, known: Known) -> dict[str, Floats]:
        """Forecast one issue day.

        Parameters
        ----------
        day : np.datetime64
            Issue day.
        cells : GeoBox
            Cells of 100 m.
        known : Known
            What may be known of them at T.

        Returns
        -------
        dict of str to ndarray of float64, shape (Y, X)
            Probabilities; of "FWI" only the order means something.
        """
        row, column = _place(self.grid, cells)
        return {
            "climatology": self.climatology.predict(day, row, column, known.fuel),
            "persistence": self.persistence.predict(known.distance, known.age, known.fwi),
            "FWI x fuel": self.fire_weather.predict(known.fwi, known.fuel),
            "FWI": np.clip(known.fwi / LARGEST_FWI, 0.0, 1.0),
        }


def _place(grid: Grid, cells: GeoBox) -> tuple[Floats, Floats]:
    """Rows and columns of cells, in coarse cells from the centre of the region's first."""
    x0, _, _, y1 = grid.extent
    row = (y1 - cells.coordinates["y"].values) / COARSE - 0.5
    column = (cells.coordinates["x"].values - x0) / COARSE - 0.5
    return row, column


def fit(
    grid: Grid,
    records: Iterable[Record],
    days: list[str],
    settings: EvaluateSettings,
    progress: Callable[[str], None],
) -> Rivals:
    """Fit every baseline.

    Parameters
    ----------
    grid : Grid
        The cube's grid and region.
    records : iterable of Record
        The cube, part by part.
    days : list of str
        Issue days of the training periods.
    settings : EvaluateSettings
        Kernels, sub-sampling and seed.
    progress : callable
        Called with the issue day after each day of each part.

    Returns
    -------
    Rivals
        Fitted.

    Raises
    ------
    SampleError
        If nothing burned.
    """
    height, width = grid.region_geobox(round(COARSE)).shape
    climatology = Climatology(
        (height, width), settings.climatology_km, settings.climatology_days, COARSE / 1000
    )
    rng = np.random.default_rng(settings.seed)
    ny, nx = grid.region_geobox(100).shape
    share = min(1.0, settings.negatives / (ny * nx))
    gathered = []
    for record in records:
        place = _coarse_cells(grid, record.cells, width)
        for day in days:
            if record.has_weather(day):  # not on a cube's first days
                gathered.append(_gather(record, day, place, climatology, (share, rng)))
            progress(day)
    rows = Rows.join(gathered)
    return Rivals(
        climatology=climatology,
        persistence=Persistence.fit(rows),
        fire_weather=FireWeather.fit(rows),
        grid=grid,
    )


def _coarse_cells(grid: Grid, cells: GeoBox, width: int) -> NDArray[np.int64]:
    """Number of the coarse cell that each cell lies in."""
    row, column = (np.rint(place).astype(np.int64) for place in _place(grid, cells))
    return row[:, None] * width + column[None, :]


def _gather(
    record: Record,
    day: str,
    place: NDArray[np.int64],
    climatology: Climatology,
    draw: tuple[float, np.random.Generator],
) -> Rows:
    """Count one issue day for climatology, and take the rows that regressions are fitted on."""
    truth, known = record.truth(day), record.known(day)
    scored = truth.valid.all(axis=0).astype(bool)
    burned = truth.label.any(axis=0)[scored]
    fuel = known.fuel[scored]
    climatology.add(np.datetime64(day, "D"), place[scored], fuel, burned)
    chosen, weight = keep(burned, *draw)
    return Rows(
        distance=known.distance[scored][chosen],
        age=known.age[scored][chosen],
        fwi=known.fwi[scored][chosen],
        fuel=fuel[chosen],
        burned=burned[chosen],
        weight=weight,
    )
