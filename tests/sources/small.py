"""A small region and what each source's scenes look like on it."""

import numpy as np
import shapely
import xarray as xr

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block, cut
from firesat.grid import Grid
from firesat.sources._layers import end_of_fire_day, hours
from firesat.sources._perimeters import DATES
from firesat.sources.base import Scene, Source

GRID = Grid(region=(10_000, 620_000, 30_000, 640_000))
ONE = np.timedelta64(1, "D")
DAYS = np.arange(np.datetime64("2023-07-01"), np.datetime64("2023-07-05"))


def first_block(source: Source, days: np.ndarray = DAYS) -> Block:
    return next(iter(cut(source.layout, GRID, source.times(days))))


def scene(block: Block, observed: np.datetime64, latency: float, **request: object) -> Scene:
    return Scene(
        id="made",
        source=block.group,
        observed=observed,
        available=observed + hours(latency),
        request=request,
    )


def _fields(block: Block, names: dict[str, float], times: np.ndarray | None = None) -> xr.Dataset:
    leading = {} if times is None else {"time": times}
    shape = (*(len(axis) for axis in leading.values()), *block.geobox.shape)
    dims = (*leading, "y", "x")
    variables = {
        name: (dims, np.full(shape, value, dtype="float32")) for name, value in names.items()
    }
    return xr.Dataset(variables, coords=leading)


def made_scenes(source: Source, block: Block) -> list[tuple[Scene, xr.Dataset]]:
    """Scenes of a source's kind, complete for the block, aligned to its cells."""
    latency = float(source.layout.attrs["latency_hours"])
    day = block.times[0].astype("datetime64[D]")
    last = block.times[-1].astype("datetime64[D]")
    end = end_of_fire_day(last)
    group = block.group
    if group == "sentinel2":
        dataset = _fields(block, {"observed": 1.0})
        stack = np.full((len(SENTINEL2_BANDS), *block.geobox.shape), 0.2, dtype="float32")
        dataset["reflectance"] = (("band", "y", "x"), stack)
        noon = day.astype("datetime64[s]") + hours(18)
        return [(scene(block, noon, latency), dataset)]
    if group.startswith("modis"):
        names = {each.name: 0.5 for each in source.layout.variables}
        return [(scene(block, source_end(source, block), latency), _fields(block, names))]
    if group in ("era5_land", "era5"):
        first = (day - ONE).astype("datetime64[h]")
        moments = np.arange(first, (last + 2 * ONE).astype("datetime64[h]"), hours(1))
        names = dict.fromkeys(("t2m", "skt", "rh", "vp", "ws", "tp", "swvl1", "sd"), 1.0)
        return [(scene(block, end, latency), _fields(block, names, moments))]
    if group.startswith("nwp_"):
        leads = range(int(max(source.layout.variables[0].leads)) + 1)
        names = dict.fromkeys(("t2m", "rh", "vp", "ws", "tp"), 1.0)
        begun = day.astype("datetime64[s]")
        return [
            (
                scene(block, begun + hours(lead), latency),
                _fields(block, names, begun + hours(lead) + np.zeros(1, "timedelta64[s]")),
            )
            for lead in leads
        ]
    if group == "cems_fire_weather":
        names = {each.name: 10.0 for each in source.layout.variables}
        noons = np.array(block.times, dtype="datetime64[h]") + np.timedelta64(12, "h")
        return [(scene(block, end, latency), _fields(block, names, noons))]
    if group in ("hotspots", "fire_reports", "nbac", "nfdb"):
        return [_listed(source, block)]
    names = {each.name: 1.0 for each in source.layout.variables}
    if group == "disturbance":
        names = {"fire_year": 2000.0, "harvest_year": 2000.0}
    return [(scene(block, block.times[0], latency), _fields(block, names))]


def _listed(source: Source, block: Block) -> tuple[Scene, xr.Dataset]:
    """A scene that is a table of fires or detections."""
    latency = float(source.layout.attrs["latency_hours"])
    day, last = (block.times[end].astype("datetime64[D]") for end in (0, -1))
    end = end_of_fire_day(last)
    if block.group in ("nbac", "nfdb"):
        square = shapely.box(15_000, 625_000, 16_000, 626_000)
        table = xr.Dataset(
            {
                "geometry": ("fire", shapely.to_wkb(np.array([square]))),
                "fire_id": ("fire", [7]),
                "prescribed": ("fire", [0.0]),
                **{date: ("fire", [19_540.0]) for date in DATES},
            },
            attrs={"crs_wkt": block.geobox.crs.to_wkt()},
        )
        observed = np.datetime64(f"{str(day)[:4]}-10-01", "s")
        return scene(block, observed, latency), table
    places = {"longitude": [-94.7], "latitude": [54.7]}
    moment = day.astype("datetime64[s]") + hours(20)
    more = {"power": [12.0], "moment": [moment], "day": [day], "natural": [True]}
    dim = "detection" if block.group == "hotspots" else "report"
    table = xr.Dataset({k: (dim, np.array(v)) for k, v in (places | more).items()})
    dates = [str(date) for date in np.arange(day, last + 2 * ONE)]
    return scene(block, end, latency, dates=dates), table


def source_end(source: Source, block: Block) -> np.datetime64:
    """End of what a block's last step shows, as the calendar and not the source tells it."""
    last = block.times[-1].astype("datetime64[D]")
    group = block.group
    if group.startswith("modis"):
        length = {"modis_vi": 16, "modis_fpar": 8}.get(group, 1)
        if "8-day" in str(source.layout.attrs["source"]):
            length = 8
        new_year = np.datetime64(f"{int(str(last)[:4]) + 1}-01-01", "D")
        return min(last + length * ONE, new_year).astype("datetime64[s]")
    if group == "sentinel2":  # overpasses of Canada: the middle of the fire day
        return last.astype("datetime64[s]") + hours(18)
    if group == "cems_fire_weather":  # noon weather, of which local noon is at most 21 UTC
        return last.astype("datetime64[s]") + hours(21)
    if group in ("nbac", "nfdb"):
        return np.datetime64(f"{str(last)[:4]}-10-01", "s")
    if group.startswith("nwp_"):  # a run is known once it is out, days before what it tells of
        return last.astype("datetime64[s]")
    if group in ("static", "disturbance"):
        return last.astype("datetime64[s]")
    return end_of_fire_day(last)
