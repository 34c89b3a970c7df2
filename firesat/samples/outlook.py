"""The weather of an operational forecast: analysis as available, then forecasts, without a step.

At T the analysis is days late and the horizon lies ahead. A day that the analysis does not cover is
taken from the newest run, available by T, that does: days of the delay from the first hours of
successive runs, days from T on from the newest run.

A model and the analysis differ by a steady bias, which would be a step in the series where one
follows the other. It is removed cell by cell and lead by lead: over the days before T of which both
are known at T, the mean difference is subtracted; of rain, which has no negative side, the ratio of
the sums is divided by, within 1/3 and 3. With fewer than `LEAST_DAYS` such days nothing is done.
Values stay within what the quantity can be.
"""

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from firesat import fwi
from firesat.bands import BANDS
from firesat.cube import cells_of, latitude_of
from firesat.samples.opened import Opened
from firesat.samples.pieces import Array, Piece, positions

BIAS_DAYS = 40
"""Days before T of which biases are learnt, those that the analysis does not have yet included."""

LEAST_DAYS = 5
LARGEST_FACTOR = 3.0  # on rain: more is chance, not bias
LEAST_RAIN = 1.0  # mm, in all those days, without which no ratio means anything
_ANALYSIS, _CODES = "era5_land", "fire_weather"
_DAY = np.timedelta64(1, "D")
_RAIN = ("tp", "tp_noon")
_STATE = ("ffmc", "dmc", "dc")
_NAMES = tuple(each.name for each in fields(fwi.Codes))


class Outlook:
    """Analysis and forecasts over some cells, joined as they could be at T.

    Parameters
    ----------
    opened : Opened
        The cube over the cells.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened, self._inputs = opened, opened.inputs

    def piece(self) -> Piece | None:
        """Give any group whose cells all of them share.

        Returns
        -------
        Piece
            None where the cube has neither analysis nor forecasts.
        """
        names = (_ANALYSIS, *self._inputs.forecasts)
        there = [name for name in names if name in self._opened.there]
        return self._of(there[0]) if there else None

    def _of(self, group: str) -> Piece:
        """A group over the cells."""
        return self._opened.weather_piece(group)

    def _axis(self, day: str) -> NDArray[np.datetime64]:
        """Days from those that biases are learnt of to the end of the horizon."""
        back = max(BIAS_DAYS, self._inputs.weather_days)
        return np.datetime64(day, "D") + np.arange(-back, self._inputs.window.horizon) * _DAY

    def layers(self, day: str) -> Iterator[Array]:
        """Give the weather and the codes that the inputs name.

        Parameters
        ----------
        day : str
            Issue day.

        Yields
        ------
        ndarray of float32, shape (S, y, x)
            Of each variable: days before T, then the horizon; coarse cells; NaN where nothing was
            known at T.
        """
        steps = self._inputs.weather_steps
        for name in self._inputs.weather:
            yield self.joined(name, day)[-steps:]
        if self._inputs.fire_weather:
            codes = self.codes(day)
            yield from (codes[name][-steps:] for name in self._inputs.fire_weather)

    def joined(self, variable: str, day: str) -> Array:
        """Join the analysis and the forecasts of a variable.

        Parameters
        ----------
        variable : str
            Of the analysis.
        day : str
            Issue day.

        Returns
        -------
        ndarray of float32, shape (D, y, x)
            From `BIAS_DAYS` before T to the end of the horizon.
        """
        days = self._axis(day)
        known = self._known(_ANALYSIS, variable, days, day)
        out = known.copy()
        for group in self._inputs.forecasts:
            if group in self._opened.there and variable in self._of(group).data:
                for lead in self._by_lead(group, variable, days, day):
                    out = np.where(np.isnan(out), corrected(lead, known, variable), out)
        return out

    def _known(self, group: str, variable: str, days: NDArray[np.datetime64], day: str) -> Array:
        """A variable of the days that were available at T; NaN on the others."""
        piece = self.piece()
        if group not in self._opened.there or piece is None:
            shape = (0, 0) if piece is None else (len(piece.tile_y), len(piece.tile_x))
            return np.full((len(days), *shape), np.nan, dtype="float32")
        own = self._of(group)
        allowed = own.known(day, self._inputs.window, len(days))
        return own.read(variable, positions(own.days, days), allowed)

    def _by_lead(
        self, group: str, variable: str, days: NDArray[np.datetime64], day: str
    ) -> Iterator[Array]:
        """Forecasts of the days (D, y, x), shortest lead first; NaN where no run at T has them."""
        piece = self._of(group)
        leads = piece.data["lead_time"].values
        start = int(piece.data.attrs["cycle"]) - piece.day_start - 24
        ahead = [(start + int(lead)) // 24 for lead in leads]  # days from a run to what it tells of
        runs = days[0] - ahead[-1] * _DAY + np.arange(len(days) + ahead[-1]) * _DAY
        allowed = piece.known(day, self._inputs.window, len(runs) + 1)
        values = piece.read(variable, positions(piece.days, runs), allowed)
        for number, later in enumerate(ahead):
            first = ahead[-1] - later
            yield values[first : first + len(days), number]

    def codes(self, day: str) -> dict[str, Array]:
        """Give the fire weather codes: those known at T, carried on with the joined noon values.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        dict of ndarray of float32, shape (D, y, x)
            By name, from `BIAS_DAYS` before T to the end of the horizon; NaN before any is known,
            and on days without noon weather.
        """
        days = self._axis(day)
        known = {name: self._known(_CODES, name, days, day) for name in _NAMES}
        there = np.flatnonzero(np.isfinite(known["ffmc"]).any(axis=(1, 2)))
        piece = self.piece()
        if not there.size or piece is None:
            return known
        last = there[-1]
        after = slice(last + 1, None)
        state = fwi.State(**{name: known[name][last].astype("float64") for name in _STATE})
        noon = {name: self.joined(name, day)[after] for name in fwi.NOON}
        codes, _ = fwi.from_noon(state, noon, days[after], latitude_of(cells_of(piece.data)))
        for name in _NAMES:
            known[name][after] = getattr(codes, name)
        return known


def corrected(forecast: Array, analysis: Array, variable: str) -> Array:
    """Take a steady bias out of a forecast.

    Parameters
    ----------
    forecast, analysis : ndarray of float32, shape (D, y, x)
        Of the same days, one lead; NaN where there is none, or it was not known at T.
    variable : str
        Its name in the lexicon.

    Returns
    -------
    ndarray of float32, shape (D, y, x)
        The forecast without the mean difference, or the ratio of sums of rain, of the days that
        both have; as it is where these are fewer than `LEAST_DAYS`.
    """
    both = np.isfinite(forecast) & np.isfinite(analysis)
    enough = both.sum(axis=0) >= LEAST_DAYS
    theirs, ours = (np.where(both, f, 0).sum(axis=0, dtype="float64") for f in (forecast, analysis))
    if variable in _RAIN:
        wet = enough & (theirs >= LEAST_RAIN)
        ratio = np.where(wet, ours / np.where(wet, theirs, 1), 1)
        out = forecast * ratio.clip(1 / LARGEST_FACTOR, LARGEST_FACTOR)
    else:
        out = forecast - np.where(enough, (theirs - ours) / both.sum(axis=0).clip(min=1), 0)
    return np.asarray(np.clip(out, *BANDS[variable].valid_range), dtype="float32")
