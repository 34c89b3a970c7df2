"""Sentinel Hub's Process: acquisitions, flattened, on the pixels that were asked for."""

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from firesat.bands import SENTINEL2_BANDS
from firesat.grid import crs_of
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.observe.sentinel2 import Acquisition
from firesat.sandbox.observe.warp import warp
from firesat.sandbox.servers.evalscript import MASK, Evalscript
from firesat.sandbox.servers.messages import RefusalError
from firesat.sandbox.world import World

MAX_PIXELS = 2500  # of a side: docs.sentinel-hub.com, Process API limits
BRIGHTEST = 32767  # digital numbers come with 15 bits
# The service lists these and the UTM zones; Canada's national Lambert is not among them.
_CODES = {4326, 3857, 3005, 3161, 3578, 3580, 3413, 3995}
_UTM = {*range(32601, 32661), *range(32701, 32761)}
_URI = re.compile(r"https?://www\.opengis\.net/def/crs/(?:EPSG/0/(\d+)|OGC/1\.3/(CRS84))")
_RESAMPLING = {
    "NEAREST": Resampling.nearest,
    "BILINEAR": Resampling.bilinear,
    "BICUBIC": Resampling.cubic,
}
_KEPT = 4  # acquisitions in memory; a 60 km region takes 19 MB each


def pixels(bounds: dict[str, Any], output: dict[str, Any]) -> GeoBox:
    """Read which pixels a request wants.

    Parameters
    ----------
    bounds : dict
        ``bbox`` and ``properties.crs`` as a URI.
    output : dict
        ``width`` and ``height``, 256 where absent.

    Returns
    -------
    GeoBox
        The pixels; longitude before latitude for degrees.

    Raises
    ------
    RefusalError
        If the box is empty, the size too large or the CRS unsupported.
    """
    width, height = int(output.get("width", 256)), int(output.get("height", 256))
    if not (1 <= width <= MAX_PIXELS and 1 <= height <= MAX_PIXELS):
        raise RefusalError(
            400, f"output.width and output.height must be 1 to {MAX_PIXELS}: {width} x {height}"
        )
    if len(bounds.get("bbox", ())) != 4:
        raise RefusalError(400, "input.bounds.bbox must have 4 numbers")
    x0, y0, x1, y1 = map(float, bounds["bbox"])
    if x1 <= x0 or y1 <= y0:
        raise RefusalError(400, f"input.bounds.bbox is empty: {bounds['bbox']}")
    uri = bounds.get("properties", {}).get("crs", "http://www.opengis.net/def/crs/OGC/1.3/CRS84")
    affine = Affine((x1 - x0) / width, 0, x0, 0, (y0 - y1) / height, y1)
    return GeoBox((height, width), affine, f"EPSG:{_code(uri)}")


def _code(uri: str) -> int:
    """EPSG code of a supported CRS."""
    found = _URI.fullmatch(uri)
    code = 4326 if found and found[2] else int(found[1]) if found else 0
    if code not in _CODES | _UTM:
        raise RefusalError(400, f"Unsupported CRS: {uri}")
    return code


def resampling(processing: dict[str, Any], cells: GeoBox, native: GeoBox) -> Resampling:
    """Choose the interpolation of a request: NEAREST unless it says otherwise.

    Parameters
    ----------
    processing : dict
        ``upsampling`` and ``downsampling``.
    cells : GeoBox
        The pixels wanted.
    native : GeoBox
        The pixels there are.

    Returns
    -------
    Resampling
        Of GDAL.

    Raises
    ------
    RefusalError
        If it has another name.
    """
    metres = cells.resolution.x * (111_320 if crs_of(cells).geographic else 1)
    key = "downsampling" if abs(metres) > abs(native.resolution.x) else "upsampling"
    name = str(processing.get(key, "NEAREST"))
    if name not in _RESAMPLING:
        raise RefusalError(400, f"processing.{key} must be one of {', '.join(_RESAMPLING)}")
    return _RESAMPLING[name]


def processing_units(script: Evalscript, cells: GeoBox) -> float:
    """Compute what a request costs.

    Source: docs.sentinel-hub.com, "Processing unit definition": 1 for 512 x 512 pixels of 3 bands
    with 16 bits; ``dataMask`` is free.

    Parameters
    ----------
    script : Evalscript
        Bands and their type.
    cells : GeoBox
        The pixels.

    Returns
    -------
    float
        Processing units, at least 0.005.
    """
    height, width = cells.shape
    size = max(height * width / 512**2, 0.01)
    bands = len([name for name in script.inputs if name != MASK]) / 3
    depth = 2 if script.sample_type == "float32" else 1
    return max(size * bands * depth, 0.005)


class Renderer:
    """Draws acquisitions; keeps the last few in memory.

    Parameters
    ----------
    world : World
        What is seen.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def draw(
        self,
        script: Evalscript,
        acquisitions: Sequence[Acquisition],
        cells: GeoBox,
        rule: Resampling,
    ) -> NDArray[Any]:
        """Flatten acquisitions into one picture, the first that has a pixel giving it.

        Parameters
        ----------
        script : Evalscript
            Bands to return.
        acquisitions : sequence of Acquisition
            In order of preference.
        cells : GeoBox
            The pixels.
        rule : Resampling
            How they are found between the native ones.

        Returns
        -------
        ndarray, shape (B, Y, X)
            Of the script's type; 0 where nothing was seen, which the mask tells from darkness.
        """
        names = [name for name in script.outputs if name != MASK]
        layers = names or ["B02"]  # the mask alone still needs something to look at
        picture = np.full((len(layers), *cells.shape), np.nan, dtype="float32")
        for number, acquisition in enumerate(acquisitions):
            empty = np.isnan(picture[0])
            if not empty.any():
                break
            drawn = self._warp(acquisition, layers, cells, rule)
            picture = np.where(empty, drawn, picture) if number else drawn
        return _digital(script, names, picture)

    def _warp(
        self, acquisition: Acquisition, names: list[str], cells: GeoBox, rule: Resampling
    ) -> NDArray[np.float32]:
        """Some bands of an acquisition on other pixels; NaN where not seen."""
        native = self._world.geobox
        everything = self._reflectance(acquisition)
        bands = everything[[SENTINEL2_BANDS.index(name) for name in names]]
        return warp(bands, native, cells, missing=np.nan, rule=rule)

    def _reflectance(self, acquisition: Acquisition) -> NDArray[np.float32]:
        """Native reflectance, NaN where not seen; rendered once for requests in a row."""
        with self._lock:
            if acquisition.id not in self._seen:
                values, valid = sentinel2.reflectance(self._world, acquisition)
                self._seen[acquisition.id] = np.where(valid, values, np.float32(np.nan))
                while len(self._seen) > _KEPT:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(acquisition.id)
            return self._seen[acquisition.id]


def _digital(script: Evalscript, names: list[str], picture: NDArray[np.float32]) -> NDArray[Any]:
    """Numbers as the script wants them, with the mask among the bands."""
    mask = np.isfinite(picture[0])
    scale, top = (10_000, BRIGHTEST) if script.units == "DN" else (1, np.inf)
    values = picture * np.float32(scale)
    np.clip(values, 0, top, out=values)
    np.nan_to_num(values, copy=False, nan=0.0)
    if script.units == "DN" or script.sample_type == "uint16":
        np.rint(values, out=values)
    result = np.empty((len(script.outputs), *mask.shape), dtype=script.sample_type)
    for index, name in enumerate(script.outputs):
        result[index] = mask if name == MASK else values[names.index(name)]
    return result
