"""Where the sun stands."""

import math
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import crs_of

# Hours of local solar time at which Sentinel-2 passes over Canada; its node is crossed at 10:30.
_OVERPASS = (9.0, 14.0)


@dataclass(frozen=True, kw_only=True)
class Sun:
    """Direction to the sun.

    Parameters
    ----------
    zenith : float
        Degrees from the vertical.
    azimuth : float
        Degrees clockwise from north.
    """

    zenith: float
    azimuth: float

    def shadow(self, height: float) -> tuple[float, float]:
        """Tell where the shadow of a thing in the air falls, on flat ground.

        Parameters
        ----------
        height : float
            Metres above the ground.

        Returns
        -------
        tuple of float
            Metres south and east of the place beneath it.
        """
        # lower suns would throw shadows beyond any scene
        reach = height * math.tan(math.radians(min(self.zenith, 80.0)))
        azimuth = math.radians(self.azimuth)
        return reach * math.cos(azimuth), -reach * math.sin(azimuth)


def sun_at(moment: np.datetime64, longitude: float, latitude: float) -> Sun:
    """Find the sun.

    Source: NOAA Global Monitoring Laboratory, General Solar Position Calculations, after Spencer
    1971 (Search 2, 172); good to a few tenths of a degree.

    Parameters
    ----------
    moment : np.datetime64
        UTC.
    longitude, latitude : float
        Degrees east and north.

    Returns
    -------
    Sun
        At that place and moment.
    """
    start = moment.astype("datetime64[Y]").astype("datetime64[s]")
    hours = float((moment.astype("datetime64[s]") - start) / np.timedelta64(3600, "s"))
    year = 2 * math.pi / 365 * (hours - 12) / 24
    c1, s1, c2, s2 = math.cos(year), math.sin(year), math.cos(2 * year), math.sin(2 * year)
    equation = 0.000075 + 0.001868 * c1 - 0.032077 * s1 - 0.014615 * c2 - 0.040849 * s2
    declination = (
        0.006918 - 0.399912 * c1 + 0.070257 * s1 - 0.006758 * c2 + 0.000907 * s2
        - 0.002697 * math.cos(3 * year) + 0.00148 * math.sin(3 * year)
    )  # fmt: skip
    minutes = 60 * (hours % 24) + 229.18 * equation + 4 * longitude
    angle, north = math.radians(minutes / 4 - 180), math.radians(latitude)
    up = math.sin(north) * math.sin(declination)
    up += math.cos(north) * math.cos(declination) * math.cos(angle)
    azimuth = math.atan2(
        -math.sin(angle) * math.cos(declination),
        math.sin(declination) * math.cos(north)
        - math.cos(declination) * math.sin(north) * math.cos(angle),
    )
    zenith = math.degrees(math.acos(min(max(up, -1.0), 1.0)))
    return Sun(zenith=zenith, azimuth=math.degrees(azimuth) % 360)


def sun_over(moment: np.datetime64, pixels: GeoBox) -> Sun | None:
    """Find the sun over a scene.

    Parameters
    ----------
    moment : np.datetime64
        Of its sensing, UTC.
    pixels : GeoBox
        Its pixels.

    Returns
    -------
    Sun or None
        In its middle; None where the moment is none of an overpass, as for files whose names tell
        the day alone, or the pixels are degrees.
    """
    if crs_of(pixels).geographic:
        return None  # degrees are no lengths
    middle = pixels.boundingbox
    to_degrees = Transformer.from_crs(crs_of(pixels).to_wkt(), "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(
        (middle.left + middle.right) / 2, (middle.bottom + middle.top) / 2
    )
    day = moment.astype("datetime64[D]").astype("datetime64[s]")
    hours = float((moment.astype("datetime64[s]") - day) / np.timedelta64(3600, "s"))
    if not _OVERPASS[0] <= (hours + longitude / 15) % 24 <= _OVERPASS[1]:
        return None
    return sun_at(moment, longitude, latitude)
