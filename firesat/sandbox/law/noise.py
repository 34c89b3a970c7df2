"""Seeded randomness: independent streams and smooth random fields."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]


def stream(seed: int, *keys: int) -> np.random.Generator:
    """Open one of the world's independent random streams.

    Parameters
    ----------
    seed : int
        The world's seed.
    *keys : int
        What the stream is for (purpose, year, day ...), each 0 or more.

    Returns
    -------
    numpy.random.Generator
        The same for the same numbers, whatever was drawn elsewhere.
    """
    return np.random.default_rng([seed, *keys])


def smooth_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    length: float,
    slope: float = 3.0,
    stretch: float = 1.0,
) -> Floats:
    """Draw a smooth random field with a power spectrum that falls beyond a length.

    The amplitude is (1 + (k L)^2)^(-slope/2), k in radians per cell, synthesised on a larger
    periodic box and cut, so that opposite edges differ.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
        Rows and columns.
    length : float
        Correlation length L in cells, above 0.
    slope : float
        Fall of the amplitude; 2 is rough, 4 is smooth.
    stretch : float
        Longer in the direction of the first diagonal by this factor (glacial lineation).

    Returns
    -------
    ndarray
        float32 (y, x), mean 0 and standard deviation 1 over the returned cells.
    """
    pad = min(math.ceil(2 * length), 2 * max(shape))
    rows, columns = (fft.next_fast_len(size + pad, real=True) for size in shape)
    spectrum = fft.rfft2(rng.standard_normal((rows, columns), dtype=np.float32))
    ky = (2 * np.pi * fft.fftfreq(rows))[:, None]
    kx = (2 * np.pi * fft.rfftfreq(columns))[None, :]
    along, across = (ky + kx) / math.sqrt(2), (ky - kx) / math.sqrt(2)
    k2 = (along * stretch) ** 2 + across**2
    spectrum *= ((1.0 + k2 * length**2) ** (-slope / 2)).astype(np.float32)
    field = fft.irfft2(spectrum, s=(rows, columns))[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-9), dtype=np.float32)


def tile_field(seed: int, size: int, *, length: float, slope: float) -> Floats:
    """Draw a periodic random field, to be rolled to any place.

    Parameters
    ----------
    seed : int
        Seed of the field.
    size : int
        Rows and columns.
    length : float
        Correlation length in cells, above 0.
    slope : float
        Fall of the amplitude, as in `smooth_field`.

    Returns
    -------
    ndarray
        float32 (size, size), standard normal over the tile, periodic.
    """
    white = np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32)
    ky = (2 * np.pi * fft.fftfreq(size))[:, None]
    kx = (2 * np.pi * fft.rfftfreq(size))[None, :]
    weight = (1.0 + (ky**2 + kx**2) * length**2) ** (-slope / 2)
    field = fft.irfft2(fft.rfft2(white) * weight.astype(np.float32), s=(size, size))
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def rank(field: Floats) -> Floats:
    """Replace values by their share of smaller ones.

    Parameters
    ----------
    field : ndarray
        Any values.

    Returns
    -------
    ndarray
        float32, uniform in 0-1, same shape.
    """
    order = np.empty(field.size, dtype=np.float32)
    order[np.argsort(field, axis=None, kind="stable")] = np.arange(field.size, dtype=np.float32)
    uniform = order / np.float32(max(field.size - 1, 1))
    return np.asarray(uniform.reshape(field.shape), dtype=np.float32)
