"""What a chip is made of on disk, and how its values are packed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firesat.scaling import Batch

Codec = Literal["lz4", "none"]

MISSING = 65535  # of counts

SHARD = 64
"""Chips in a file, 10 MB of reflectance: few enough to write at once, many enough for a disk."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """How a field is stored.

    Parameters
    ----------
    dims : tuple of str
        Names of its dimensions after the chip.
    dtype : str
        NumPy type; floats keep NaN.
    scale : float
        Value of one step, for uint16, whose 65535 means missing.
    """

    dims: tuple[str, ...]
    dtype: str = "float32"
    scale: float | None = None

    def pack(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn physical values into stored ones.

        Parameters
        ----------
        values : ndarray
            Physical units; NaN = missing.

        Returns
        -------
        ndarray
            Of `dtype`; reflectance beyond what counts can hold takes the nearest they can.
        """
        if self.scale is None:
            return values.astype(self.dtype)
        steps = values / np.float32(self.scale)
        np.rint(steps, out=steps)
        np.clip(steps, 0, MISSING - 1, out=steps)  # leaves NaN
        return np.nan_to_num(steps, copy=False, nan=MISSING).astype(self.dtype)

    def unpack(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Turn stored values into physical ones.

        Parameters
        ----------
        stored : ndarray
            Of `dtype`; any layout in memory.

        Returns
        -------
        ndarray of float32
            Physical units; NaN = missing.
        """
        from firesat import loops

        stored = np.ascontiguousarray(stored)
        out = np.empty(stored.shape, dtype=np.float32)
        if self.scale is not None:
            step, missing = np.float32(self.scale), np.uint16(MISSING)
            loops.from_counts(stored.reshape(-1), step, missing, out.reshape(-1))
        elif stored.dtype == np.float16:
            loops.from_halves(stored.view(np.uint16).reshape(-1), out.reshape(-1))
        else:
            out[...] = stored
        return out


FIELDS = {
    "sentinel2": Field(dims=("look", "band", "y", "x"), dtype="uint16", scale=1e-4),
    "age": Field(dims=("look", "y", "x"), dtype="float16"),
    "modis": Field(dims=("modis_step", "modis_band", "y_500m", "x_500m")),
    "weather": Field(dims=("weather_step", "weather_band", "y_1km", "x_1km")),
    "fire": Field(dims=("fire_band", "y", "x"), dtype="float16"),
    "static": Field(dims=("static_band", "y", "x"), dtype="float16"),
    "season": Field(dims=("wave",)),
    "label": Field(dims=("head", "y", "x"), dtype="uint8"),
    "valid": Field(dims=("head", "y", "x"), dtype="uint8"),
}
"""What is stored of a batch. Masks are not: they say where the fields are NaN."""

DAYS = {
    "lead": Field(dims=("bound", "y", "x"), dtype="uint8"),
    "starts": Field(dims=("day", "y_1km", "x_1km"), dtype="float16"),
}
"""What is stored besides where the labels are known day by day."""

AROUND = {
    "around": Field(dims=("weather_step", "weather_band", "y_10km", "x_10km")),
    "off_centre": Field(dims=("axis",)),
}
"""What is stored besides where chips see the weather around them."""

BESIDES = {**DAYS, **AROUND}
"""What a store may hold or lack."""

EVERYTHING = {**FIELDS, **BESIDES}
"""All that a store may hold."""


def unpack(chip: Mapping[str, NDArray[Any]]) -> Batch:
    """Turn a stored chip into a physical one.

    Parameters
    ----------
    chip : mapping of ndarray
        Fields of `FIELDS` as stored.

    Returns
    -------
    dict of ndarray
        float32, physical units, NaN = missing; without masks.
    """
    return {name: EVERYTHING[name].unpack(values) for name, values in chip.items()}
