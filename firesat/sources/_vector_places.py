"""Where the features of a vector file lie: its layer, its CRS, and whether that can be."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
from pyproj import CRS, Transformer

from firesat.errors import CorruptFileError, GridError

NBAC_CRS = CRS.from_epsg(3978)  # as NBAC documents
AROUND_CANADA = (-170.0, 35.0, -40.0, 90.0)  # degrees, wide: the neighbours' fires may be listed


def one_layer(path: Path, plain: Path) -> str:
    """Name the one layer of a file that has places.

    Parameters
    ----------
    path : Path
        The file, for messages.
    plain : Path
        The same, unpacked.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    CorruptFileError
        If there are more or fewer.
    """
    layers = [str(name) for name, kind in pyogrio.list_layers(plain) if kind is not None]
    if len(layers) != 1:
        raise CorruptFileError(
            f"{path} holds {len(layers)} layers with geometry ({', '.join(layers)}), not one: "
            "export the perimeters alone"
        )
    return layers[0]


def with_crs(
    path: Path, frame: gpd.GeoDataFrame, *, nbac: bool
) -> tuple[gpd.GeoDataFrame, tuple[str, ...]]:
    """Give features a CRS: their own, or NBAC's documented one.

    Parameters
    ----------
    path : Path
        The file, for messages.
    frame : gpd.GeoDataFrame
        Features.
    nbac : bool
        Whether the file is of NBAC.

    Returns
    -------
    frame : gpd.GeoDataFrame
        With a CRS.
    notes : tuple of str
        What was assumed.

    Raises
    ------
    GridError
        If there is none.
    """
    if frame.crs is not None:
        return frame, ()
    if not nbac:
        raise GridError(f"{path} names no CRS: give it one, such as by a .prj file beside it")
    return frame.set_crs(NBAC_CRS), ("no CRS in the file: EPSG:3978 assumed, as NBAC documents",)


def check_units(path: Path, frame: gpd.GeoDataFrame) -> None:
    """Refuse degrees under a metric CRS, the reverse, and features that lie far from Canada.

    Parameters
    ----------
    path : Path
        The file, for messages.
    frame : gpd.GeoDataFrame
        Features with a CRS.

    Raises
    ------
    GridError
        If the CRS is not that of the coordinates.
    """
    x0, y0, x1, y1 = frame.total_bounds
    if not np.isfinite([x0, y0, x1, y1]).all():
        return  # no features, or none that are sound: others say so
    like_degrees = x0 >= -360 and x1 <= 360 and y0 >= -90 and y1 <= 90
    there = f"{x0:.6g} to {x1:.6g}, {y0:.6g} to {y1:.6g}"
    if like_degrees and frame.crs.is_projected:
        raise GridError(
            f"{path} has coordinates in degrees ({there}) under the metric CRS {frame.crs.name}: "
            "declare EPSG:4326"
        )
    if frame.crs.is_geographic and not like_degrees:
        raise GridError(
            f"{path} has coordinates that are no longitude and latitude ({there}) under "
            f"{frame.crs.name}: declare the CRS they have, or swap them"
        )
    _check_country(path, frame, there)


def _check_country(path: Path, frame: gpd.GeoDataFrame, there: str) -> None:
    """Refuse features of which none lies near Canada: their CRS is another than is said."""
    to_degrees = Transformer.from_crs(frame.crs, "EPSG:4326", always_xy=True)
    left, bottom, right, top = to_degrees.transform_bounds(*frame.total_bounds)
    west, south, east, north = AROUND_CANADA
    # right < left where the box crosses the date line
    near = bottom < north and top > south and (right < left or (left < east and right > west))
    if not near:
        raise GridError(
            f"{path} lies far from Canada, at {left:.1f} {bottom:.1f} {right:.1f} {top:.1f} "
            f"degrees ({there} under {frame.crs.name}): declare the CRS its coordinates have"
        )
