"""How long the drying day is, by month and latitude, as the official implementation has it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Day length factor Le of eq 16 by month, for bands of latitude from south to north
# (Lawson and Armitage 2008, Weather Guide for the Canadian Forest Fire Danger Rating System)
_LE_SOUTH = (11.5, 10.5, 9.2, 7.9, 6.8, 6.2, 6.5, 7.4, 8.7, 10.0, 11.2, 11.8)  # 40 S
_LE_20_SOUTH = (10.1, 9.6, 9.1, 8.5, 8.1, 7.8, 7.9, 8.3, 8.9, 9.4, 9.9, 10.2)
_LE_EQUATOR = (9.0,) * 12
_LE_20_NORTH = (7.9, 8.4, 8.9, 9.5, 9.9, 10.2, 10.1, 9.7, 9.1, 8.6, 8.1, 7.8)
_LE_NORTH = (6.5, 7.5, 9.0, 12.8, 13.9, 13.9, 12.4, 10.9, 9.4, 8.0, 7.0, 6.0)  # 46 N
_LE_EDGES = (-30.0, -10.0, 10.0, 30.0)  # a band ends on its northern edge, which belongs to it

# Day length adjustment Lf of eq 22, likewise
_LF_SOUTH = (6.4, 5.0, 2.4, 0.4, -1.6, -1.6, -1.6, -1.6, -1.6, 0.9, 3.8, 5.8)
_LF_EQUATOR = (1.4,) * 12
_LF_NORTH = (-1.6, -1.6, -1.6, 0.9, 3.8, 5.8, 6.4, 5.0, 2.4, 0.4, -1.6, -1.6)
_LF_EDGES = (-20.0, 20.0)

DUFF = np.array([_LE_SOUTH, _LE_20_SOUTH, _LE_EQUATOR, _LE_20_NORTH, _LE_NORTH]).T.copy()
"""Le in hours by (month, band)."""

DROUGHT = np.array([_LF_SOUTH, _LF_EQUATOR, _LF_NORTH]).T.copy()
"""Lf by (month, band)."""

Bands = NDArray[np.uint8]


def duff_band(latitude: ArrayLike | None) -> Bands:
    """Find the column of `DUFF`.

    Parameters
    ----------
    latitude : array_like or None
        Degrees north; None = the standard of 46 N, as where the adjustment is switched off.

    Returns
    -------
    ndarray of uint8
        0 to 4, of the latitude's shape.
    """
    return _band(_LE_EDGES, latitude)


def drought_band(latitude: ArrayLike | None) -> Bands:
    """Find the column of `DROUGHT`.

    Parameters
    ----------
    latitude : array_like or None
        Degrees north; None = the north of 20 N, as where the adjustment is switched off.

    Returns
    -------
    ndarray of uint8
        0 to 2, of the latitude's shape.
    """
    return _band(_LF_EDGES, latitude)


def _band(edges: tuple[float, ...], latitude: ArrayLike | None) -> Bands:
    """Number of edges that lie south of a latitude."""
    row = len(edges) if latitude is None else np.searchsorted(edges, np.asarray(latitude))
    return np.asarray(row, dtype="uint8")
