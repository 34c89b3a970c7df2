"""Forecast cycles: from the hours of one run of a weather model to its fire days.

Nonlinear quantities are computed hour by hour before anything is averaged or resampled, as for
reanalyses. Rain comes accumulated since the start of the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from firesat.blocks import Block, Layout, Variable
from firesat.errors import ConfigError, SourceError
from firesat.sources._hours import HourTable, noon_hour
from firesat.sources._layers import NEVER, hours, layer
from firesat.sources._weather import Field
from firesat.sources.base import Scene
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


def layout_of(group: str, cycle: Cycle, attrs: dict[str, str | float]) -> Layout:
    """Give the layout of a model's group: one block is one run over the whole box.

    Parameters
    ----------
    group : str
        Its name.
    cycle : Cycle
        Which runs, hours and days.
    attrs : dict
        Source, provider and licence.

    Returns
    -------
    Layout
        Daily variables, ``(time, lead_time, y, x)``, ``time`` being the date of the run.
    """
    return Layout(
        group=group,
        level=10_000,
        variables=tuple(Variable(name=name, leads=cycle.leads) for name in VARIABLES),
        steps=1,
        whole_box=True,
        attrs={
            **attrs,
            "cycle": cycle.hour,
            "day_start": cycle.day_start,
            "latency_hours": cycle.latency_hours,
        },
    )


def compose_run(
    cycle: Cycle,
    noon: int | None,
    scenes: Sequence[tuple[Scene, xr.Dataset]],
    block: Block,
) -> xr.Dataset:
    """Turn the hours of a run into its fire days.

    Parameters
    ----------
    cycle : Cycle
        Which run, hours and days.
    noon : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    scenes : sequence of (Scene, xr.Dataset)
        Its hours, aligned to the block's cells.
    block : Block
        The run.

    Returns
    -------
    xr.Dataset
        The variables, ``(time, lead_time, y, x)``; a fire day that lacks an hour is NaN, and a run
        without any whole fire day never available. Rain of the 24 h to noon is NaN where it began
        before the run.

    Raises
    ------
    SourceError
        If a file holds another hour than its name says.
    """
    date = block.times[0]
    start = cycle.reference_time(date)
    for scene, dataset in scenes:
        _check_hour(scene, dataset)
    table = HourTable.join([dataset for _, dataset in scenes], block.geobox.shape)
    of_day = tuple((cycle.hour + lead) % 24 for lead in cycle.within(0))
    at_noon = noon_hour(block.region, of_day) if noon is None else noon
    arrays = {
        name: np.full((1, cycle.days, *block.geobox.shape), np.nan, "float32") for name in VARIABLES
    }
    for day in range(cycle.days):
        for name, values in _day(cycle, day, at_noon, (table, start)):
            arrays[name][0, day] = values
    there = bool(np.isfinite(arrays["t2m"]).any())
    available = np.array([cycle.available_time(date) if there else NEVER])
    return layer(arrays, block, available, inner="lead_time")


def _check_hour(scene: Scene, dataset: xr.Dataset) -> None:
    """Refuse a file that holds another hour than its name says."""
    found = dataset["time"].values.astype("datetime64[s]")
    if found.size != 1 or found[0] != scene.observed:
        raise SourceError(
            f"{scene.id} should be valid at {scene.observed}, but is at "
            f"{', '.join(map(str, found))}: delete it and run the command again later"
        )


def _day(
    cycle: Cycle, day: int, noon: int, run: tuple[HourTable, np.datetime64]
) -> Iterator[tuple[str, Field]]:
    """Values of one fire day."""
    table, start = run
    within, end = cycle.within(day), cycle.leads[day]

    def at(name: str, lead: int) -> Field:
        """A field at a lead; no rain has fallen when the run starts."""
        if name == "tp" and lead == 0:
            return np.zeros(table.shape, dtype="float32")
        field: Field = table.at(name, np.array([start + hours(lead)]))[0]
        return field

    for name in ("t2m", "rh", "vp", "ws"):
        stack = np.stack([at(name, lead) for lead in within])
        yield name, stack.mean(axis=0, dtype="float64").astype("float32")
        if name == "t2m":
            yield "t2m_max", stack.max(axis=0)
            yield "t2m_min", stack.min(axis=0)
    yield "tp", np.maximum(at("tp", end) - at("tp", end - 24), 0)
    wanted = end - 24 + (noon - cycle.day_start) % 24
    midday = min(within, key=lambda lead: abs(lead - wanted))
    for name in ("t2m", "rh", "ws"):
        yield f"{name}_noon", at(name, midday)
    if midday >= 24:
        yield "tp_noon", np.maximum(at("tp", midday) - at("tp", midday - 24), 0)
