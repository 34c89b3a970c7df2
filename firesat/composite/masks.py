"""Which pixels of a Sentinel-2 scene show the ground."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from firesat.bands import SENTINEL2_BANDS
from firesat.composite.shadows import cast_shadows, dark_places
from firesat.composite.sun import Sun
from firesat.errors import BandError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Numbers of 15 bits end at 3.2767; a detector that is full tells nothing.
SATURATED = 3.2767
# Thresholds on top-of-atmosphere reflectance.
CIRRUS = 0.01  # B10: Zhu, Wang and Woodcock 2015, Remote Sens. Environ. 159, sec. 3.1
CLOUD_GREEN = 0.175  # B03, whiter than red: Braaten, Cohen and Yang 2015, RSE 169, eqs 1 and 2
BRIGHT_GREEN = 0.39  # B03, whatever the colour: as above
WHITENESS = (
    0.7  # sum of |band - mean| / mean over the visible: Zhu and Woodcock 2012, RSE 118, eq 2
)
# Haze-optimised transformation B02 - 0.5 B04 - 0.08: Zhu and Woodcock 2012, eq 3. Theirs ends at 0
# and takes thin haze and low sun for cloud; 0.04 keeps what still shows the ground. Thin smoke is
# information.
HAZE = 0.04
SNOW_NDSI, SNOW_GREEN, SNOW_NIR = (
    0.4,
    0.1,
    0.11,
)  # Hall et al. 1995 (RSE 54); dark water is not snow
# A shadow is dark where burnt ground is not: a fresh scar is dark at 833 nm, bright at 1612 nm.
SHADOW_NIR, SHADOW_SWIR = 0.12, 0.09
SHADOW_REACH = 1500.0  # metres: clouds at 1.5 km under a sun 45 degrees high
CLOUD_EDGE = 100.0  # metres around a cloud: Zhu and Woodcock 2012 grow clouds by three 30 m pixels


NEEDED = ("B02", "B03", "B04", "B08", "B10", "B11")
"""Bands that the rules look at; of the others, only whether they are saturated."""

DOUBTS = ("saturated", "cloud", "cirrus", "smoke", "snow", "shadow")
"""Reasons why a pixel does not show the ground, as `doubts` names them."""


def clear_mask(reflectance: Floats, *, resolution: float = 100.0, sun: Sun | None = None) -> Floats:
    """Tell which pixels show the ground.

    Cloud, cirrus, dense haze or smoke, snow, shadows of clouds and saturated pixels do not; thin
    smoke and burnt ground do. The rules and their sources stand beside the thresholds of this
    module. They look at a scene alone: over mountains above 2 km, B10 may see the ground and call
    it cirrus.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (13, ..., Y, X)
        Level 1C, bands in the order of `bands.SENTINEL2_BANDS`, 0 to above 1; NaN = not observed.
        Those that are not `NEEDED` may be.
    resolution : float
        Pixel size in metres.
    sun : Sun, optional
        During the overpass: shadows are looked for where it throws them. Without it, dark land near
        clouds counts as shadow.

    Returns
    -------
    ndarray of float32, shape (..., Y, X)
        1 clear, 0 not, NaN where any band that is needed was not observed.

    Raises
    ------
    BandError
        If there are not 13 bands.
    """
    found = doubts(reflectance, resolution=resolution, sun=sun)
    edge = CLOUD_EDGE / resolution
    clouds = _near(found["cloud"] | found["cirrus"] | found["smoke"], edge)
    shadow = _near(found["shadow"], edge) if sun else found["shadow"]
    doubtful = clouds | shadow | found["snow"] | found["saturated"]
    missing = _missing(_by_name(reflectance))
    return np.where(missing, np.float32(np.nan), (~doubtful).astype("float32"))


def doubts(
    reflectance: Floats, *, resolution: float = 100.0, sun: Sun | None = None
) -> dict[str, Mask]:
    """Tell why pixels do not show the ground.

    Parameters
    ----------
    reflectance : ndarray of float32, shape (13, ..., Y, X)
        As for `clear_mask`.
    resolution : float
        Pixel size in metres.
    sun : Sun, optional
        As for `clear_mask`.

    Returns
    -------
    dict of ndarray of bool, shape (..., Y, X)
        By the names of `DOUBTS`; a pixel may have several. `clear_mask` leaves out the pixels next
        to clouds and shadows as well.

    Raises
    ------
    BandError
        If there are not 13 bands.
    """
    band = _by_name(reflectance)
    snow = _snow(band)
    found = {
        "saturated": np.asarray((reflectance >= SATURATED).any(axis=0)),
        "cloud": _cloud(band) & ~snow,
        "cirrus": np.asarray(band["B10"] > CIRRUS),
        "smoke": _haze(band) & ~snow,
        "snow": snow,
    }
    clouds = found["cloud"] | found["cirrus"] | found["smoke"]
    if sun is None:
        return {**found, "shadow": _shadow(band) & _near(clouds, SHADOW_REACH / resolution)}
    shadow = np.zeros(snow.shape, dtype=bool)
    missing, thick = _missing(band), found["cloud"] | found["smoke"]
    for place in np.ndindex(snow.shape[:-2]):
        nir, swir = band["B08"][place], band["B11"][place]
        dark = dark_places(nir, swir, clouds[place], resolution)
        shadow[place] = cast_shadows(thick[place], dark, missing[place], sun, resolution)
    return {**found, "shadow": shadow}


def _by_name(reflectance: Floats) -> dict[str, Floats]:
    """The bands by their names."""
    if len(reflectance) != len(SENTINEL2_BANDS):
        raise BandError(
            f"a Sentinel-2 L1C scene has 13 bands, this one {len(reflectance)}: request "
            f"{', '.join(SENTINEL2_BANDS)}"
        )
    return dict(zip(SENTINEL2_BANDS, reflectance, strict=True))


def _missing(band: dict[str, Floats]) -> Mask:
    """Where a band that the rules need was not observed."""
    return np.asarray(np.logical_or.reduce([np.isnan(band[name]) for name in NEEDED]))


def _cloud(band: dict[str, Floats]) -> Mask:
    """Thick cloud."""
    blue, green, red = band["B02"], band["B03"], band["B04"]
    mean = (blue + green + red) / 3
    spread = abs(blue - mean) + abs(green - mean) + abs(red - mean)
    white = (green > CLOUD_GREEN) & (green > red) & (spread < WHITENESS * mean)
    return np.asarray(white | (green > BRIGHT_GREEN))


def _haze(band: dict[str, Floats]) -> Mask:
    """Haze and smoke that hide the ground."""
    return np.asarray(band["B02"] - 0.5 * band["B04"] - 0.08 > HAZE)


def _snow(band: dict[str, Floats]) -> Mask:
    """Snow and ice: bright in the green, dark at 1612 nm."""
    green, swir = band["B03"], band["B11"]
    # NDSI > s written without a division, which black pixels would break
    frozen = green - swir > SNOW_NDSI * (green + swir)
    return np.asarray(frozen & (green > SNOW_GREEN) & (band["B08"] > SNOW_NIR))


def _shadow(band: dict[str, Floats]) -> Mask:
    """Dark land: in the near and the short-wave infrared, but not water."""
    dark = (band["B08"] < SHADOW_NIR) & (band["B11"] < SHADOW_SWIR)
    return np.asarray(dark & (band["B08"] > band["B03"]))


def _near(mask: Mask, reach: float) -> Mask:
    """Pixels within `reach` pixels of the mask along both axes."""
    side = 2 * round(reach) + 1
    size = (*(1,) * (mask.ndim - 2), side, side)
    grown = maximum_filter(mask.astype("uint8"), size=size, mode="nearest")
    return np.asarray(grown > 0)
