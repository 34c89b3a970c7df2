"""A Sentinel-2 tile onto the national grid, beside the peers' own calls.

B1 warps 20 m pixels to 20 m cells. B2 masks by the scene classification and averages to 100 m, four
dates. Ours are the calls that an ingest makes; its lattice is worked out once for a pair of grids,
as in production, and the peers work theirs out in each call, as theirs do.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords, xr_reproject
from rasterio.enums import Resampling
from rasterio.warp import reproject
from scipy.ndimage import zoom

from benchmarks.timing import Timing, interleaved
from firesat import footprint
from firesat.geometry import remembered_geometry
from firesat.grid import Grid, Tile
from firesat.raster import warp

BANDS, DATES = 6, 4
CLEAR = np.isin(np.arange(256), (4, 5, 6, 7, 11))  # of the scene classification
SIDE = 5490
TILE = GeoBox((SIDE, SIDE), Affine(20, 0, 499_980, 0, -20, 6_000_000), "EPSG:32611")
AREA = Tile(12, 32)  # a tile of the cube that lies within it almost whole
REPETITIONS = 3


def tile() -> np.ndarray:
    """Digital numbers: smooth land with edges and noise, a corner outside the swath."""
    rng = np.random.default_rng(0)
    rough = zoom(rng.normal(0, 250, (BANDS, 61, 61)), (1, 90, 90), order=1)
    fields = rng.normal(1500, 400, (BANDS, 183, 183)).repeat(30, axis=1).repeat(30, axis=2)
    numbers = np.clip(fields + rough + rng.normal(0, 40, fields.shape), 1, 9000).astype("uint16")
    numbers[:, :900, :900] = 0
    return np.ascontiguousarray(numbers)


def classes(date: int) -> np.ndarray:
    """A scene classification: a third under cloud."""
    rng = np.random.default_rng(date)
    coarse = zoom(rng.normal(0, 1, (61, 61)), 90, order=1)
    return np.where(coarse > 0.3, 9, 4).astype("uint8")


def labelled(numbers: np.ndarray) -> xr.DataArray:
    """As the peers take it."""
    return xr.DataArray(
        numbers, dims=("band", "y", "x"), coords=xr_coords(TILE), attrs={"nodata": 0}
    )


def by_rasterio(
    numbers: np.ndarray, cells: GeoBox, rule: str, tolerance: float = 0.125
) -> np.ndarray:
    """GDAL's warper on two threads; places are good to an eighth of a pixel, or exact at 0.

    Exact also means that it does not smooth: it takes turned pixels for finer ones.
    """
    plain = {} if tolerance else {"XSCALE": 1, "YSCALE": 1}
    out = np.zeros((len(numbers), *cells.shape), dtype=numbers.dtype)
    reproject(
        numbers, out, src_transform=TILE.affine, src_crs=str(TILE.crs), src_nodata=0,
        dst_transform=cells.affine, dst_crs=str(cells.crs), dst_nodata=0,
        resampling=Resampling[rule], num_threads=2, tolerance=tolerance, **plain,
    )  # fmt: skip
    return out


def by_odc(numbers: np.ndarray, cells: GeoBox, rule: str) -> np.ndarray:
    """odc-geo's reprojection in memory."""
    return xr_reproject(labelled(numbers), cells, resampling=rule).values


def by_rioxarray(numbers: np.ndarray, cells: GeoBox, rule: str) -> np.ndarray:
    """rioxarray's call."""
    import rioxarray  # noqa: F401  registers the accessor

    data = labelled(numbers).rio.write_crs(str(TILE.crs)).rio.write_nodata(0)
    found = data.rio.reproject(
        str(cells.crs), transform=cells.affine, shape=cells.shape, resampling=Resampling[rule]
    )
    return found.values


def peers(numbers: np.ndarray, cells: GeoBox, rule: str) -> dict[str, Callable[[], np.ndarray]]:
    """All that are installed."""
    found: dict[str, Callable[[], np.ndarray]] = {
        "rasterio, 2 threads": partial(by_rasterio, numbers, cells, rule),
        "odc-geo xr_reproject": partial(by_odc, numbers, cells, rule),
    }
    if find_spec("rioxarray") is not None:
        found["rioxarray reproject"] = partial(by_rioxarray, numbers, cells, rule)
    return found


def noted(timings: list[Timing], pixels: float, verdict: str) -> list[Timing]:
    """With rates, and whether the answers agree."""
    rates = [f"{pixels / t.median / 1e6:.0f} Mpx/s" for t in timings]
    return [
        replace(t, note=f"{rate}{verdict if number == 0 else ''}")
        for number, (t, rate) in enumerate(zip(timings, rates, strict=True))
    ]


def same_size(rule: str) -> list[Timing]:
    """20 m pixels to 20 m cells."""
    numbers, cells = tile(), Grid().tile_geobox(AREA, 20)
    run = partial(warp, numbers, TILE, cells, rule, missing=0)
    part = cells[2000:3000, 2000:3000]  # exact places take GDAL a second a million
    ours = run()[:1, 2000:3000, 2000:3000].astype("int64")
    theirs = by_rasterio(numbers[:1], part, rule, 0.0).astype("int64")
    there = (ours > 0) & (theirs > 0)
    gap = np.abs(ours - theirs)
    share = float((gap[there] <= (rule == "bilinear")).mean())
    both = float(((ours > 0) == (theirs > 0)).mean())
    good = share >= 0.999 and both >= 0.999
    verdict = f", {share:.5f} as GDAL's exact ones{'' if good else ' (DIFFERENT ANSWER)'}"
    timings = interleaved({"firesat.raster.warp": run} | peers(numbers, cells, rule), REPETITIONS)
    return noted(timings, float(BANDS * cells.shape[0] * cells.shape[1]), verdict)


def masked_average() -> list[Timing]:
    """20 m pixels, masked, to 100 m cells."""
    numbers, cells = tile(), Grid().tile_geobox(AREA, 100)
    scl = [classes(date) for date in range(DATES)]

    def ours(date: int) -> np.ndarray:
        grade = (CLEAR.astype("uint8") * np.uint8(2))[scl[date]]
        grade *= numbers[0] > 0
        return footprint.average(numbers, grade, remembered_geometry(TILE, cells)).mean

    def theirs(call: Callable[..., np.ndarray], date: int) -> np.ndarray:
        return call(np.where(CLEAR[scl[date]], numbers, np.uint16(0)), cells, "average")

    def all_dates(run: Callable[[int], np.ndarray]) -> Callable[[], None]:
        def dates() -> None:
            for date in range(DATES):
                run(date)

        return dates

    calls = {"rasterio, 2 threads": by_rasterio, "odc-geo xr_reproject": by_odc}
    if find_spec("rioxarray") is not None:
        calls["rioxarray reproject"] = by_rioxarray
    contenders = {"firesat.footprint.average": all_dates(ours)}
    contenders |= {name: all_dates(partial(theirs, call)) for name, call in calls.items()}
    mine, other = ours(0), theirs(by_rasterio, 0).astype("float64")
    there = np.isfinite(mine) & (other > 0)
    gaps = (mine - other)[there]
    good = abs(float(gaps.mean())) <= 0.5
    verdict = (
        f", {gaps.mean():+.2f} DN of GDAL's mean, {np.abs(gaps).mean():.1f} DN a cell"
        f"{'' if good else ' (DIFFERENT ANSWER)'}"
    )
    timings = interleaved(contenders, REPETITIONS)
    return noted(timings, float(DATES * BANDS * SIDE**2), verdict)
