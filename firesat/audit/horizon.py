"""Weather that nobody knew at T."""

import numpy as np
from numpy.typing import NDArray

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.audit.watcher import Fields
from firesat.samples import Inputs

_DAY = np.timedelta64(1, "D")


class Horizon:
    """Ask whether there is weather of the horizon, or weather that had not arrived.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    inputs : Inputs
        What the chips say they are made of.
    """

    def __init__(self, evidence: Evidence, inputs: Inputs) -> None:
        self._evidence, self._inputs, self._leaks = evidence, inputs, Leaks()
        own = dict.fromkeys(inputs.fire_weather, "fire_weather")
        self._groups = [(name, own.get(name, "era5_land")) for name in inputs.names["weather"]]
        self._last: float = -np.inf

    def see(self, chip: Chip, fields: Fields) -> None:
        """Compare the days of the weather with T, or in operation with the receipts.

        Parameters
        ----------
        chip : Chip
            Which one.
        fields : mapping of ndarray
            With `weather`.
        """
        there = np.isfinite(fields["weather"]).any(axis=(-2, -1))
        steps, regime = len(there), self._inputs.regime
        first = chip.day - np.timedelta64(self._inputs.weather_days, "D")
        begins = (chip.time - chip.day).astype("timedelta64[s]")
        for number, (name, group) in enumerate(self._groups):
            days = first + np.flatnonzero(there[:, number]) * _DAY
            if not days.size:
                continue
            self._last = max(self._last, float((days[-1] - chip.day) / _DAY))
            ended = days.astype("datetime64[s]") + begins + _DAY
            late = np.zeros(len(days), dtype=bool) if regime == "hindsight" else ended > chip.time
            if regime == "operational":
                late |= ~(self._arrived(group, days) <= chip.time)
                late &= ~self._foretold(days, chip)
            if late.any():
                self._leaks.add(
                    f"{chip}: band weather/{name} of {days[late][0]} in regime {regime}, step "
                    f"{int(np.flatnonzero(there[:, number])[late][0]) + 1} of {steps}"
                )

    def _arrived(self, group: str, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """When weather of some days arrived; NaT = never."""
        axis, arrived = self._evidence.arrivals(group)
        step = np.searchsorted(axis, days).clip(max=len(axis) - 1)
        never = np.datetime64("NaT", "s")
        return np.where(axis[step] == days, arrived[step, 0, 0], never)

    def _foretold(self, days: NDArray[np.datetime64], chip: Chip) -> NDArray[np.bool_]:
        """Whether a run that had arrived by T tells of some days."""
        told = np.zeros(len(days), dtype=bool)
        for group in self._inputs.forecasts:
            if group not in self._evidence.there:
                continue
            dates, arrived = self._evidence.arrivals(group)
            opened = self._evidence.open(group)
            start = int(opened.attrs["cycle"]) - int(opened.attrs["day_start"]) - 24
            for lead in opened["lead_time"].values:
                runs = days - (start + int(lead)) // 24 * _DAY
                step = np.searchsorted(dates, runs).clip(max=len(dates) - 1)
                told |= (dates[step] == runs) & (arrived[step, 0, 0] <= chip.time)
        return told

    def check(self) -> Check:
        """Answer.

        Returns
        -------
        Check
            Named "horizon".
        """
        regime = self._inputs.regime
        latest = f", the latest day is T{self._last:+.0f}" if np.isfinite(self._last) else ""
        return self._leaks.check(
            "horizon",
            "weather of the horizon outside hindsight, or not yet published in operation",
            f"regime {regime}{latest}",
        )
