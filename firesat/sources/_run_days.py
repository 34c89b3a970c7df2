"""From the hours of one run of a weather model to its fire days.

Nonlinear quantities are computed hour by hour before anything is averaged or resampled, as for
reanalyses. Rain comes accumulated since the start of the run.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr

from firesat.blocks import Block
from firesat.errors import SourceError
from firesat.sources._cycles import VARIABLES, Cycle
from firesat.sources._hours import HourTable, noon_hour
from firesat.sources._layers import NEVER, hours, layer
from firesat.sources._spread import Spread
from firesat.sources._weather import Field
from firesat.sources.base import Scene


def compose_run(
    cycle: Cycle,
    noon: int | None,
    scenes: Iterable[tuple[Scene, xr.Dataset]],
    block: Block,
    *,
    ensemble: bool = False,
) -> xr.Dataset:
    """Turn the hours of a run into its fire days.

    Parameters
    ----------
    cycle : Cycle
        Which run, hours and days.
    noon : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    scenes : iterable of (Scene, xr.Dataset)
        Its hours, aligned to the block's cells; walked over once.
    block : Block
        The run.
    ensemble : bool
        Whether the spread of its members is wanted, too.

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
    spread = Spread([cycle.within(n) for n in range(cycle.days)], cycle.leads, block.geobox.shape)
    kept = []
    for scene, dataset in scenes:
        _check_hour(scene, dataset)
        kept.append(spread.take(int((scene.observed - start) / hours(1)), dataset))
    table = HourTable.join(kept, block.geobox.shape)
    of_day = tuple((cycle.hour + lead) % 24 for lead in cycle.within(0))
    at_noon = noon_hour(block.region, of_day) if noon is None else noon
    arrays = {
        name: np.full((1, cycle.days, *block.geobox.shape), np.nan, "float32") for name in VARIABLES
    }
    for day in range(cycle.days):
        for name, values in _day(cycle, day, at_noon, (table, start)):
            arrays[name][0, day] = values
    if ensemble:
        arrays |= {name: values[np.newaxis] for name, values in spread.arrays.items()}
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
