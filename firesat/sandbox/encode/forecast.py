"""GRIB edition 2 messages of a forecast run, on regular and on rotated grids."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from firesat.sandbox.encode.alone import eccodes_alone
from firesat.sandbox.encode.latlon import LatLonGrid

_BITS = 16
_ENSEMBLE = {False: 1, True: 3}  # WMO table 4.0: 0 and 1 at a moment, 8 and 11 over an interval
# Southern pole of the Canadian regional grid, degrees (as its files have it).
POLE = (-36.08852, -114.694858)


@dataclass(frozen=True, kw_only=True)
class Code:
    """What GRIB calls a quantity.

    Parameters
    ----------
    category, number : int
        Of discipline 0, meteorology.
    surface, level : int
        Type of surface (103 = height above ground in m, 1 = ground) and its value.
    accumulated : bool
        Whether it is a sum since the start of the run.
    param : int
        ECMWF ``paramId`` that says all this by itself; 0 = none.
    member : int, optional
        Number of an ensemble's member; None = it is no ensemble.
    """

    category: int = 0
    number: int = 0
    surface: int = 103
    level: int = 2
    accumulated: bool = False
    param: int = 0
    member: int | None = None


CODES = {
    "t2m": Code(category=0, number=0),
    "d2m": Code(category=0, number=6),
    "ws": Code(category=2, number=1, level=10),
    "u10": Code(category=2, number=2, level=10),
    "v10": Code(category=2, number=3, level=10),
    "tp": Code(category=1, number=8, surface=1, level=0, accumulated=True),
}
"""As the Canadian service codes them: its rain has no name in ecCodes' tables."""

ECMWF_RAIN = Code(param=228, accumulated=True)
"""ECMWF's own parameter, in metres."""


def encode_forecast(
    code: Code,
    values: NDArray[np.floating],
    run: np.datetime64,
    lead: int,
    grid: LatLonGrid,
    *,
    centre: str,
    rotated: bool = False,
) -> bytes:
    """Write one field as a GRIB message.

    Parameters
    ----------
    code : Code
        What it is.
    values : ndarray, shape (Y, X)
        In the units of the code.
    run : np.datetime64
        Start of the run, UTC.
    lead : int
        Hours.
    grid : LatLonGrid
        The points; in degrees of the rotated sphere where `rotated`.
    centre : str
        "cwao" for the Canadian service, "ecmf" for ECMWF.
    rotated : bool
        Whether the grid is that of the Canadian regional models.

    Returns
    -------
    bytes
        The message.
    """
    kind = "rotated" if rotated else "regular"
    with eccodes_alone() as eccodes:
        handle = eccodes.codes_grib_new_from_samples(f"{kind}_ll_sfc_grib2")
        try:
            keys = _keys(code, run, lead, grid, centre, rotated=rotated)
            if (
                code.member is not None
            ):  # the templates of ensembles follow those of single forecasts
                keys["productDefinitionTemplateNumber"] += _ENSEMBLE[code.accumulated]
                keys |= {"perturbationNumber": code.member}
            for key, value in keys.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, values.ravel().astype("float64"))
            message: bytes = eccodes.codes_get_message(handle)
            return message
        finally:
            eccodes.codes_release(handle)


def _keys(
    code: Code, run: np.datetime64, lead: int, grid: LatLonGrid, centre: str, *, rotated: bool
) -> dict[str, Any]:
    """All that is set, in an order that ecCodes accepts."""
    text = str(run.astype("datetime64[h]"))
    pole = {
        "latitudeOfSouthernPoleInDegrees": POLE[0],
        "longitudeOfSouthernPoleInDegrees": POLE[1] % 360,
    }
    when = {"stepRange": f"0-{lead}"} if code.accumulated else {"forecastTime": lead}
    return {
        "centre": centre,
        "Ni": grid.columns,
        "Nj": grid.rows,
        "latitudeOfFirstGridPointInDegrees": grid.north,
        "latitudeOfLastGridPointInDegrees": float(grid.latitudes[-1]),
        "longitudeOfFirstGridPointInDegrees": grid.west % 360.0,
        "longitudeOfLastGridPointInDegrees": float(grid.longitudes[-1]) % 360.0,
        "iDirectionIncrementInDegrees": grid.step,
        "jDirectionIncrementInDegrees": grid.step,
        **(pole if rotated else {}),
        "dataDate": int(text[:10].replace("-", "")),
        "dataTime": int(text[11:13]) * 100,
        **_name(code),
        **when,
        "bitsPerValue": _BITS,
    }


def _name(code: Code) -> dict[str, Any]:
    """Keys that say what it is."""
    if code.param:
        return {"paramId": code.param}
    return {
        "productDefinitionTemplateNumber": 8 if code.accumulated else 0,
        "discipline": 0,
        "parameterCategory": code.category,
        "parameterNumber": code.number,
        "typeOfFirstFixedSurface": code.surface,
        "scaleFactorOfFirstFixedSurface": 0,
        "scaledValueOfFirstFixedSurface": code.level,
        **({"typeOfStatisticalProcessing": 1} if code.accumulated else {}),
    }


def rotated_points(grid: LatLonGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the true places of a rotated grid's points.

    Parameters
    ----------
    grid : LatLonGrid
        Degrees of the rotated sphere.

    Returns
    -------
    tuple of ndarray, shapes (Y, X)
        True latitudes and longitudes.
    """
    to_true = _rotation()
    x, y = np.meshgrid(grid.longitudes, grid.latitudes)
    longitude, latitude = to_true.transform(x, y)
    return np.asarray(latitude), np.asarray(longitude)


def rotated_box(
    longitudes: tuple[float, float], latitudes: tuple[float, float], step: float
) -> LatLonGrid:
    """Cover a box of true degrees with the points of the rotated grid.

    Parameters
    ----------
    longitudes, latitudes : tuple of float
        West and east, south and north.
    step : float
        Degrees between points.

    Returns
    -------
    LatLonGrid
        In degrees of the rotated sphere.
    """
    lon, lat = np.meshgrid(np.linspace(*longitudes, 9), np.linspace(*latitudes, 9))
    x, y = _rotation().transform(lon, lat, direction="INVERSE")
    west, north = np.floor(x.min() / step) * step, np.ceil(y.max() / step) * step
    return LatLonGrid(
        north=round(float(north), 6),
        west=round(float(west), 6),
        rows=int((north - y.min()) / step) + 2,
        columns=int((x.max() - west) / step) + 2,
        step=step,
    )


def _rotation() -> Transformer:
    """From the rotated to the true sphere."""
    rotated = (
        f"+proj=ob_tran +o_proj=longlat +o_lat_p={-POLE[0]} +o_lon_p=0 +lon_0={POLE[1]} "
        "+R=6371229 +no_defs"
    )
    return Transformer.from_crs(rotated, "+proj=longlat +R=6371229 +no_defs", always_xy=True)
