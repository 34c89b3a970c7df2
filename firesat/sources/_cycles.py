"""Forecast cycles: when a weather model is run, which of its hours are taken, how they are kept."""

from dataclasses import dataclass

import numpy as np

from firesat.blocks import Block, Layout, Variable
from firesat.errors import ConfigError
from firesat.sources._layers import hours
from firesat.sources._spread import SPREADS
from firesat.sources.commons import commons

VARIABLES = (
    "t2m", "t2m_max", "t2m_min", "rh", "vp", "ws", "tp",
    "t2m_noon", "rh_noon", "ws_noon", "tp_noon",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """When a model is run each day, and which of its hours and fire days are taken.

    Parameters
    ----------
    hour : int
        Hour UTC of the run.
    days : int
        Whole fire days.
    steps : tuple of (int, int)
        Hours of lead up to which files are so many hours apart: ``((144, 3), (360, 6))``.
    day_start : int
        Hour UTC at which days begin.
    latency_hours : float
        From the start of the run until its last file is out.
    """

    hour: int
    days: int
    steps: tuple[tuple[int, int], ...]
    day_start: int
    latency_hours: float

    @property
    def first(self) -> int:
        """Lead of the start of the first whole fire day.

        Returns
        -------
        int
            Hours, below 24.
        """
        return (self.day_start - self.hour) % 24

    @property
    def leads(self) -> tuple[int, ...]:
        """Leads of the ends of the fire days.

        Returns
        -------
        tuple of int
            Hours.
        """
        return tuple(self.first + 24 * (day + 1) for day in range(self.days))

    @property
    def files(self) -> tuple[int, ...]:
        """Leads of which files are wanted.

        Returns
        -------
        tuple of int
            Hours, from the start of the first fire day to the end of the last.
        """
        chosen, start = [], 0
        for end, step in self.steps:
            chosen += [lead for lead in range(start, end + 1, step) if lead not in chosen]
            start = end
        return tuple(lead for lead in chosen if self.first <= lead <= self.leads[-1])

    def within(self, day: int) -> tuple[int, ...]:
        """Leads inside a fire day, its start included and its end not.

        Parameters
        ----------
        day : int
            Number of the fire day, from 0.

        Returns
        -------
        tuple of int
            Hours.
        """
        end = self.leads[day]
        return tuple(lead for lead in self.files if end - 24 <= lead < end)

    def reference_time(self, date: np.datetime64) -> np.datetime64:
        """Give the moment at which a date's run starts.

        Parameters
        ----------
        date : np.datetime64
            Its date.

        Returns
        -------
        np.datetime64
            UTC.
        """
        start: np.datetime64 = date.astype("datetime64[D]").astype("datetime64[s]")
        return start + hours(self.hour)

    def available_time(self, date: np.datetime64) -> np.datetime64:
        """Give the moment at which a forecaster has a date's run.

        Parameters
        ----------
        date : np.datetime64
            Its date.

        Returns
        -------
        np.datetime64
            UTC: its start and the declared latency.
        """
        return self.reference_time(date) + hours(self.latency_hours)

    def published(self, block: Block) -> bool:
        """Tell whether a run can be out by now.

        Parameters
        ----------
        block : Block
            One run.

        Returns
        -------
        bool
            True where nobody has said what time it is.
        """
        now = commons().now
        return now is None or bool(self.available_time(block.times[0]) <= now)


def check_run(cycle: Cycle, words: str) -> None:
    """Refuse runs that are none, and fire days that they do not reach.

    Parameters
    ----------
    cycle : Cycle
        Runs, hours and days.
    words : str
        Whose, for messages.

    Raises
    ------
    ConfigError
        In these cases.
    """
    if cycle.hour not in (0, 6, 12, 18):
        raise ConfigError(f"{words} start at 0, 6, 12 or 18 UTC, not at {cycle.hour}: change cycle")
    last = cycle.steps[-1][0]
    most = (last - cycle.first) // 24
    if not 1 <= cycle.days <= most:
        raise ConfigError(
            f"{words} of {cycle.hour:02d} UTC reach {last} h and hold {most} whole fire days, not "
            f"{cycle.days}: give days from 1 to {most}"
        )


def layout_of(
    group: str, cycle: Cycle, attrs: dict[str, str | float], *, ensemble: bool = False
) -> Layout:
    """Give the layout of a model's group: one block is one run over the whole box.

    Parameters
    ----------
    group : str
        Its name.
    cycle : Cycle
        Which runs, hours and days.
    attrs : dict
        Source, provider and licence.
    ensemble : bool
        Whether the spread of its members is kept, too.

    Returns
    -------
    Layout
        Daily variables, ``(time, lead_time, y, x)``, ``time`` being the date of the run.
    """
    over = {"cell_methods": "realization: standard_deviation"}
    spreads = [f"{name}_spread" for name in SPREADS if ensemble]
    return Layout(
        group=group,
        level=10_000,
        variables=(
            *(Variable(name=name, leads=cycle.leads) for name in VARIABLES),
            *(Variable(name=name, leads=cycle.leads, attrs=dict(over)) for name in spreads),
        ),
        steps=1,
        whole_box=True,
        attrs={
            **attrs,
            "cycle": cycle.hour,
            "day_start": cycle.day_start,
            "latency_hours": cycle.latency_hours,
        },
    )
