"""The MODIS products used: layers, scales, fills and quality bits.

All of it is from the user guides (MOD11, MOD13, MOD15, MCD64 of collection 6.1, lpdaac.usgs.gov),
not from the files: MOD13 stores the number to divide by, the others the number to multiply by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.bands import band
from firesat.blocks import Variable

_CLOUD_SNOW_SHADOW = 1 << 10 | 1 << 14 | 1 << 15  # mixed clouds, snow or ice, shadow

Raw = Mapping[str, NDArray[Any]]
Good = Callable[[Raw], NDArray[np.bool_]]
Value = Callable[[Raw, np.datetime64], NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a product.

    Parameters
    ----------
    variable : Variable
        How it is stored in the cube; its name is the lexicon's.
    sds : str
        Its name in the file.
    valid : tuple of int
        Smallest and largest raw value; anything else is fill or a class.
    scale : float
        Physical value of one step.
    quality : tuple of str
        Layers that `good` looks at.
    good : callable
        Tells which pixels are sound.
    value : callable, optional
        Gives the physical value from all layers and the composite's first day, and makes it one of
        pixels and not between them; None = number times `scale`.
    """

    variable: Variable
    sds: str
    valid: tuple[int, int]
    scale: float
    quality: tuple[str, ...]
    good: Good
    value: Value | None = None

    def physical(self, raw: Raw, start: np.datetime64) -> xr.DataArray:
        """Turn raw numbers into physical values.

        Parameters
        ----------
        raw : mapping of str to ndarray
            The file's layers.
        start : np.datetime64
            First day of the composite.

        Returns
        -------
        xr.DataArray
            float32, dims ``(y, x)``; NaN where missing, out of range or doubtful.
        """
        numbers = raw[self.sds]
        sound = (numbers >= self.valid[0]) & (numbers <= self.valid[1]) & self.good(raw)
        scaled = self.value(raw, start) if self.value else numbers * np.float32(self.scale)
        values = np.where(sound, scaled, np.float32(np.nan))
        known = band(self.variable.name)
        rule = "nearest" if known.resampling in ("nearest", "mode") or self.value else "bilinear"
        attrs = {"units": known.units, "resampling": rule}
        return xr.DataArray(values.astype("float32"), dims=("y", "x"), attrs=attrs)


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product.

    Parameters
    ----------
    group : str
        Name in the cube.
    level : int
        Cell size at which it is stored, in metres.
    days : int
        Length of a composite; each year starts anew on 1 January. 0 = a calendar month.
    latency_hours : float
        From the end of a composite to its publication.
    granule_bytes : float
        Size to expect of a granule: FileSize in the archive's metadata of a full land tile.
    layers : tuple of Layer
        What is read.
    """

    group: str
    level: int
    days: int
    latency_hours: float
    granule_bytes: float
    layers: tuple[Layer, ...]


def bits(values: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    """Cut a number out of quality bits.

    Parameters
    ----------
    values : ndarray of int
        Bit fields.
    first : int
        Lowest bit, counted from 0.
    count : int
        Length.

    Returns
    -------
    ndarray of int
        0 to ``2**count - 1``, of the type of `values`.
    """
    cut: NDArray[Any] = values >> first & (1 << count) - 1
    return cut


def _vegetation(prefix: str, name: str) -> Layer:
    """A vegetation index. Sound: produced; reliability good or marginal; no cloud, snow, shadow."""
    quality, reliability = f"{prefix} VI Quality", f"{prefix} pixel reliability"

    def good(raw: Raw) -> NDArray[np.bool_]:
        rank, flags = raw[reliability], raw[quality]
        produced = (bits(flags, 0, 2) <= 1) & (rank >= 0) & (rank <= 1)
        return np.asarray(produced & (flags & _CLOUD_SNOW_SHADOW == 0))

    return Layer(
        variable=Variable(name=name, dtype="int16", scale=1e-4, fill=-32768),
        sds=f"{prefix} {name.upper()}",
        valid=(-2000, 10_000),
        scale=1e-4,
        quality=(quality, reliability),
        good=good,
    )


def _temperature(time: str, size: str) -> Layer:
    """Surface temperature. Sound: good, or produced with an error of at most 2 K (bits 6-7)."""
    quality = f"QC_{time}"

    def good(raw: Raw) -> NDArray[np.bool_]:
        flags = raw[quality]
        produced, error = bits(flags, 0, 2), bits(flags, 6, 2)
        return np.asarray((produced == 0) | ((produced == 1) & (error <= 1)))

    return Layer(
        variable=Variable(name=f"lst_{time.lower()}", dtype="uint16", scale=0.02, fill=0),
        sds=f"LST_{time}_{size}",
        valid=(7500, 65_535),
        scale=0.02,
        quality=(quality,),
        good=good,
    )


def _view_time(time: str) -> Layer:
    """Local solar hour of the look that a temperature is from, or the mean hour of several."""
    name = f"lst_{time.lower()}_hour"
    return Layer(
        variable=Variable(name=name, dtype="uint8", scale=0.1, fill=255),
        sds=f"{time}_view_time",
        valid=(0, 240),
        scale=0.1,
        quality=(),
        good=lambda raw: np.asarray(raw[f"{time}_view_time"] != 255),
    )


def _mapped(raw: Raw) -> NDArray[np.bool_]:
    """Land (bit 0) with enough valid data (bit 1), neither water (-2) nor unmapped (-1)."""
    return np.asarray((raw["QA"] & 0b11 == 0b11) & (raw["Burn Date"] >= 0))


def _burned(name: str, sign: int) -> Layer:
    """A day of burning: the estimate, or that less or more its uncertainty in days."""

    def good(raw: Raw) -> NDArray[np.bool_]:
        return np.asarray(_mapped(raw) & (raw["Burn Date"] > 0))

    def value(raw: Raw, start: np.datetime64) -> NDArray[Any]:
        new_year = start.astype("datetime64[Y]").astype("datetime64[D]").astype(int)
        days = new_year + raw["Burn Date"].astype("int64") - 1
        return np.asarray(days + sign * raw["Burn Date Uncertainty"].astype("int64"))

    return Layer(
        variable=Variable(name=name),
        sds="Burn Date",
        valid=(1, 366),
        scale=1.0,
        quality=("Burn Date Uncertainty", "QA"),
        good=good,
        value=value,
    )


def _burned_share() -> Layer:
    """1 where the month burned the pixel, 0 where it did not, NaN where nobody can tell."""
    return Layer(
        variable=Variable(name="fraction", dtype="uint8", fill=255),
        sds="Burn Date",
        valid=(0, 366),
        scale=1.0,
        quality=("QA",),
        good=_mapped,
        value=lambda raw, start: raw["Burn Date"] > 0,
    )


def _leaves(name: str, scale: float) -> Layer:
    """FPAR or LAI. Sound: main algorithm (bits 5-7 of 0 or 1), clear or assumed so (bits 3-4)."""
    quality = "FparLai_QC"

    def good(raw: Raw) -> NDArray[np.bool_]:
        flags = raw[quality]
        cloud, method = bits(flags, 3, 2), bits(flags, 5, 3)
        clear = (cloud == 0) | (cloud == 3)
        return np.asarray((bits(flags, 0, 1) == 0) & (method <= 1) & clear)

    return Layer(
        variable=Variable(name=name, dtype="uint8", scale=scale, fill=255),
        sds=f"{name.capitalize()}_500m",
        valid=(0, 100),
        scale=scale,
        quality=(quality,),
        good=good,
    )


def _vi(prefix: str, level: int, granule_bytes: float) -> Product:
    """A 16-day vegetation product."""
    return Product(
        group="modis_vi",
        level=level,
        days=16,
        latency_hours=168,
        granule_bytes=granule_bytes,
        layers=tuple(_vegetation(prefix, name) for name in ("ndvi", "evi")),
    )


def _lst(size: str, level: int, days: int, latency_hours: float, granule_bytes: float) -> Product:
    """A temperature product."""
    return Product(
        group="modis_lst",
        level=level,
        days=days,
        latency_hours=latency_hours,
        granule_bytes=granule_bytes,
        layers=(
            *(_temperature(time, size) for time in ("Day", "Night")),
            *(_view_time(time) for time in ("Day", "Night")),
        ),
    )


# Latencies are those of forward processing, rounded up; the archive's production dates are years
# later and say nothing of what a forecaster had. Sizes are FileSize in the metadata of
# MOD13A1.A2022017.h12v11, MOD11A1.A2022030.h10v05, MOD11A2.A2022033.h19v10 and
# MOD15A2H.A2022033.h13v10, MCD64A1.A2021335.h10v06; MOD13A2 has a quarter of MOD13A1's pixels,
# MOD11B2 a 36th of MOD11A2's.
PRODUCTS: dict[str, Product] = {
    "MOD13A1": _vi("500m 16 days", 500, 73.4e6),
    "MOD13A2": _vi("1 km 16 days", 1000, 18.3e6),
    "MOD11A1": _lst("1km", 1000, 1, 48, 6.7e6),
    "MOD11A2": _lst("1km", 1000, 8, 72, 5.3e6),
    "MOD11B2": _lst("6km", 10_000, 8, 72, 0.15e6),
    "MOD15A2H": Product(
        group="modis_fpar",
        level=500,
        days=8,
        latency_hours=96,
        granule_bytes=14.2e6,
        layers=(_leaves("fpar", 0.01), _leaves("lai", 0.1)),
    ),
    "MCD64A1": Product(  # for labels alone
        group="modis_burned",
        level=500,
        days=0,
        latency_hours=1440,
        granule_bytes=1.2e6,
        layers=(
            _burned_share(),
            _burned("burn_day", 0),
            _burned("earliest", -1),
            _burned("latest", 1),
        ),
    ),
}
