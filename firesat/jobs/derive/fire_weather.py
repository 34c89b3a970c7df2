"""The group `fire_weather`: our own Fire Weather Index from the noon values of ERA5-Land."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat import fwi
from firesat.blocks import Block, Layout, Variable
from firesat.cube import Cube, cells_of, latitude_of, open_cube
from firesat.jobs.derive.recipe import Made, Recipe, where
from firesat.manifest import Receipt

INPUT = "era5_land"
CODES = tuple(field.name for field in fields(fwi.Codes))
STEPS = 32  # days in a block
_DAY = np.timedelta64(1, "D")
Floats = NDArray[np.float64]


def _layout(path: Path) -> Layout:
    """The group lies on the cells, and comes as late, as the weather it is made from."""
    weather = open_cube(path, INPUT)
    copied = {
        key: weather.attrs[key] for key in ("latency_hours", "stream") if key in weather.attrs
    }
    return Layout(
        group="fire_weather",
        level=10_000,
        variables=tuple(Variable(name=name) for name in CODES),
        steps=STEPS,
        whole_box=True,
        attrs={
            "title": "Canadian Fire Weather Index System",
            "source": "derived from era5_land at local standard noon; codes are carried over up to "
            f"{fwi.LONGEST_GAP} days without weather, and else start at FFMC 85, DMC 6, DC 15",
            "references": "Van Wagner 1987, Forestry Technical Report 35",
            **copied,
        },
    )


def _times(path: Path) -> NDArray[np.datetime64]:
    """The days of the weather."""
    return np.asarray(open_cube(path, INPUT)["time"].values)


def _needs(block: Block, receipt: Receipt) -> bool:
    """A day's codes follow from all days before it."""
    return receipt.index[0] <= block.index[0]


def _make(cube: Cube, blocks: Sequence[Block]) -> Iterator[Made]:
    """Go through all days from the first, since each follows from the one before."""
    if not blocks:
        return
    weather = open_cube(cube.path, INPUT)
    latitude = latitude_of(cells_of(weather))
    state, before = fwi.start(latitude.shape), None
    wanted = {block.index[0]: block for block in blocks}
    for number in range(max(wanted) + 1):
        part = weather.isel(time=slice(STEPS * number, STEPS * (number + 1)))
        days = part["time"].values.astype("datetime64[D]")
        codes, state = _carry(part, days, latitude, (state, before))
        before = days[-1]
        if number in wanted:
            yield Made(block=wanted[number], layer=_layer(codes, part))


def _carry(
    part: xr.Dataset,
    days: NDArray[np.datetime64],
    latitude: Floats,
    carried: tuple[fwi.State, np.datetime64 | None],
) -> tuple[dict[str, Floats], fwi.State]:
    """Codes of a block's days; days that the axis leaves out pass without weather."""
    state, before = carried
    jumps = np.flatnonzero(np.diff(days) != _DAY) + 1
    made: dict[str, list[Floats]] = {name: [] for name in CODES}
    for steps in np.split(np.arange(len(days)), jumps):
        run, first = days[steps], days[steps[0]]
        state = fwi.skip(state, 0 if before is None else int((first - before) / _DAY) - 1)
        noon = {name: part[name].values[steps] for name in fwi.NOON}
        codes, state = fwi.from_noon(state, noon, run, latitude)
        for name in CODES:
            made[name].append(getattr(codes, name))
        before = run[-1]
    return {name: np.concatenate(values) for name, values in made.items()}, state


def _layer(codes: Mapping[str, Floats], part: xr.Dataset) -> xr.Dataset:
    """Days of codes as a block, available when their weather was."""
    known = part["available_time"].values[:, 0, 0]
    return xr.Dataset(
        {name: (("time", "y", "x"), values) for name, values in codes.items()},
        coords={"available_time": ("time", known)},
    )


FIRE_WEATHER = Recipe(
    group="fire_weather",
    inputs=(INPUT,),
    revision="fire_weather 2",
    layout=_layout,
    times=_times,
    needed=where(_needs),
    make=_make,
)
