"""What is carried from day to day, what comes out, and the rules of starting anew."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firesat.fwi.moisture import FFMC_SCALE, Array
from firesat.fwi.season import LONGEST_GAP


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What happens at start-up, over winter and after gaps.

    Parameters
    ----------
    ffmc, dmc, dc : float
        Codes of the day before a season's first day, and before the first after a long gap: Van
        Wagner (1987), three days after snow has gone.
    overwinter : bool
        Whether DC is carried over the winter (:func:`overwinter_dc`) instead of starting at `dc`.
    carry_over, wetting : float
        The fractions a and b of overwintering.
    longest_gap : int
        Days without weather over which the codes are carried on.
    scale : float
        Conversion of FFMC into moisture; 147.2 gives the numbers of the older texts and programs.
    """

    ffmc: float = 85.0
    dmc: float = 6.0
    dc: float = 15.0
    overwinter: bool = False
    carry_over: float = 0.75
    wetting: float = 0.75
    longest_gap: int = LONGEST_GAP
    scale: float = FFMC_SCALE

    def numbers(self) -> tuple[float, ...]:
        """Give the rules as the compiled code wants them.

        Returns
        -------
        tuple of float
            Start codes, fractions (-1 = not over winter), longest gap, conversion.
        """
        carried = self.carry_over if self.overwinter else -1.0
        values = (self.ffmc, self.dmc, self.dc, carried, self.wetting, self.longest_gap, self.scale)
        return tuple(float(value) for value in values)


@dataclass(frozen=True, kw_only=True)
class State:
    """What the next day needs to know.

    Saved with its dtypes and given back to :func:`step` or :func:`series`, it continues bit for
    bit, also out of season and within a gap: ``numpy.savez(path, **vars(state))`` and
    ``State(**numpy.load(path))``.

    Parameters
    ----------
    ffmc : ndarray of float64
        Fine Fuel Moisture Code, 0 to 101.
    dmc : ndarray of float64
        Duff Moisture Code, 0 or more.
    dc : ndarray of float64
        Drought Code, 0 or more; out of season that of the season's last day.
    winter_rain : ndarray of float64
        Rain since the season ended, mm; NaN in season, before the first season, and where it is
        not known for every day of the winter.
    missing : ndarray of int32
        Days in a row that had no weather.
    in_season : ndarray of bool
        Whether the last day was in season.
    """

    ffmc: Array
    dmc: Array
    dc: Array
    winter_rain: Array = field(default_factory=lambda: np.full((), np.nan))
    missing: NDArray[np.int32] = field(default_factory=lambda: np.zeros((), dtype="int32"))
    in_season: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((), dtype="bool"))


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The system's outputs of a day, or of a series; NaN out of season and without weather.

    Parameters
    ----------
    ffmc, dmc, dc : ndarray of float64
        Moisture codes.
    isi, bui, fwi : ndarray of float64
        Initial Spread, Buildup and Fire Weather Index.
    dsr : ndarray of float64
        Daily Severity Rating.
    """

    ffmc: Array
    dmc: Array
    dc: Array
    isi: Array
    bui: Array
    fwi: Array
    dsr: Array


def start(shape: tuple[int, ...] = (), rules: Rules | None = None) -> State:
    """Give the codes of the day before the first.

    Parameters
    ----------
    shape : tuple of int
        Shape of the fields.
    rules : Rules, optional
        With other start codes than FFMC 85, DMC 6, DC 15.

    Returns
    -------
    State
        The start codes everywhere; no season has begun.
    """
    rules = rules or Rules()
    return State(
        ffmc=np.full(shape, float(rules.ffmc)),
        dmc=np.full(shape, float(rules.dmc)),
        dc=np.full(shape, float(rules.dc)),
    )


def skip(state: State, days: int) -> State:
    """Let days pass of which nothing is known, as days of NaN would.

    Parameters
    ----------
    state : State
        Before them.
    days : int
        How many, 0 or more.

    Returns
    -------
    State
        After them: codes as they were, a winter's rain unknown.
    """
    if days == 0:
        return state
    unknown = np.full_like(state.winter_rain, np.nan)
    missing = (state.missing + days).astype("int32")
    return State(**{**vars(state), "winter_rain": unknown, "missing": missing})
