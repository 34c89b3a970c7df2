"""The lexicon: what every band is called, its unit, its range, and how it may be resampled.

A name means one thing in the whole house. A source that delivers other units converts them in its
``read``; :func:`check` refuses values that no such quantity can have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np
import xarray as xr

from firesat.errors import BandError

Resampling = Literal["nearest", "bilinear", "average", "mode"]


@dataclass(frozen=True, kw_only=True)
class Band:
    """One physical quantity.

    Parameters
    ----------
    name : str
        Name used everywhere: cube variables, batches, configs.
    units : str
        UDUNITS spelling, "1" where dimensionless.
    valid_range : tuple of float
        Smallest and largest possible value, in `units`.
    resampling : {"nearest", "bilinear", "average", "mode"}
        How it may be moved to other cells; `mode` and `nearest` for classes.
    long_name : str
        Plain words for legends.
    standard_name : str, optional
        CF standard name, where one exists.
    """

    name: str
    units: str
    valid_range: tuple[float, float]
    resampling: Resampling
    long_name: str
    standard_name: str | None = None

    @property
    def attrs(self) -> dict[str, object]:
        """CF attributes of a variable holding this band.

        Returns
        -------
        dict
            `units`, `long_name`, `valid_range` and, where it exists, `standard_name`.
        """
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        return {
            "units": self.units,
            "long_name": self.long_name,
            "valid_range": list(self.valid_range),
            **named,
        }


SENTINEL2_BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip

# Central wavelengths in nm: Sentinel-2 MSI technical guide, rounded between S2A, S2B and S2C.
_S2_NM = (443, 492, 560, 665, 704, 740, 781, 833, 865, 944, 1375, 1612, 2194)

_TOA = "toa_bidirectional_reflectance"


def _sentinel2() -> list[Band]:
    """Top-of-atmosphere reflectance; above 1 on bright slopes and clouds."""
    return [
        Band(
            name=name,
            units="1",
            valid_range=(0.0, 6.5535),
            resampling="average",
            long_name=f"top-of-atmosphere reflectance at {nm} nm",
            standard_name=_TOA,
        )
        for name, nm in zip(SENTINEL2_BANDS, _S2_NM, strict=True)
    ]


def _band(
    name: str,
    units: str,
    valid_range: tuple[float, float],
    long_name: str,
    standard_name: str | None = None,
    resampling: Resampling = "bilinear",
) -> Band:
    """Shorthand for the tables below."""
    return Band(
        name=name,
        units=units,
        valid_range=valid_range,
        resampling=resampling,
        long_name=long_name,
        standard_name=standard_name,
    )


_MODIS = [
    _band("ndvi", "1", (-0.2, 1.0), "normalized difference vegetation index",
          "normalized_difference_vegetation_index"),
    _band("evi", "1", (-0.2, 1.0), "enhanced vegetation index"),
    _band("lst_day", "K", (150.0, 1310.7), "land surface temperature, day", "surface_temperature"),
    _band("lst_night", "K", (150.0, 1310.7), "land surface temperature, night",
          "surface_temperature"),
    _band("lst_day_hour", "h", (0.0, 24.0), "local solar hour of the look by day",
          resampling="nearest"),
    _band("lst_night_hour", "h", (0.0, 24.0), "local solar hour of the look by night",
          resampling="nearest"),
    _band("lst_day_anomaly", "K", (-150.0, 150.0),
          "land surface temperature, day, less the mean of earlier years"),
    _band("lst_night_anomaly", "K", (-150.0, 150.0),
          "land surface temperature, night, less the mean of earlier years"),
    _band("fpar", "1", (0.0, 1.0), "absorbed fraction of photosynthetically active radiation"),
    _band("lai", "1", (0.0, 10.0), "leaf area index", "leaf_area_index"),
]  # fmt: skip

_WEATHER = [
    _band("t2m", "K", (180.0, 335.0), "2 m temperature, day mean", "air_temperature"),
    _band("t2m_max", "K", (180.0, 335.0), "2 m temperature, day maximum", "air_temperature"),
    _band("t2m_min", "K", (180.0, 335.0), "2 m temperature, day minimum", "air_temperature"),
    _band("skt", "K", (180.0, 360.0), "skin temperature, day mean", "surface_temperature"),
    _band("rh", "%", (0.0, 100.0), "2 m relative humidity over water, day mean",
          "relative_humidity"),
    _band("vp", "hPa", (0.0, 100.0), "2 m vapour pressure, day mean",
          "water_vapor_partial_pressure_in_air"),
    _band("ws", "m s-1", (0.0, 120.0), "10 m wind speed, day mean", "wind_speed"),
    _band("tp", "mm", (0.0, 2000.0), "precipitation of the day", "precipitation_amount"),
    _band("swvl1", "m3 m-3", (0.0, 1.0), "volumetric soil water, 0-7 cm"),
    _band("sd", "m", (0.0, 50.0), "snow depth, water equivalent"),
    _band("preliminary", "1", (0.0, 1.0), "day of which an hour is as first published",
          resampling="nearest"),
    _band("t2m_noon", "K", (180.0, 335.0), "2 m temperature at local standard noon",
          "air_temperature"),
    _band("rh_noon", "%", (0.0, 100.0), "2 m relative humidity at local standard noon",
          "relative_humidity"),
    _band("ws_noon", "m s-1", (0.0, 120.0), "10 m wind speed at local standard noon", "wind_speed"),
    _band("tp_noon", "mm", (0.0, 2000.0), "precipitation of the 24 h to local standard noon",
          "precipitation_amount"),
    _band("t2m_spread", "K", (0.0, 100.0), "2 m temperature, day mean, spread of an ensemble",
          "air_temperature"),
    _band("ws_spread", "m s-1", (0.0, 100.0), "10 m wind speed, day mean, spread of an ensemble",
          "wind_speed"),
    _band("tp_spread", "mm", (0.0, 2000.0), "precipitation of the day, spread of an ensemble",
          "precipitation_amount"),
]  # fmt: skip

_FIRE_WEATHER = [
    _band("ffmc", "1", (0.0, 101.0), "Fine Fuel Moisture Code"),
    _band("dmc", "1", (0.0, 2000.0), "Duff Moisture Code"),
    _band("dc", "1", (0.0, 5000.0), "Drought Code"),
    _band("isi", "1", (0.0, 1000.0), "Initial Spread Index"),
    _band("bui", "1", (0.0, 2000.0), "Buildup Index"),
    _band("fwi", "1", (0.0, 1000.0), "Fire Weather Index"),
    _band("dsr", "1", (0.0, 10000.0), "Daily Severity Rating"),
]

_FIRE = [
    _band("hotspot_count", "1", (0.0, 65534.0),
          "active-fire detections in the cell, published in the day", resampling="nearest"),
    _band("hotspot_count_before", "1", (0.0, 65534.0),
          "active-fire detections in the cell, published in the day but made before it began",
          resampling="nearest"),
    _band("frp", "MW", (0.0, 1e6), "largest fire radiative power in the cell, published in the day",
          resampling="nearest"),
    _band("new_fires", "1", (0.0, 65534.0), "fires first reported in the cell and day",
          resampling="nearest"),
    _band("new_fires_natural", "1", (0.0, 65534.0),
          "fires first reported in the cell and day that lightning lit", resampling="nearest"),
    _band("fraction", "1", (0.0, 1.0), "burned fraction of the cell in the season",
          resampling="average"),
    _band("fire_id", "1", (0.0, 2.0**31), "number of the fire, 0 where none", resampling="nearest"),
    _band("prescribed", "1", (0.0, 1.0), "prescribed-burn fraction of the cell",
          resampling="average"),
    _band("agency_start", "day", (0.0, 1e5), "agency's start, days since 1970-01-01",
          resampling="nearest"),
    _band("agency_end", "day", (0.0, 1e5), "agency's end, days since 1970-01-01",
          resampling="nearest"),
    _band("hotspot_start", "day", (0.0, 1e5), "first hotspot of the fire, days since 1970-01-01",
          resampling="nearest"),
    _band("hotspot_end", "day", (0.0, 1e5), "last hotspot of the fire, days since 1970-01-01",
          resampling="nearest"),
    _band("burn_day", "day", (0.0, 1e5), "likeliest fire day, days since 1970-01-01",
          resampling="nearest"),
    _band("earliest", "day", (0.0, 1e5), "earliest possible fire day, days since 1970-01-01",
          resampling="nearest"),
    _band("latest", "day", (0.0, 1e5), "latest possible fire day, days since 1970-01-01",
          resampling="nearest"),
    _band("fire_start", "day", (0.0, 1e5), "first day of the cell's fire, days since 1970-01-01",
          resampling="nearest"),
]  # fmt: skip

_STATIC = [
    _band("elevation", "m", (-500.0, 9000.0), "ground elevation", "surface_altitude"),
    _band("slope", "degree", (0.0, 90.0), "slope of the ground"),
    _band("northness", "1", (-1.0, 1.0), "cosine of the slope's aspect times its sine"),
    _band("eastness", "1", (-1.0, 1.0), "sine of the slope's aspect times its sine"),
    _band("fuel", "1", (0.0, 254.0), "fuel or land-cover class", resampling="mode"),
    _band("water", "1", (0.0, 1.0), "open-water fraction", resampling="average"),
    _band("road_distance", "km", (0.0, 5000.0), "distance to the nearest road"),
    _band("land_cover", "1", (0.0, 254.0), "land-cover class", resampling="mode"),
    _band("settlement_distance", "km", (0.0, 5000.0), "distance to the nearest settlement"),
    _band("lightning", "km-2 year-1", (0.0, 100.0), "lightning flashes to ground in a usual year"),
    *(_band(f"{kind}_year", "year", (0.0, 2200.0), f"year of the last {kind}", resampling="mode")
      for kind in ("fire", "harvest")),
    *(_band(f"years_since_{kind}", "year", (0.0, 1000.0), f"years since the last known {kind}",
            resampling="mode") for kind in ("fire", "harvest")),
    _band("clear", "1", (0.0, 1.0), "clear fraction of the cell", resampling="average"),
]  # fmt: skip

BANDS: dict[str, Band] = {
    band.name: band
    for band in [*_sentinel2(), *_MODIS, *_WEATHER, *_FIRE_WEATHER, *_FIRE, *_STATIC]
}


def band(name: str) -> Band:
    """Look a band up.

    Parameters
    ----------
    name : str
        A name of the lexicon, such as "B8A" or "t2m_noon".

    Returns
    -------
    Band
        Its definition.

    Raises
    ------
    BandError
        If there is no such band; the nearest names are given.
    """
    try:
        return BANDS[name]
    except KeyError:
        near = get_close_matches(name, BANDS, n=3) or sorted(BANDS)[:3]
        raise BandError(f"unknown band {name!r}: did you mean {' or '.join(near)}?") from None


def check_names(names: Iterable[str], among: Iterable[str], owner: str) -> None:
    """Refuse a choice of bands that `owner` does not deliver.

    Parameters
    ----------
    names : iterable of str
        Bands that were asked for.
    among : iterable of str
        Bands that exist there.
    owner : str
        Source or group named in the message.

    Raises
    ------
    BandError
        For the first name that `owner` lacks.
    """
    offered = list(among)
    for name in names:
        if name not in offered:
            near = get_close_matches(name, offered, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(offered)}"
            raise BandError(f"{owner} has no band {name!r}: {hint}")


def check(layer: xr.DataArray, name: str, *, tolerance: float = 0.01) -> None:
    """Refuse values that the band cannot have (wrong unit, scale or offset).

    Parameters
    ----------
    layer : xr.DataArray
        Values in the band's own units; NaN = missing.
    name : str
        Name of the band.
    tolerance : float
        Excess over the valid range that packing may cause, as a share of the range.

    Raises
    ------
    BandError
        If the unit attribute differs or finite values leave the valid range.
    """
    wanted = band(name)
    units = layer.attrs.get("units", wanted.units)
    if units != wanted.units:
        raise BandError(f"{name} comes in {units}, its Band says {wanted.units}: convert in read()")
    values = layer.values
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return
    low, high = wanted.valid_range
    slack = tolerance * (high - low)
    smallest, largest = float(finite.min()), float(finite.max())
    if smallest < low - slack or largest > high + slack:
        raise BandError(
            f"{name} holds {smallest:g} to {largest:g} {wanted.units}, possible is {low:g} to "
            f"{high:g}: wrong unit, scale or offset?"
        )
