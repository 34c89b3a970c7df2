"""How far a temperature lies from what its place has at this time of the year."""

import numpy as np

from firesat.samples.pieces import Array, Piece, Table

AROUND = 8
"""Days of the year before and after that count as the same time of the year: a composite."""

SUFFIX = "_anomaly"
EVER = 40_000
"""Days before T: all years of the satellite."""

_DAY = np.timedelta64(1, "D")
_YEAR = 366  # days from New Year to New Year on the circle


def anomaly(piece: Piece, variable: str, steps: np.ndarray, known: Table) -> Array:
    """Take the usual value of the time of the year off some steps.

    Usual is the mean of the same cell over all earlier calendar years of the cube, of steps that
    begin within `AROUND` days of the step's own day of the year. Years that the step's own year or
    later ones belong to never count, and neither does what was not available by T: the same issue
    day gives the same anomaly however many seasons are ingested later. Terra's overpass drifts from
    10:30 toward 8:30, which the mean of several years does not take out: read the view time beside.

    Parameters
    ----------
    piece : Piece
        Of ``modis_lst``.
    variable : str
        Such as "lst_day".
    steps : ndarray of int, shape (n,)
        Positions on the time axis; -1 = no such step.
    known : ndarray of bool, shape (time, tile_y, tile_x)
        What was available by T, of all years.

    Returns
    -------
    ndarray of float32, shape (n, y, x)
        K; NaN where the step is missing, or no earlier year has the cell.
    """
    values = piece.read(variable, steps, known)
    for number, step in enumerate(steps):
        values[number] -= _usual(piece, variable, int(step), known)
    return values


def _usual(piece: Piece, variable: str, step: int, known: Table) -> Array:
    """Mean of a step's time of the year over earlier years; NaN where there is none."""
    shape = len(piece.tile_y), len(piece.tile_x)
    total, count = np.zeros(shape), np.zeros(shape)
    years = piece.days.astype("datetime64[Y]")
    apart = np.abs(_of_year(piece.days) - _of_year(piece.days[[step]]))
    near = np.minimum(apart, _YEAR - apart) <= AROUND
    for year in np.unique(years[years < years[step]]) if step >= 0 else ():
        # year by year: between two seasons lie steps that nobody needs
        past = piece.read(variable, np.flatnonzero(near & (years == year)), known)
        total += np.nansum(past, axis=0)
        count += np.isfinite(past).sum(axis=0)
    usual = np.full(shape, np.nan)
    np.divide(total, count, out=usual, where=count > 0)
    return usual.astype("float32")


def _of_year(days: np.ndarray) -> np.ndarray:
    """Days since New Year."""
    since: np.ndarray = (days - days.astype("datetime64[Y]").astype("datetime64[D]")) / _DAY
    return since
