"""A small synthetic cube with every group of the demo, for tests: one tile, 20 x 20 km, 90 days.

Values are simple functions of place and day, so that a test can work them out by hand; the seed
moves only clouds and noise. Row and column always count 100 m cells from the region's upper left.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, Layout, Variable
from firesat.cube import Cube, create_cube
from firesat.grid import Grid
from firesat.manifest import Receipt

REGION = (10_000.0, 660_000.0, 30_000.0, 680_000.0)
CELLS = 200  # of 100 m along the region's side
START, DAYS = "2023-05-01", 90
HOUR = np.timedelta64(1, "h")
DAY = np.timedelta64(1, "D")
LAKE = (slice(0, 30), slice(100, 160))

LATENCY = {  # hours from the end of the observation
    "sentinel2": 6, "modis_vi": 48, "modis_lst": 48, "era5_land": 120, "cems_fire_weather": 48,
    "fire_weather": 120, "hotspots": 0, "nbac": 24 * 200, "labels": 24 * 200, "static": 0,
}  # fmt: skip

WEATHER = ("t2m", "t2m_max", "t2m_min", "skt", "rh", "vp", "ws", "tp", "swvl1", "sd",
           "t2m_noon", "rh_noon", "ws_noon", "tp_noon")  # fmt: skip
CODES = ("ffmc", "dmc", "dc", "isi", "bui", "fwi")
STATIC = ("elevation", "slope", "northness", "eastness", "fuel", "water", "road_distance")
LABELS = ("fraction", "fire_id", "burn_day", "earliest", "latest", "fire_start")
NBAC = ("fraction", "fire_id", "prescribed", "agency_start", "agency_end", "hotspot_start",
        "hotspot_end")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TinyFire:
    """A disc that grows by `rate` cells a day, for `days` days from day `start` of the cube.

    `slack` is the error of its dates in days; None = only an agency's date, every cell may have
    burnt on any day of the fire.
    """

    fire_id: int
    row: int
    column: int
    start: int
    days: int
    rate: float
    slack: int | None = 0


FIRES = (
    TinyFire(fire_id=1, row=60, column=60, start=30, days=12, rate=2.0, slack=1),
    TinyFire(fire_id=2, row=140, column=120, start=50, days=14, rate=1.5),
    TinyFire(fire_id=3, row=50, column=170, start=55, days=13, rate=0.4, slack=None),
    TinyFire(fire_id=4, row=160, column=40, start=75, days=8, rate=3.0),
)


def layouts() -> dict[str, Layout]:
    """The groups of the demo as they are stored."""
    reflectance = Variable(
        name="reflectance", dtype="uint16", bands=SENTINEL2_BANDS, scale=1e-4, fill=65535
    )
    clear = Variable(name="clear", dtype="uint8", scale=0.01, fill=255)
    names = ("hotspot_count", "hotspot_count_before")
    counts = [Variable(name=name, dtype="uint16", fill=65535) for name in names]
    made = [
        Layout(group="sentinel2", level=100, variables=(reflectance, clear)),
        Layout(group="modis_vi", level=500, variables=_floats("ndvi", "evi")),
        Layout(group="modis_lst", level=1000, variables=_floats("lst_day", "lst_night")),
        _box("era5_land", WEATHER),
        _box("cems_fire_weather", CODES),
        _box("fire_weather", (*CODES, "dsr")),
        Layout(group="hotspots", level=500, steps=32, variables=(*counts, *_floats("frp"))),
        Layout(group="nbac", level=100, variables=_floats(*NBAC)),
        Layout(group="labels", level=100, variables=_floats(*LABELS)),
        Layout(group="static", level=100, variables=_floats(*STATIC)),
    ]
    attrs: dict[str, dict[str, float]] = {
        name: {"latency": h * 3600.0} for name, h in LATENCY.items()
    }
    attrs["hotspots"]["detection_latency_hours"] = 0.0
    return {layout.group: replace(layout, attrs=attrs[layout.group]) for layout in made}


def _floats(*names: str) -> tuple[Variable, ...]:
    return tuple(Variable(name=name) for name in names)


def _box(group: str, names: Iterable[str]) -> Layout:
    return Layout(group=group, level=10_000, steps=32, whole_box=True, variables=_floats(*names))


def write_tiny_cube(
    path: Path,
    seed: int = 0,
    *,
    start: str = START,
    days: int = DAYS,
    scene_every: int = 6,
    fires: tuple[TinyFire, ...] = FIRES,
    groups: Iterable[str] | None = None,
    day_start: int = 12,
) -> Path:
    """Write the cube.

    Parameters
    ----------
    path : Path
        Ends in ``.zarr``.
    seed : int
        Of clouds and noise.
    start : str
        First fire day; all days must lie in one year.
    days : int
        Number of fire days.
    scene_every : int
        Days between Sentinel-2 scenes; the first is of day 0.
    fires : tuple of TinyFire
        What burns.
    groups : iterable of str, optional
        Only these groups; None = all. Sentinel-2 takes most of the time.
    day_start : int
        Hour UTC at which days begin.

    Returns
    -------
    Path
        `path`.
    """
    cube = create_cube(path, Grid(region=REGION))
    axis = np.datetime64(start, "D") + np.arange(days) * DAY
    world = World(axis=axis, fires=fires, seed=seed, scene_every=scene_every, day_start=day_start)
    for name in groups or layouts():
        times, fill, observed = world.group(name)
        layout = layouts()[name]
        if day_start != 12:
            layout = replace(layout, attrs={**layout.attrs, "day_start": day_start})
        write_group(cube, layout, times, fill, observed + LATENCY[name] * HOUR)
    return path


def write_group(
    cube: Cube,
    layout: Layout,
    times: NDArray[np.datetime64],
    fill: Callable[[str, int], NDArray[np.float64]],
    available: NDArray[np.datetime64],
) -> None:
    """Write every block of a group.

    `fill(variable, step)` gives the region's cells (or ``(band, Y, X)``) at a time step;
    `available` is NaT for a step without data.
    """
    receipts = []
    for block in cube.add_group(layout, times):
        first = block.index[0] * layout.steps
        steps = range(first, first + len(block.times))
        known = [str(available[i]) if not np.isnat(available[i]) else "" for i in steps]
        if any(known):
            cube.write_block(layout, block, _content(layout, block, steps, fill, available))
            receipts.append(
                Receipt(key=block.key, group=layout.group, status="done", available=known)
            )
    cube.record_times(receipts, layout)


def _content(
    layout: Layout,
    block: Block,
    steps: range,
    fill: Callable[[str, int], NDArray[np.float64]],
    available: NDArray[np.datetime64],
) -> xr.Dataset:
    """A block's variables: the region's values in their place, NaN around."""
    top, left = _offset(block)
    height, width = block.region.shape
    made = {}
    for variable in layout.variables:
        inner = variable.inner
        shape = (len(steps), *inner.values(), *block.geobox.shape)
        values = np.full(shape, np.nan, dtype="float32")
        inside = values[..., top : top + height, left : left + width]
        for number, step in enumerate(steps):
            if not np.isnat(available[step]):
                inside[number] = fill(variable.name, step)
        dims = ("time", *inner, "y", "x")
        made[variable.name] = (dims, values)
    return xr.Dataset(made)


def _offset(block: Block) -> tuple[int, int]:
    """Row and column of the region's upper left cell in its block."""
    box, region = block.geobox.boundingbox, block.region.boundingbox
    size = abs(block.geobox.resolution.x)
    return round((box.top - region.top) / size), round((region.left - box.left) / size)


@dataclass(frozen=True, kw_only=True)
class World:
    """What the tiny cube holds, as functions of place and day."""

    axis: NDArray[np.datetime64]
    fires: tuple[TinyFire, ...]
    seed: int
    scene_every: int
    day_start: int = 12

    def group(
        self, name: str
    ) -> tuple[
        NDArray[np.datetime64], Callable[[str, int], NDArray[np.float64]], NDArray[np.datetime64]
    ]:
        """Time axis, filler and end of each observation (NaT = none) of a group."""
        first = self.axis[0]
        begins = self.day_start * HOUR
        season = np.array([first.astype("datetime64[Y]").astype("datetime64[D]")])
        if name == "sentinel2":
            seen = self.axis.astype("datetime64[s]") + 18 * HOUR
            seen[np.arange(len(seen)) % self.scene_every != 0] = np.datetime64("NaT", "s")
            return self.axis, self.sentinel2, seen
        if name in ("modis_vi", "modis_lst"):
            length = 16 if name == "modis_vi" else 8
            times = self.axis[::length]
            return times, self.modis, times.astype("datetime64[s]") + length * DAY
        if name in ("nbac", "labels"):
            fill = self.nbac if name == "nbac" else self.labels
            return season, fill, season.astype("datetime64[s]") + 365 * DAY
        if name == "static":
            return season, self.static, np.array(["2015-01-01"], "datetime64[s]")
        fill = self.hotspots if name == "hotspots" else self.weather
        return self.axis, fill, self.axis.astype("datetime64[s]") + DAY + begins

    def sentinel2(self, variable: str, step: int) -> NDArray[np.float64]:
        """Band b has 0.05 + 0.01 b + 0.001 x day; burnt cells 0.02; clouds cover about a third."""
        rng = np.random.default_rng([self.seed, step])
        smooth = gaussian_filter(rng.standard_normal((CELLS, CELLS)), 15)
        cloudy = smooth > np.quantile(smooth, 0.67)
        if variable == "clear":
            return np.where(cloudy, 0.0, 1.0)
        bands = (0.05 + 0.01 * np.arange(len(SENTINEL2_BANDS)) + 0.001 * step)[:, None, None]
        values = np.broadcast_to(bands, (len(SENTINEL2_BANDS), CELLS, CELLS)).copy()
        burn_day = self.season()["burn_day"]
        with np.errstate(invalid="ignore"):
            values[:, burn_day < _day_number(self.axis[step])] = 0.02
        values[:, cloudy] = 0.7
        return values

    def modis(self, variable: str, step: int) -> NDArray[np.float64]:
        """NDVI 0.4 + 0.02 x step, EVI half of it; LST 290 + step by day, 275 by night."""
        value = {
            "ndvi": 0.4 + 0.02 * step,
            "evi": 0.2 + 0.01 * step,
            "lst_day": 290.0 + step,
            "lst_night": 275.0,
        }[variable]
        side = CELLS // 5 if variable in ("ndvi", "evi") else CELLS // 10
        return np.full((side, side), value)

    def weather(self, variable: str, step: int) -> NDArray[np.float64]:
        """(1 + number of the variable) + 0.01 x day + 0.1 x column - 0.2 x row, of 10 km cells."""
        names = (*WEATHER, *CODES, "dsr")
        row, column = np.mgrid[0:2, 0:2]
        values: NDArray[np.float64] = 1.0 + names.index(variable) + 0.01 * step + 0.1 * column
        return values - 0.2 * row

    def hotspots(self, variable: str, step: int) -> NDArray[np.float64]:
        """One detection per 100 m cell that burns on the day, published at once; 10 MW each."""
        burns = self.season()["burn_day"] == _day_number(self.axis[step])
        side = CELLS // 5
        count: NDArray[np.float64] = burns.reshape(side, 5, side, 5).sum((1, 3)).astype(float)
        return {"hotspot_count": 1.0, "hotspot_count_before": 0.0, "frp": 10.0}[variable] * count

    def nbac(self, variable: str, step: int) -> NDArray[np.float64]:
        """Perimeters with the fires' first and last day."""
        season = self.season()
        burnt = season["fraction"] > 0
        if variable == "prescribed":
            return np.zeros((CELLS, CELLS))
        if variable in ("fraction", "fire_id"):
            return season[variable]
        days = {
            f.fire_id: f.start + (f.days if variable.endswith("end") else 0) for f in self.fires
        }
        dated = {f.fire_id for f in self.fires if f.slack is not None}
        values = np.full((CELLS, CELLS), np.nan)
        for fire_id, day in days.items():
            if fire_id in dated or variable.startswith("agency"):
                here = burnt & (season["fire_id"] == fire_id)
                values[here] = _day_number(self.axis[0]) + day
        return values

    def labels(self, variable: str, step: int) -> NDArray[np.float64]:
        """What :meth:`season` says."""
        return self.season()[variable]

    def season(self) -> dict[str, NDArray[np.float64]]:
        """The labels of the year; fraction falls from 1 to 0 across a fire's last cell."""
        made = {name: np.full((CELLS, CELLS), np.nan) for name in LABELS}
        made["fraction"][:] = 0.0
        made["fire_id"][:] = 0.0
        row, column = np.mgrid[0:CELLS, 0:CELLS]
        for fire in self.fires:
            distance = np.hypot(row - fire.row, column - fire.column)
            fraction = np.clip(fire.rate * fire.days - distance + 0.5, 0.0, 1.0)
            here = fraction > 0
            first = _day_number(self.axis[0]) + fire.start
            last = first + fire.days - 1
            day = np.minimum(first + np.floor(distance[here] / fire.rate), last)
            slack = fire.days if fire.slack is None else fire.slack
            made["fraction"][here] = fraction[here]
            made["fire_id"][here] = fire.fire_id
            made["burn_day"][here] = day
            made["earliest"][here] = np.maximum(day - slack, first)
            made["latest"][here] = np.minimum(day + slack, last)
            made["fire_start"][here] = first
        return made

    def static(self, variable: str, step: int) -> NDArray[np.float64]:
        """A plane rising eastward, a lake, a road along the western edge, five fuels in stripes."""
        row, column = np.mgrid[0:CELLS, 0:CELLS]
        water = np.zeros((CELLS, CELLS))
        water[LAKE] = 1.0
        values: dict[str, NDArray[np.float64]] = {
            "elevation": 200.0 + column,
            "slope": np.full((CELLS, CELLS), 1.0),
            "northness": np.full((CELLS, CELLS), 0.25),
            "eastness": np.full((CELLS, CELLS), -0.5),
            "fuel": np.where(water > 0, 0.0, 1.0 + (row // 40)),
            "water": water,
            "road_distance": 0.1 * column,
        }
        return values[variable]


def _day_number(day: np.datetime64) -> int:
    """Days since 1970-01-01."""
    return int(day.astype("datetime64[D]").astype(int))
