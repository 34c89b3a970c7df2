"""Static layers from vector files: distances to features, and the share of cells they cover."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt

from firesat.coverage import burned_fraction
from firesat.errors import CorruptFileError, GridError
from firesat.grid import crs_of, geobox
from firesat.sources._drawing import reproject
from firesat.sources._layers import bounds_in
from firesat.sources._vector_places import check_units, one_layer
from firesat.sources._vectors import VECTORS, unpacked


def is_vector(href: str) -> bool:
    """Tell whether a layer's file holds features, not cells.

    Parameters
    ----------
    href : str
        Its name.

    Returns
    -------
    bool
        By its ending.
    """
    return href.lower().endswith(VECTORS)


def features_near(
    path: Path, region: GeoBox, margin: float, columns: Sequence[str] = ()
) -> tuple[gpd.GeoDataFrame, NDArray[np.object_]]:
    """Read the features of a file that may touch a region.

    Parameters
    ----------
    path : Path
        Vector file, or a zip of one.
    region : GeoBox
        Cells in metres.
    margin : float
        Metres around them.
    columns : sequence of str
        Columns to read.

    Returns
    -------
    frame : gpd.GeoDataFrame
        The features, their numbers in the file as index.
    shapes : ndarray of shapely geometry
        In the region's CRS; those without geometry are gone from both.

    Raises
    ------
    CorruptFileError
        If the file is damaged, or lies elsewhere as a whole.
    GridError
        If it has no CRS, or not that of its coordinates.
    """
    with unpacked(path) as plain:
        try:
            layer = one_layer(path, plain)
            info = pyogrio.read_info(plain, layer=layer, force_total_bounds=True)
            wanted = _window(path, info, _grown(region, margin))
            found = gpd.GeoDataFrame(
                pyogrio.read_dataframe(
                    plain, layer=layer, bbox=wanted, columns=list(columns), fid_as_index=True,
                    on_invalid="ignore",
                )
            )  # fmt: skip
        except (DataSourceError, DataLayerError, ValueError) as error:
            why = " ".join(str(error).split())
            raise CorruptFileError(f"{path} cannot be read ({why}): fetch it again") from error
    sound = found[~(found.geometry.isna() | found.geometry.is_empty)]
    shapes = shapely.make_valid(shapely.force_2d(sound.geometry.to_numpy()))
    return sound, reproject(shapes, sound.crs.to_wkt(), crs_of(region).to_wkt())


def _grown(region: GeoBox, margin: float) -> GeoBox:
    """The region and what lies around it, on the same lines."""
    size = round(region.resolution.x)
    edge = np.ceil(margin / size) * size
    box = region.boundingbox
    extent = box.left - edge, box.bottom - edge, box.right + edge, box.top + edge
    return geobox(extent, str(crs_of(region)), size)


def _window(path: Path, info: dict[str, object], grown: GeoBox) -> tuple[float, ...]:
    """The box around a region in the CRS of a file that covers it."""
    if not info["features"]:
        raise CorruptFileError(f"{path} is empty: give a file with features")
    if not info["crs"]:
        raise GridError(f"{path} names no CRS: give it one, such as by a .prj file beside it")
    whole = shapely.box(*info["total_bounds"])  # type: ignore[misc]
    check_units(path, gpd.GeoDataFrame(geometry=[whole], crs=info["crs"]))
    wanted = bounds_in(grown, str(info["crs"]))
    if not shapely.intersects(whole, shapely.box(*wanted)):
        raise CorruptFileError(f"{path} does not cover the region: give a file that does")
    return wanted


def draw_layer(path: Path, target: Path, region: GeoBox, name: str, reach_km: float) -> None:
    """Turn a vector file into a layer of a region.

    Parameters
    ----------
    path : Path
        Roads, settlements or water.
    target : Path
        GeoTIFF to write, on the region's own cells.
    region : GeoBox
        Cells of 100 m.
    name : str
        "water" for the share that polygons cover; "..._distance" for kilometres to the nearest
        feature.
    reach_km : float
        Distance beyond which nothing is looked for: farther cells hold it.

    Raises
    ------
    CorruptFileError
        If the file is damaged, or lies elsewhere as a whole.
    GridError
        If it has no CRS, or not that of its coordinates.
    """
    if name == "water":
        _, shapes = features_near(path, region, 0.0)
        values = burned_fraction(shapes, region)
    else:
        _, shapes = features_near(path, region, 1000 * reach_km)
        values = distance_to(shapes, region, reach_km)
    height, width = region.shape
    with rasterio.open(
        target, "w", driver="GTiff", width=width, height=height, count=1, dtype="float32",
        crs=crs_of(region).to_wkt(), transform=region.affine, nodata=-9999, compress="deflate",
    ) as raster:  # fmt: skip
        raster.write(values, 1)


def distance_to(
    shapes: NDArray[np.object_], region: GeoBox, reach_km: float
) -> NDArray[np.float32]:
    """Measure how far the nearest feature is from each cell.

    Parameters
    ----------
    shapes : ndarray of shapely geometry
        Points, lines or polygons in the CRS of `region`.
    region : GeoBox
        Cells in metres.
    reach_km : float
        Largest distance.

    Returns
    -------
    ndarray of float32, shape (Y, X)
        Kilometres between the centres of cells: 0 where a feature touches the cell, `reach_km`
        where none is nearer. Right to half a cell on either side.
    """
    if not len(shapes):
        return np.full(region.shape, reach_km, dtype=np.float32)
    grown = _grown(region, 1000 * reach_km)
    touched = rasterize(
        shapes, out_shape=grown.shape, transform=grown.affine, all_touched=True, dtype="uint8"
    )
    if not touched.any():
        return np.full(region.shape, reach_km, dtype=np.float32)
    size = region.resolution.x / 1000
    edge = round((region.boundingbox.left - grown.boundingbox.left) / region.resolution.x)
    far = distance_transform_edt(touched == 0, sampling=size)
    inside = far[edge : edge + region.shape[0], edge : edge + region.shape[1]]
    distance: NDArray[np.float32] = np.minimum(inside, reach_km).astype(np.float32)
    return distance
