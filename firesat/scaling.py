"""From physical units to what a network digests, and a mask for each thing that is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.batch import MASKS
from firesat.errors import SampleError

Batch = dict[str, NDArray[Any]]

SCALED = ("sentinel2", "modis", "weather", "around", "static")
"""Fields that are standardised; `fire` and fuel classes lie in 0..1 and stay as they are."""

SKEWED = frozenset({"tp", "dmc", "dc", "isi", "bui", "fwi", "dsr", "road_distance"})
"""Never negative and long-tailed: standardised after ``log(1 + x)``."""

_TELLS = {
    "age": MASKS["sentinel2"],
    **{name: MASKS[name] for name in ("modis", "weather", "fire")},
    "around": "around_mask",
}
"""Field to the mask that its missing values make."""

CHANNEL = -3  # axis of the channels in every scaled field


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """Mean and standard deviation of each channel, over the training chips alone.

    Parameters
    ----------
    names : dict of tuple of str
        Field to its channels, in order.
    mean, std : dict of tuple of float
        Field to its channels' moments, after the logarithm where a channel is of `SKEWED`. Channels
        that are left alone have mean 0 and std 1.
    """

    names: dict[str, tuple[str, ...]]
    mean: dict[str, tuple[float, ...]]
    std: dict[str, tuple[float, ...]]

    def apply(self, batch: Mapping[str, NDArray[Any]]) -> Batch:
        """Scale a chip or a batch of chips.

        Parameters
        ----------
        batch : mapping of ndarray
            Fields as `firesat.batch`, with or without N, in physical units; NaN = missing.

        Returns
        -------
        dict of ndarray
            The same fields, float32, with 0 where missing.

        Raises
        ------
        SampleError
            If a field has other channels than the scaler.
        """
        out = {name: np.empty(values.shape, np.float32) for name, values in batch.items()}
        self.into(batch, out)
        return out

    def into(self, batch: Mapping[str, NDArray[Any]], out: Mapping[str, NDArray[Any]]) -> None:
        """Scale a chip or a batch of chips into arrays that are there.

        Parameters
        ----------
        batch : mapping of ndarray
            As for :meth:`apply`.
        out : mapping of ndarray
            float32, contiguous, with the shapes of `batch`: filled.

        Raises
        ------
        SampleError
            If a field has other channels than the scaler.
        """
        from firesat import loops

        for name, values in batch.items():
            if name in self.names:
                self._standardise(name, values, out[name])
            elif values.dtype.kind == "f":
                loops.fill_missing(_float32(values).reshape(-1), out[name].reshape(-1))
            else:
                out[name][...] = values

    def _standardise(self, name: str, values: NDArray[Any], out: NDArray[np.float32]) -> None:
        """(x - mean) / std, channel by channel."""
        from firesat import loops

        channels = self.names[name]
        if values.shape[CHANNEL] != len(channels):
            raise SampleError(
                f"{name} has {values.shape[CHANNEL]} channels, the scaler {len(channels)}: the "
                "chips and the checkpoint are of different configs"
            )
        if SKEWED & set(channels):
            values = compress(values, channels)
        flat = (-1, len(channels), values.shape[-2] * values.shape[-1])
        loops.standardise(_float32(values).reshape(flat), *self._columns[name], out.reshape(flat))

    @cached_property
    def _columns(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Field to mean and std of each channel."""
        return {
            name: (np.array(self.mean[name], np.float32), np.array(self.std[name], np.float32))
            for name in self.names
        }

    def learned(self, field: str) -> bool:
        """Tell whether any channel of a field was ever there in the training chips.

        Parameters
        ----------
        field : str
            One of `SCALED`.

        Returns
        -------
        bool
            Fuel classes say nothing of it: they are not scaled.
        """
        # what was never seen has the moments that change nothing
        unseen = (0.0, 1.0)
        return any(pair != unseen for pair in zip(self.mean[field], self.std[field], strict=True))

    @property
    def record(self) -> dict[str, Any]:
        """Itself as JSON can hold it.

        Returns
        -------
        dict
            Field to a list of [channel, mean, std].
        """
        return {
            field: [list(row) for row in zip(names, self.mean[field], self.std[field], strict=True)]
            for field, names in self.names.items()
        }

    @classmethod
    def from_record(cls, record: Mapping[str, list[list[Any]]]) -> "Scaler":
        """Read what :attr:`record` gave.

        Parameters
        ----------
        record : mapping
            After a journey through JSON or a checkpoint.

        Returns
        -------
        Scaler
            Equal to the original.
        """
        return cls(
            names={name: tuple(str(row[0]) for row in rows) for name, rows in record.items()},
            mean={name: tuple(float(row[1]) for row in rows) for name, rows in record.items()},
            std={name: tuple(float(row[2]) for row in rows) for name, rows in record.items()},
        )


def compress(values: NDArray[Any], channels: Iterable[str]) -> NDArray[np.float32]:
    """Take the logarithm of the skewed channels.

    Parameters
    ----------
    values : ndarray, shape (..., channel, y, x)
        Physical units; NaN = missing.
    channels : iterable of str
        Names along the channel axis.

    Returns
    -------
    ndarray of float32
        ``log(1 + max(x, 0))`` in channels of `SKEWED`, a copy elsewhere.
    """
    out = np.array(values, dtype=np.float32)
    for number, name in enumerate(channels):
        if name in SKEWED:
            layer = out[..., number, :, :]
            layer[...] = np.log1p(np.maximum(layer, 0))
    return out


def add_masks(batch: Mapping[str, NDArray[Any]]) -> Batch:
    """Say of each input whether it is there.

    Parameters
    ----------
    batch : mapping of ndarray
        Fields with NaN where missing; `age` NaN where a cell has no look.

    Returns
    -------
    dict of ndarray
        With `clear` and the other masks, uint8, 1 = there. Weather and fires are missing as a
        whole day and variable, or whole layer, or not at all.
    """
    masks = (mask_of(name, values) for name, values in batch.items())
    return {**batch, **{name: mask for some in masks for name, mask in some.items()}}


def mask_of(name: str, values: NDArray[Any]) -> Batch:
    """Say of one field where it is there.

    Parameters
    ----------
    name : str
        Of the field.
    values : ndarray
        NaN where missing.

    Returns
    -------
    dict of ndarray
        Its mask, uint8, under its name; empty if it has none.
    """
    if name not in _TELLS or (name == "fire" and not values.shape[CHANNEL]):
        return {}
    there = np.isfinite(values)
    if name in ("weather", "fire"):
        there = there.all(axis=(-2, -1))
    return {_TELLS[name]: there.astype(np.uint8)}


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Contiguous float32, without copying what is that already."""
    return np.ascontiguousarray(values, dtype=np.float32)


@dataclass
class Moments:
    """Running sums of each channel, chip by chip, in float64.

    Parameters
    ----------
    names : dict of tuple of str
        Field to its channels; fields outside `SCALED` are ignored.
    """

    names: dict[str, tuple[str, ...]]
    sums: dict[str, NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        """Start from nothing."""
        self.names = {name: self.names[name] for name in SCALED if name in self.names}
        self.sums = {name: np.zeros((3, len(self.names[name]))) for name in self.names}

    def add(self, batch: Mapping[str, NDArray[Any]]) -> None:
        """Count a training chip in.

        Parameters
        ----------
        batch : mapping of ndarray
            Fields with or without N, physical units; NaN is not counted.
        """
        for name, channels in self.names.items():
            values = compress(batch[name], channels)
            there = np.isfinite(values)
            values = np.where(there, values, 0).astype(np.float64)
            others = tuple(a for a in range(values.ndim) if a != values.ndim + CHANNEL)
            self.sums[name] += [
                there.sum(axis=others),
                values.sum(axis=others),
                np.square(values).sum(axis=others),
            ]

    def scaler(self) -> Scaler:
        """Finish.

        Returns
        -------
        Scaler
            A channel that never varies, or was never seen, has std 1.
        """
        mean, std = {}, {}
        for name, (count, total, squares) in self.sums.items():
            number = np.maximum(count, 1)
            centre = total / number
            spread = np.sqrt(np.maximum(squares / number - centre**2, 0))
            # float32 chips: below this share of the mean a spread is rounding
            constant = spread <= 1e-6 * np.abs(centre)
            kept = np.array([channel.startswith("fuel_") for channel in self.names[name]])
            mean[name] = tuple(np.where(kept, 0.0, centre).tolist())
            std[name] = tuple(np.where(kept | constant, 1.0, spread).tolist())
        return Scaler(names=dict(self.names), mean=mean, std=std)
