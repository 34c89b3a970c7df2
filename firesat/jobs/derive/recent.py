"""The group `sentinel2_recent`: the latest clear looks of each cell as of chosen issue days.

A state remembers, in its receipt, which scenes have been folded into it. It is brought up to date
from itself or from the state of an earlier issue day, whichever leaves fewer scenes to read; where
a scene has changed since, only states that have not seen it can be gone on from.

Looks and their ages are one array, hence one file: whoever reads meanwhile, or after a crash, finds
the old state or the new one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, Variable
from firesat.cube import Cube, open_cube
from firesat.errors import ConfigError, CubeError
from firesat.grid import TILE_SIZE
from firesat.jobs.derive.chain import Chain, days_of
from firesat.jobs.derive.looks import LOOKS, read_scene, to_layer
from firesat.jobs.derive.recipe import Made, Needed, Recipe
from firesat.manifest import Receipt
from firesat.sources.settings import RecentSettings
from firesat.window import DAY_START, Window, parse_day, reference_time

GROUP, INPUT = "sentinel2_recent", "sentinel2"
_DAY = np.timedelta64(1, "D")
Days = NDArray[np.datetime64]


def recent_recipe(settings: RecentSettings) -> Recipe:
    """Make the recipe of some settings.

    Parameters
    ----------
    settings : RecentSettings
        Looks, history and issue days.

    Returns
    -------
    Recipe
        Of the group ``sentinel2_recent``.
    """
    return Recipe(
        group=GROUP,
        inputs=(INPUT,),
        revision=f"sentinel2_recent 1, {settings.rules}",
        layout=partial(_layout, settings),
        times=_times,
        needed=partial(_needed, settings),
        make=partial(_make, settings),
        choose=partial(_choose, settings),
        content=_content,
        reads=partial(_reads, settings),
    )


def _layout(settings: RecentSettings, path: Path) -> Layout:
    """As the scenes lie, one array of all looks and their ages."""
    scenes = open_cube(path, INPUT)
    names = tuple(scenes["reflectance"].attrs["band_names"])
    bands = tuple(
        f"{name}_{look}" for look in range(1, settings.looks + 1) for name in (*names, "age")
    )
    attrs: dict[str, str | float] = {
        "title": "latest clear Sentinel-2 looks of each cell, newest first",
        "source": f"derived from {INPUT}: B01_1 ... age_1 are those of the newest look; "
        "reflectance in steps of 1e-4, age in days from the look's fire day to the issue day",
        "history_days": settings.history,
        "min_clear": settings.min_clear,
        "day_start": _day_start(scenes),
    }
    _check_rules(path, attrs)
    return Layout(
        group=GROUP,
        level=int(scenes.attrs["firesat_layout"]["level"]),
        side=int(scenes.attrs["firesat_layout"].get("side", TILE_SIZE)),
        variables=(Variable(name=LOOKS, dtype="uint16", bands=bands, fill=65535),),
        attrs=attrs,
    )


def _check_rules(path: Path, wanted: Mapping[str, str | float]) -> None:
    """Refuse other rules than those by which the group was made."""
    try:
        found = open_cube(path, GROUP).attrs
    except CubeError:
        return  # there is none yet
    for name in ("history_days", "min_clear"):
        if found.get(name) != wanted[name]:
            raise CubeError(
                f"the cube's group {GROUP} was made with {name} {found.get(name)}, now "
                f"{wanted[name]}: put ingest.recent back, or take another cube.path"
            )


def _day_start(scenes: xr.Dataset) -> int:
    """Hour UTC at which the scenes' days begin."""
    return int(scenes.attrs.get("day_start", DAY_START))


def _times(path: Path) -> Days:
    """Issue days: those of the scenes, and the first after each season."""
    days = days_of(open_cube(path, INPUT))
    return np.union1d(days, days + _DAY)


def _needed(settings: RecentSettings, path: Path, rows: Sequence[Receipt]) -> Needed:
    """A block's tile, as far as a forecaster had it in hand on the issue day."""
    scenes = open_cube(path, INPUT)
    window = Window(history=settings.history, day_start=_day_start(scenes))
    ended = days_of(scenes).astype("datetime64[s]") + np.timedelta64(24 + window.day_start, "h")
    of_tile: defaultdict[tuple[int, ...], list[Receipt]] = defaultdict(list)
    for row in rows:
        if row.status == "done" and row.available[0]:
            of_tile[row.index[1:]].append(row)

    def admitted(block: Block) -> list[Receipt]:
        """By the rule of `composite.recent_looks`."""
        there = of_tile[block.index[1:]]
        known = [np.datetime64(row.available[0], "s") for row in there]
        issue = str(block.times[0].astype("datetime64[D]"))
        allowed = window.admits([ended[row.index[0]] for row in there], known, issue)
        return [row for row, good in zip(there, allowed, strict=True) if good]

    return admitted


def _choose(
    settings: RecentSettings,
    path: Path,
    blocks: Sequence[Block],
    rows: Sequence[Receipt],
    known: Mapping[str, Receipt],
) -> list[Block]:
    """The issue days that were asked for, else the next one, and all that were made before."""
    axis, start = _times(path), _day_start(open_cube(path, INPUT))
    days = _issue_days(settings, axis)
    wanted = set(days if days.size else [_next_day(rows, axis, start)])
    wanted |= {axis[row.index[0]] for row in known.values()}
    needed = _needed(settings, path, rows)
    chosen = []
    for block in blocks:
        before = known[block.key].status if block.key in known else ""
        asked = block.times[0].astype("datetime64[D]") in wanted
        if asked and (before == "done" or needed(block)):
            chosen.append(block)
    return chosen


def _issue_days(settings: RecentSettings, axis: Days) -> Days:
    """The days of the settings."""
    days = np.array([parse_day(day) for day in settings.days], dtype="datetime64[D]")
    outside = days[~np.isin(days, axis)]
    if outside.size:
        raise ConfigError(
            f"ingest.recent.days: {outside[0]} is none of the cube's days, {axis[0]} to {axis[-1]}"
        )
    return days


def _next_day(rows: Sequence[Receipt], axis: Days, start: int) -> np.datetime64:
    """The first issue day on which all that is there was in hand."""
    known = [row.available[0] for row in rows if row.status == "done" and row.available[0]]
    newest = np.datetime64(max(known, default="1970-01-01"), "s")
    later = [day for day in axis if reference_time(str(day), start) >= newest]
    day: np.datetime64 = later[0] if later else axis[-1]
    return day


def _content(receipt: Receipt) -> tuple[str, ...]:
    """A scene's pixels, and since when they could be had."""
    return receipt.key, receipt.status, receipt.checksum, *receipt.available


def _by_tile(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks of each tile, by issue day."""
    place = attrgetter("index")
    ordered = sorted(blocks, key=lambda block: (place(block)[1:], place(block)[0]))
    for _, tile in groupby(ordered, key=lambda block: place(block)[1:]):
        yield list(tile)


def _chain(settings: RecentSettings, cube: Cube) -> tuple[Chain, Needed]:
    """What states go on from, and what each needs."""
    manifest = cube.manifest()
    own = {row.key: row for row in manifest.rows(GROUP)}
    chain = Chain(cube=cube, layout=_layout(settings, cube.path), rules=settings, own=own)
    return chain, _needed(settings, cube.path, manifest.rows(INPUT))


def _make(settings: RecentSettings, cube: Cube, blocks: Sequence[Block]) -> Iterator[Made]:
    """Bring states up to date, tile by tile, each from what leaves the least to read."""
    if not blocks:
        return
    chain, needed = _chain(settings, cube)
    scenes = open_cube(cube.path, INPUT, packed=True)
    start = _day_start(scenes)
    for tile in _by_tile(blocks):
        for block in tile:
            state, new, folded = chain.begin(block, needed(block))
            for row in new:
                chain.add(state, block, row, read_scene(scenes, row.index))
            chain.keep(block, folded, state)
            known = np.array([reference_time(str(block.times[0].astype("datetime64[D]")), start)])
            layer = to_layer(state).assign_coords(available_time=("time", known))
            items = (settings.rules, *sorted(folded))
            yield Made(block=block, layer=layer, items=items, read=len(new))


def _reads(settings: RecentSettings, cube: Cube, blocks: Sequence[Block]) -> int:
    """How many scenes bringing some states up to date would read."""
    if not blocks:
        return 0
    chain, needed = _chain(settings, cube)
    total = 0
    for tile in _by_tile(blocks):
        for block in tile:
            rows = needed(block)
            total += chain.missing(block, rows)
    return total
