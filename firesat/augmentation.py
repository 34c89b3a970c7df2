"""What training does to a chip so that a network does not learn it by heart.

Every draw comes from the seed, the epoch and the chip alone: the number of readers, and which of
them took the chip, change nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.errors import ConfigError
from firesat.turns import FLIPS, QUARTERS, TURNS, Names, lone_component

MODALITIES = {
    "sentinel2": ("sentinel2", "age"),
    "modis": ("modis",),
    "weather": ("weather", "around"),
    "fire": ("fire",),
}
"""Inputs that may be missing as a whole, with the fields that are missing then."""

LOSSES = (
    ("sentinel2",),
    ("modis",),
    ("weather",),
    ("fire",),
    ("sentinel2", "modis"),
    ("sentinel2", "modis", "fire"),
)
"""What is lost together: each input by itself, all images, everything but the weather."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one chip in one epoch.

    Parameters
    ----------
    turn : int
        As `firesat.turns.TURNS`.
    looks : tuple of int
        Looks that stay.
    lost : tuple of str
        The modalities that are missing.
    gains : ndarray of float32, shape (K, C), optional
        Factors of the reflectance of each look and band.
    """

    turn: int = 0
    looks: tuple[int, ...] | None = None
    lost: tuple[str, ...] = ()
    gains: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Which changes are drawn, and how often.

    Parameters
    ----------
    flips : bool
        Mirror images.
    quarter_turns : bool
        Turns by a right angle.
    look_dropout : float
        Chance, 0..1, that a Sentinel-2 look is lost, each for itself. Older ones move up, as if a
        cloud had stood there.
    modality_dropout : float
        Chance, 0..1, that the chip loses one of `LOSSES`.
    spectral_jitter : float
        Standard deviation of the gain of each look and band around 1. The instrument's own
        uncertainty is 0.03 to 0.05 (Gascon et al. 2017, Remote Sens. 9, 584).

    Raises
    ------
    ConfigError
        If a number is impossible.
    """

    flips: bool = False
    quarter_turns: bool = False
    look_dropout: float = 0.0
    modality_dropout: float = 0.0
    spectral_jitter: float = 0.0

    def __post_init__(self) -> None:
        """Refuse chances that are none."""
        for name in ("look_dropout", "modality_dropout", "spectral_jitter"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(f"data.{name} is {value}: it goes from 0 (never) to 1")

    def turns(self, names: Names) -> tuple[int, ...]:
        """Tell which turns are drawn from.

        Parameters
        ----------
        names : mapping of tuple of str
            Field to its channels.

        Returns
        -------
        tuple of int
            Without those that exchange rows and columns where a component of a vector lacks the
            other.
        """
        if self.flips and self.quarter_turns:
            allowed = tuple(range(TURNS))
        else:
            allowed = FLIPS if self.flips else QUARTERS if self.quarter_turns else (0,)
        return tuple(turn for turn in allowed if turn < 4) if lone_component(names) else allowed

    def draw(self, rng: np.random.Generator, names: Names, looks: int) -> Change:
        """Draw what happens to a chip.

        Parameters
        ----------
        rng : numpy.random.Generator
            Of this chip and epoch.
        names : mapping of tuple of str
            Field to its channels.
        looks : int
            K.

        Returns
        -------
        Change
            To be applied by `turns.turned` and :func:`changed`.
        """
        turns = self.turns(names)
        turn = turns[int(rng.integers(len(turns)))]
        kept, gains = None, None
        lost: tuple[str, ...] = ()
        if self.look_dropout:
            kept = tuple(np.flatnonzero(rng.random(looks) >= self.look_dropout).tolist())
        if self.modality_dropout and rng.random() < self.modality_dropout:
            lost = LOSSES[int(rng.integers(len(LOSSES)))]
        if self.spectral_jitter:
            shape = (looks, len(names["sentinel2"]))
            gains = np.maximum(rng.normal(1, self.spectral_jitter, shape), 0).astype(np.float32)
        return Change(turn=turn, looks=kept, lost=lost, gains=gains)


def changed(name: str, values: NDArray[np.float32], change: Change) -> NDArray[np.float32]:
    """Apply everything but the turn to one field.

    Parameters
    ----------
    name : str
        A field of `firesat.batch` that is no mask.
    values : ndarray of float32
        Without N, physical units; NaN = missing. May be written to.
    change : Change
        What to do.

    Returns
    -------
    ndarray of float32
        The field after it.
    """
    if name == "sentinel2" and change.gains is not None:
        values *= change.gains[:, :, None, None]
    if name in MODALITIES["sentinel2"] and change.looks is not None:
        values = _moved_up(values, change.looks)
    if any(name in MODALITIES[modality] for modality in change.lost):
        values = np.full_like(values, np.nan)
    return values


def _moved_up(values: NDArray[np.float32], looks: tuple[int, ...]) -> NDArray[np.float32]:
    """The looks that stay, then missing ones."""
    out = np.full_like(values, np.nan)
    out[: len(looks)] = values[list(looks)]
    return out
