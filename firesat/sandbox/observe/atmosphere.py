"""What lies between the ground and a satellite, and how the ground is lit."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import Floats


class Sky(NamedTuple):
    """What lies between, and how the ground is lit; float32 (y, x)."""

    cloud: Floats  # opacity, 0-1
    cirrus: Floats  # opacity, 0-1
    shadow: Floats  # share of the direct light that clouds take
    smoke: Floats  # optical depth at 550 nm
    slope: Floats  # factor of relief on the direct light
    flame: NDArray[np.bool_]
    grain: Floats  # noise of the measurement


class Light(NamedTuple):
    """How the atmosphere treats each band; float32 (13,)."""

    path: Floats  # reflectance of clear air
    through: Floats  # two-way transmittance
    smoke: Floats  # extinction relative to 550 nm
    haze: Floats  # reflectance of thick smoke
    white: Floats  # reflectance of thick cloud
    cirrus: Floats  # reflectance of thick cirrus
    flame: Floats  # radiance of flames as reflectance


PATH = [112, 88, 52, 31, 24, 20, 17, 15, 14, 9, 1, 4, 2]
THROUGH = [760, 800, 850, 900, 905, 920, 930, 930, 940, 420, 4, 930, 900]
SMOKE = [1300, 1130, 900, 650, 590, 540, 480, 440, 420, 300, 0, 60, 20]
HAZE = [210, 225, 240, 255, 258, 260, 262, 265, 266, 120, 1, 150, 90]
WHITE = [640, 620, 600, 610, 620, 630, 640, 650, 655, 330, 12, 420, 330]
CIRRUS = [300, 290, 280, 280, 280, 285, 290, 295, 300, 200, 130, 200, 130]
FLAME = [0, 0, 0, 0, 0, 0, 5, 10, 20, 10, 0, 180, 520]


@numba.njit(cache=True, fastmath=True)
def look_through(out: Floats, sky: Sky, light: Light) -> None:
    """Turn ground reflectance into what arrives at the top of the atmosphere, in place.

    Parameters
    ----------
    out : ndarray
        float32 (13, y, x), ground in, top of the atmosphere out.
    sky : Sky
        Clouds, smoke, light.
    light : Light
        Properties of the bands.
    """
    for band in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                lit = sky.slope[row, column] * (1.0 - sky.shadow[row, column])
                value = out[band, row, column] * lit
                if sky.flame[row, column]:
                    value += light.flame[band]
                value = light.path[band] + light.through[band] * value
                if sky.smoke[row, column] > 0.0:
                    clear = np.exp(-light.smoke[band] * sky.smoke[row, column])
                    value = value * clear + light.haze[band] * (1.0 - clear)
                cirrus, cloud = sky.cirrus[row, column], sky.cloud[row, column]
                value = value * (1.0 - cirrus) + light.cirrus[band] * cirrus
                thick = light.white[band] * (0.8 + 0.3 * cloud)
                value = value * (1.0 - cloud) + thick * cloud
                noise = 0.012 * value + 0.0008
                out[band, row, column] = max(0.0001, value + noise * sky.grain[row, column])


def light_of(up: float, haze: float) -> Light:
    """Give the properties of the bands under a sun and a haze.

    Parameters
    ----------
    up : float
        Sine of the sun's elevation.
    haze : float
        Aerosol against the usual, about 0.6-1.6.

    Returns
    -------
    Light
        13 bands.
    """
    tables = (PATH, THROUGH, SMOKE, HAZE, WHITE, CIRRUS, FLAME)
    path, through, *rest = (np.array(table, dtype=np.float32) / 1000 for table in tables)
    longer = 0.5 * (1.0 + 0.8 / max(up, 0.2)) * haze  # a longer way and more of it
    values = path * longer, through ** (0.6 + 0.4 * longer), *rest
    return Light(*(np.asarray(value, dtype=np.float32) for value in values))


def relief_light(elevation: Floats, azimuth: float, tangent: float) -> Floats:
    """Compute the factor of relief on the direct light, first order in the slope.

    Parameters
    ----------
    elevation : ndarray
        float32 (y, x), metres on 100 m cells.
    azimuth : float
        Of the sun, radians clockwise from north.
    tangent : float
        Of the sun's zenith angle.

    Returns
    -------
    ndarray
        float32 (y, x), 0.5-1.5.
    """
    south, east = np.gradient(elevation, np.float32(100.0))
    toward = east * math.sin(azimuth) - south * math.cos(azimuth)
    light = np.clip(1.0 - toward * min(tangent, 3.0), 0.5, 1.5)
    return np.asarray(light, dtype=np.float32)


def moved(cloud: Floats, distance: float, azimuth: float) -> Floats:
    """Move clouds away from the sun, to where their shadows fall.

    Parameters
    ----------
    cloud : ndarray
        float32 (y, x) on 100 m cells.
    distance : float
        Metres.
    azimuth : float
        Of the sun, radians clockwise from north.

    Returns
    -------
    ndarray
        float32 (y, x), 0 where nothing came from inside.
    """
    down = round(distance * math.cos(azimuth) / 100)
    right = round(-distance * math.sin(azimuth) / 100)
    out = np.zeros_like(cloud)
    rows, columns = cloud.shape
    to_rows, from_rows = _shifted(down, rows)
    to_columns, from_columns = _shifted(right, columns)
    out[to_rows, to_columns] = cloud[from_rows, from_columns]
    return out


def _shifted(by: int, size: int) -> tuple[slice, slice]:
    """Where things go to and come from along an axis."""
    by = min(max(by, -size), size)
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))
