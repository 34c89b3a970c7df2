"""The layers of five MODIS products: names, types, fills, scales and quality bits.

Source: the products' user guides (MOD13, MOD11, MOD15 and MCD64 of collection 6.1,
lpdaac.usgs.gov). A field is ``quality`` (0 good, 1 marginal, 2 not retrieved, NaN outside) or a
physical one with NaN where there is no value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.hdf4 import Attribute

Fields = Mapping[str, NDArray[np.float32]]
Draw = Callable[[Fields, int], NDArray[Any]]

# Good, marginal and cloudy pixels. VI Quality: MODLAND 00, 01, 10; usefulness 1, 2, 10; aerosol
# low, average, high; the cloudy one with adjacent and mixed clouds; all over land (bits 11-13 =
# 001). 2116 and 2185 are what real boreal files hold most.
_VI_QUALITY = (0b00_0010_0001_000100, 0b00_0010_0010_001001, 0b00_0011_0111_101010)
_RELIABILITY = (0, 1, 3)
_LST_QC = (0b00000000, 0b01000001, 0b00000010)  # good; error below 2 K; not produced for cloud
_LAI_QC = (0b00000000, 0b01010001, 0b10001001)  # main method; empirical, mixed cloud; no retrieval
_CLOUD_INDEX = 0.02  # a cloudy vegetation index is there, low, and flagged


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a product.

    Parameters
    ----------
    name : str
        Its name in the file.
    dtype : str
        numpy type.
    fill : int
        Value outside the region.
    attributes : dict
        Further attributes.
    draw : callable
        Gets the fields and the day of the year of the composite's start; gives values of the
        layer's type.
    """

    name: str
    dtype: str
    fill: int
    attributes: Mapping[str, Attribute]
    draw: Draw


def _scaled(field: str, factor: float, valid: tuple[int, int], fill: int, dtype: str) -> Draw:
    """Physical values into integers; missing ones become the fill value."""

    def draw(fields: Fields, start: int) -> NDArray[Any]:
        values = np.clip(np.rint(fields[field] / factor), *valid)
        return np.where(np.isnan(values), fill, values).astype(dtype)

    return draw


def _vegetation(field: str) -> Draw:
    """A vegetation index, which has values under clouds too."""
    scaled = _scaled(field, 1e-4, (-2000, 10000), -3000, "int16")

    def draw(fields: Fields, start: int) -> NDArray[Any]:
        cloudy = np.where(fields["quality"] == 2, np.float32(_CLOUD_INDEX), fields[field])
        return scaled({field: cloudy}, start)

    return draw


def _flags(codes: tuple[int, int, int], fill: int, dtype: str) -> Draw:
    """Quality as bits."""

    def draw(fields: Fields, start: int) -> NDArray[Any]:
        quality = fields["quality"]
        outside = np.isnan(quality)
        index = np.where(outside, 0, quality).astype(np.intp)
        return np.where(outside, fill, np.array(codes)[index]).astype(dtype)

    return draw


def _own_flags(field: str, outside: int) -> Draw:
    """Quality of one temperature: by night others may be missing than by day."""
    flags = _flags(_LST_QC, outside, "uint8")

    def draw(fields: Fields, start: int) -> NDArray[Any]:
        quality = np.where(np.isnan(fields[field]), 2, np.minimum(fields["quality"], 1))
        return flags({"quality": np.where(np.isnan(fields["quality"]), np.nan, quality)}, start)

    return draw


def _constant(value: int, field: str, fill: int) -> Draw:
    """The same value wherever there is one of a field."""

    def draw(fields: Fields, start: int) -> NDArray[Any]:
        return np.where(np.isnan(fields[field]), fill, value).astype("uint8")

    return draw


def _day_of_year(fields: Fields, start: int) -> NDArray[Any]:
    """Day of the observation: the composite's middle; days after 31 December start at 1 again."""
    day = (start + 7) % 365 + 1
    return np.where(np.isnan(fields["quality"]), -1, day).astype("int16")


def _calibration(factor: float, words: str, units: str, valid: list[int]) -> dict[str, Attribute]:
    """The attributes that real layers have."""
    return {
        "long_name": words,
        "units": units,
        "valid_range": valid,
        "scale_factor": factor,
        "scale_factor_err": 0.0,
        "add_offset": 0.0,
        "add_offset_err": 0.0,
    }


def _index(name: str) -> Layer:
    """A vegetation index: its attribute is the number to DIVIDE by, unlike the other products'."""
    words = f"500m 16 days {name}"
    return Layer(
        name=words,
        dtype="int16",
        fill=-3000,
        attributes=_calibration(10000.0, words, name, [-2000, 10000]),
        draw=_vegetation(name.lower()),
    )


def _described(words: str, units: str, valid: list[int]) -> dict[str, Attribute]:
    """Attributes of a layer without scale."""
    return {"long_name": words, "units": units, "valid_range": valid}


VEGETATION = (
    _index("NDVI"),
    _index("EVI"),
    Layer(
        name="500m 16 days VI Quality",
        dtype="uint16",
        fill=65535,
        attributes=_described("500m 16 days VI Quality", "bit field", [0, 65534]),
        draw=_flags(_VI_QUALITY, 65535, "uint16"),
    ),
    Layer(
        name="500m 16 days composite day of the year",
        dtype="int16",
        fill=-1,
        attributes=_described("500m 16 days composite day of the year", "Julian day", [1, 366]),
        draw=_day_of_year,
    ),
    Layer(
        name="500m 16 days pixel reliability",
        dtype="int8",
        fill=-1,
        attributes=_described("500m 16 days pixel reliability", "rank", [0, 3]),
        draw=_flags(_RELIABILITY, -1, "int8"),
    ),
)


def temperature(outside: int) -> tuple[Layer, ...]:
    """List the layers of a land surface temperature product.

    Parameters
    ----------
    outside : int
        Quality code outside the region. In the 8-day product it is 0, which without a look at the
        temperature reads as good.

    Returns
    -------
    tuple of Layer
        Day and night.
    """
    return tuple(
        layer
        for time, hour in (("Day", 105), ("Night", 225))
        for layer in (
            Layer(
                name=f"LST_{time}_1km",
                dtype="uint16",
                fill=0,
                attributes=_calibration(
                    0.02, f"{time}time Land-surface Temperature", "K", [7500, 65535]
                ),
                draw=_scaled(f"lst_{time.lower()}", 0.02, (7500, 65535), 0, "uint16"),
            ),
            Layer(
                name=f"QC_{time}",
                dtype="uint8",
                fill=outside,
                attributes={"long_name": f"Quality control for {time.lower()}time LST"},
                draw=_own_flags(f"lst_{time.lower()}", outside),
            ),
            Layer(
                name=f"{time}_view_time",
                dtype="uint8",
                fill=255,
                attributes=_calibration(0.1, f"Time of {time.lower()}time LST", "hrs", [0, 240]),
                draw=_constant(hour, f"lst_{time.lower()}", 255),
            ),
        )
    )


LEAF_AREA = (
    Layer(
        name="Fpar_500m",
        dtype="uint8",
        fill=255,
        attributes=_calibration(0.01, "MOD15A2H MODIS/Terra FPAR", "Percent", [0, 100]),
        draw=_scaled("fpar", 0.01, (0, 100), 255, "uint8"),
    ),
    Layer(
        name="Lai_500m",
        dtype="uint8",
        fill=255,
        attributes=_calibration(0.1, "MOD15A2H MODIS/Terra LAI", "m^2/m^2", [0, 100]),
        draw=_scaled("lai", 0.1, (0, 100), 255, "uint8"),
    ),
    Layer(
        name="FparLai_QC",
        dtype="uint8",
        fill=255,
        attributes=_described("MOD15A2H MODIS/Terra QC for FPAR and LAI", "class-flag", [0, 254]),
        draw=_flags(_LAI_QC, 255, "uint8"),
    ),
)

_WATER = -2  # instead of a day


def _burn_date(fields: Fields, start: int) -> NDArray[Any]:
    """Day of the year; 0 unburned, -1 unmapped, -2 water."""
    quality = fields["quality"]
    mapped = np.where(quality == 1, _WATER, fields["burn_date"])
    return np.where(np.isnan(quality), -1, mapped).astype("int16")


def _uncertainty(fields: Fields, start: int) -> NDArray[Any]:
    """Days, of burned pixels."""
    return np.nan_to_num(np.where(fields["burn_date"] > 0, fields["uncertainty"], 0)).astype(
        "uint8"
    )


def _burn_quality(fields: Fields, start: int) -> NDArray[Any]:
    """Land (bit 0) with enough valid data (bit 1)."""
    quality = fields["quality"]
    return np.select([quality == 0, quality == 1], [0b11, 0b10], 0).astype("uint8")


BURNED_AREA = (
    Layer(
        name="Burn Date",
        dtype="int16",
        fill=-1,
        attributes=_described("ordinal day of burn", "day of year", [0, 366]),
        draw=_burn_date,
    ),
    Layer(
        name="Burn Date Uncertainty",
        dtype="uint8",
        fill=0,
        attributes=_described("uncertainty in day of burn", "days", [0, 100]),
        draw=_uncertainty,
    ),
    Layer(
        name="QA",
        dtype="uint8",
        fill=0,
        attributes=_described("quality assurance indicators", "bit field", [0, 255]),
        draw=_burn_quality,
    ),
)
