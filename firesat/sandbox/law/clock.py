"""Hours of a season, days that begin at 12 UTC, and where the sun stands."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

FIRST_HOUR = -732.0  # 31 March 12 UTC, in hours since 1 May 00 UTC
DAYS = 215  # to 1 November 12 UTC
LAST_HOUR = FIRST_HOUR + 24.0 * DAYS


def epoch(year: int) -> datetime:
    """Give the zero of a season's hours.

    Parameters
    ----------
    year : int
        The season's year.

    Returns
    -------
    datetime
        1 May, 00 UTC.
    """
    return datetime(year, 5, 1, tzinfo=UTC)


def to_hours(moment: datetime) -> float:
    """Count the hours from the zero of the moment's year.

    Parameters
    ----------
    moment : datetime
        With a time zone.

    Returns
    -------
    float
        Hours since 1 May 00 UTC; negative before.
    """
    moment = moment.astimezone(UTC)
    return (moment - epoch(moment.year)) / timedelta(hours=1)


def from_hours(year: int, hours: float) -> datetime:
    """Turn hours of a season into a moment.

    Parameters
    ----------
    year : int
        The season's year.
    hours : float
        Since 1 May 00 UTC.

    Returns
    -------
    datetime
        UTC.
    """
    return epoch(year) + timedelta(hours=float(hours))


def day_index(day: date) -> int:
    """Find the simulated day that begins at 12 UTC of a date.

    Parameters
    ----------
    day : date
        Any date.

    Returns
    -------
    int
        0 for 31 March up to `DAYS` - 1 for 31 October, held at both ends.
    """
    return min(max((day - date(day.year, 3, 31)).days, 0), DAYS - 1)


def day_of_year(year: int, hours: float) -> float:
    """Give the day of the year with its fraction.

    Parameters
    ----------
    year : int
        The season's year.
    hours : float
        Since 1 May 00 UTC.

    Returns
    -------
    float
        1.0 is 1 January 00 UTC.
    """
    return date(year, 5, 1).timetuple().tm_yday + hours / 24.0


def sun_position(
    doy: NDArray[np.float64], longitude: float, latitude: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute where the sun stands, to about half a degree.

    Declination by Cooper (1969), no equation of time: a sandbox needs no more.

    Parameters
    ----------
    doy : ndarray
        Day of the year with its fraction, UTC.
    longitude, latitude : float
        Degrees.

    Returns
    -------
    tuple of ndarray
        Sine of the elevation, and azimuth in radians clockwise from north.
    """
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + doy) / 365)
    angle = 2 * np.pi * (doy % 1.0 - 0.5) + np.radians(longitude)
    north = np.radians(latitude)
    up = np.sin(north) * np.sin(declination)
    up = up + np.cos(north) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    to_north = np.cos(north) * np.sin(declination)
    to_north = to_north - np.sin(north) * np.cos(declination) * np.cos(angle)
    return up, np.arctan2(east, to_north) % (2 * np.pi)
