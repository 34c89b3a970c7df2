"""What surfaces reflect: end members at Sentinel-2's bands, mixed by the hidden surface.

End members are rounded from published spectra of boreal species, soils and char (such as the USGS
and ECOSTRESS libraries); they are meant to be plausible, not to be traced.
"""

from enum import IntEnum
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.vegetation import Surface

BANDS = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)


class Member(IntEnum):
    """Pure surfaces."""

    NEEDLES = 0
    LEAVES = 1
    HERB = 2
    STRAW = 3
    LITTER = 4
    LICHEN = 5
    PEAT = 6
    WATER = 7
    ROCK = 8
    CHAR = 9
    RED = 10
    GREY = 11
    SNOW = 12
    BUILT = 13


# Reflectance x 1000, rows as Member, columns as BANDS.
MEMBERS = 0.001 * np.array(
    [
        [15, 18, 34, 21, 58, 140, 172, 182, 192, 190, 1, 88, 38],
        [18, 24, 58, 28, 105, 300, 375, 395, 410, 400, 1, 190, 85],
        [26, 32, 72, 42, 115, 275, 330, 350, 362, 350, 1, 225, 118],
        [50, 66, 102, 138, 172, 202, 225, 250, 270, 275, 1, 340, 245],
        [38, 46, 66, 84, 108, 132, 150, 168, 180, 185, 1, 235, 172],
        [95, 125, 165, 188, 215, 245, 262, 285, 295, 295, 1, 330, 250],
        [20, 28, 52, 50, 78, 118, 138, 155, 165, 155, 1, 105, 55],
        [22, 22, 21, 13, 10, 8, 7, 6, 6, 5, 1, 3, 2],
        [78, 98, 120, 140, 155, 166, 176, 186, 192, 190, 1, 222, 192],
        [24, 28, 33, 38, 43, 52, 58, 66, 72, 76, 1, 128, 148],
        [28, 34, 54, 88, 112, 138, 158, 178, 190, 188, 1, 165, 102],
        [48, 58, 76, 92, 104, 118, 130, 145, 155, 155, 1, 190, 140],
        [880, 890, 880, 870, 860, 850, 835, 820, 800, 690, 1, 105, 85],
        [118, 138, 152, 168, 180, 190, 200, 208, 212, 205, 1, 240, 212],
    ],
    dtype=np.float32,
)


class Look(NamedTuple):
    """What a mixture needs beside the surface; (y, x)."""

    cover: NDArray[np.uint8]
    density: Floats
    site: Floats
    burnt_days: Floats  # days since the cell burnt this season; negative = not
    snow: Floats  # share of snow on open ground, 0-1


def surface_reflectance(look: Look, surface: Surface) -> Floats:
    """Compute the reflectance of the ground.

    Parameters
    ----------
    look : Look
        Land, burns and snow.
    surface : Surface
        Plants and moisture.

    Returns
    -------
    ndarray
        float32 (13, y, x) in the order of `BANDS`, 0-1.
    """
    shares = np.zeros((len(Member), *look.cover.shape), dtype=np.float32)
    fill_shares(look, surface, shares)
    green = shares[Member.NEEDLES] + shares[Member.LEAVES] + shares[Member.HERB]
    out = MEMBERS.T @ shares.reshape(len(Member), -1)
    out = out.reshape(len(BANDS), *look.cover.shape)
    dry = green * (1.0 - surface.live)
    wet = (1.0 - green) * surface.duff * (look.cover != 0)
    tune(out, dry, wet.astype(np.float32))
    return np.asarray(out, dtype=np.float32)


@numba.njit(cache=True, fastmath=True)
def tune(out: Floats, dry: Floats, wet: Floats) -> None:
    """Let dry leaves brighten the short-wave infrared and wet ground darken everything.

    Parameters
    ----------
    out : ndarray
        float32 (13, y, x), changed.
    dry : ndarray
        float32 (y, x), green cover times the lack of live moisture.
    wet : ndarray
        float32 (y, x), bare cover times the water in the duff.
    """
    gain = np.array([0.2, 0.2, 0.2, 0.5, 0.3, -0.1, -0.2, -0.25, -0.25, -0.25, 0.0, 0.9, 1.2])
    for band in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                factor = 1.0 + gain[band] * dry[row, column] - 0.22 * wet[row, column]
                out[band, row, column] *= np.float32(factor)


@numba.njit(cache=True)
def fill_shares(look: Look, surface: Surface, shares: Floats) -> None:
    """Fill how much of each cell every end member covers.

    Parameters
    ----------
    look : Look
        Land, burns and snow.
    surface : Surface
        Plants and moisture.
    shares : ndarray
        float32 (14, y, x) of zeros, filled; sums to 1.
    """
    for row in range(look.cover.shape[0]):
        for column in range(look.cover.shape[1]):
            cover = look.cover[row, column]
            if cover in (1, 3):
                _forest(look, surface, shares, row, column)
            elif cover in (2, 4, 5):
                _broadleaf_grass_bog(cover, surface, shares, row, column)
            elif cover in (7, 8):
                _young(surface, shares, row, column)
            else:
                _bare(cover, surface, shares, row, column)
            if look.burnt_days[row, column] >= 0.0 and cover not in (0, 6, 9):
                _scorch(look.burnt_days[row, column], shares, row, column)
            if look.snow[row, column] > 0.0:
                _whiten(look, shares, row, column)


@numba.njit(cache=True)
def _herbs(share: float, surface: Surface, shares: Floats, row: int, column: int) -> None:
    """Split herbs into green and cured."""
    cured = surface.curing[row, column]
    shares[2, row, column] += share * (1.0 - cured)
    shares[3, row, column] += share * cured


@numba.njit(cache=True)
def _forest(look: Look, surface: Surface, shares: Floats, row: int, column: int) -> None:
    """Conifers over lichen or moss; half of a mixed stand is broadleaf."""
    part = 1.0 if look.cover[row, column] == 1 else 0.5
    canopy = part * look.density[row, column]
    red, grey = surface.red[row, column], surface.grey[row, column]
    shares[0, row, column] = canopy * (1.0 - red - grey)
    shares[10, row, column] = canopy * red
    shares[11, row, column] = canopy * grey
    floor, dry = part - canopy, look.site[row, column]
    shares[5, row, column] = floor * dry * 0.8
    shares[6, row, column] = floor * (1.0 - dry) * 0.6
    _herbs(floor * (0.4 - 0.2 * dry), surface, shares, row, column)
    if part < 1.0:
        shares[1, row, column] = 0.45 * surface.leaf[row, column]
        shares[4, row, column] = 0.5 - 0.45 * surface.leaf[row, column]


@numba.njit(cache=True)
def _broadleaf_grass_bog(
    cover: int, surface: Surface, shares: Floats, row: int, column: int
) -> None:
    """Broadleaf forest, meadows, bogs."""
    if cover == 2:
        shares[1, row, column] = 0.85 * surface.leaf[row, column]
        shares[4, row, column] = 0.9 - 0.85 * surface.leaf[row, column]
        _herbs(0.1, surface, shares, row, column)
    elif cover == 4:
        shares[4, row, column] = 0.1
        _herbs(0.9, surface, shares, row, column)
    else:
        open_water = 0.12 * surface.deep[row, column]
        shares[7, row, column] = open_water
        shares[6, row, column] = 0.55 - open_water
        _herbs(0.45, surface, shares, row, column)


@numba.njit(cache=True)
def _young(surface: Surface, shares: Floats, row: int, column: int) -> None:
    """Scars and cuts: what grew back over char, snags and litter."""
    back = surface.regrowth[row, column]
    shares[1, row, column] = 0.35 * back * surface.leaf[row, column]
    shares[4, row, column] = 0.35 * (1.0 - back * surface.leaf[row, column])
    _herbs(0.55 * back, surface, shares, row, column)
    shares[9, row, column] = 0.40 * (1.0 - back)
    shares[11, row, column] = 0.1 + 0.15 * (1.0 - back)


@numba.njit(cache=True)
def _bare(cover: int, surface: Surface, shares: Floats, row: int, column: int) -> None:
    """Water, rock, settlements."""
    if cover == 0:
        shares[7, row, column] = 1.0
    elif cover == 6:
        shares[8, row, column] = 0.72
        shares[5, row, column] = 0.2
        shares[0, row, column] = 0.08
    else:
        shares[13, row, column] = 0.6
        _herbs(0.4, surface, shares, row, column)


@numba.njit(cache=True)
def _scorch(days: float, shares: Floats, row: int, column: int) -> None:
    """Turn most of a cell into char, which fades over months."""
    for member in range(shares.shape[0]):
        shares[member, row, column] *= 0.12
    char = 0.70 * np.exp(-days / 120.0)
    shares[9, row, column] += char
    shares[11, row, column] += 0.12
    shares[4, row, column] += 0.76 - char


@numba.njit(cache=True)
def _whiten(look: Look, shares: Floats, row: int, column: int) -> None:
    """Cover the ground, and little of the canopy, with snow."""
    cover = look.cover[row, column]
    hidden = 0.85 * look.density[row, column] if cover in (1, 3) else 0.3 if cover == 2 else 0.0
    white = look.snow[row, column] * (1.0 - hidden)
    for member in range(shares.shape[0]):
        shares[member, row, column] *= 1.0 - white
    shares[12, row, column] += white
