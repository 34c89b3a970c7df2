"""The latest clear looks as the cube keeps them, kept up to date scene by scene.

The K newest of some looks and a new one are the K newest of the K newest and the new one. Looks
that grow too old are the oldest, so what they would have displaced is too old as well. Hence a
state never needs a scene twice, in whatever order scenes arrive.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from firesat.composite.looks import (
    REFLECTANCE_FILL,
    Looks,
    clear_enough,
    decode_reflectance,
    whole,
)

Numbers = NDArray[np.uint16]

NEVER = 65535
"""Age of a look that there is not."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The latest clear looks of a region, newest first, as they are stored.

    Parameters
    ----------
    reflectance : ndarray of uint16, shape (K, band, Y, X)
        Steps of 1e-4; 65535 where there is no such look.
    age : ndarray of uint16, shape (K, Y, X)
        Days from the look's fire day to the issue day; `NEVER` where there is no such look.
    """

    reflectance: Numbers
    age: Numbers


def nothing(looks: int, bands: int, shape: tuple[int, int]) -> State:
    """Give the state of a region of which no scene has been seen.

    Parameters
    ----------
    looks, bands : int
        K, and bands of a look.
    shape : tuple of int
        Rows and columns of cells.

    Returns
    -------
    State
        No look anywhere.
    """
    return State(
        reflectance=np.full((looks, bands, *shape), REFLECTANCE_FILL, dtype="uint16"),
        age=np.full((looks, *shape), NEVER, dtype="uint16"),
    )


def older(state: State, days: int, history: int) -> State:
    """Let days pass.

    Parameters
    ----------
    state : State
        As of an issue day.
    days : int
        From that to the later issue day, 0 or more.
    history : int
        Largest age of a look; older ones are dropped.

    Returns
    -------
    State
        As of the later day, without any scene of the days between.
    """
    age = state.age.astype("int64") + days
    gone = (state.age == NEVER) | (age > history)
    return State(
        reflectance=np.where(gone[:, None], np.uint16(REFLECTANCE_FILL), state.reflectance),
        age=np.where(gone, NEVER, age).astype("uint16"),
    )


def fold(
    state: State, age: int, scene: tuple[Numbers, NDArray[np.uint8]], *, min_clear: float = 0.5
) -> None:
    """Fold one scene into a state, in place.

    Parameters
    ----------
    state : State
        Which has not seen the scene's day yet.
    age : int
        Days from the scene's fire day to the state's issue day.
    scene : tuple of ndarray
        uint16 reflectance ``(band, Y, X)`` and uint8 clear fraction ``(Y, X)``, as stored.
    min_clear : float
        Smallest clear fraction of a cell that counts as a look.
    """
    reflectance, clear = scene
    good = clear_enough(clear, min_clear) & whole(reflectance)
    _insert(state.reflectance, state.age, np.uint16(age), reflectance, good)


@numba.njit(cache=True, nogil=True)
def _insert(
    stack: Numbers, ages: Numbers, age: np.uint16, scene: Numbers, good: NDArray[np.bool_]
) -> None:
    """Put a scene's good cells in their place by age; the oldest look falls off the end."""
    looks, bands, height, width = stack.shape
    for y in range(height):
        for x in range(width):
            if not good[y, x] or ages[looks - 1, y, x] < age:
                continue
            place = looks - 1
            while place > 0 and ages[place - 1, y, x] > age:
                ages[place, y, x] = ages[place - 1, y, x]
                stack[place, :, y, x] = stack[place - 1, :, y, x]
                place -= 1
            ages[place, y, x] = age
            for band in range(bands):
                stack[place, band, y, x] = scene[band, y, x]


def decoded(state: State) -> Looks:
    """Turn a state into physical values.

    Parameters
    ----------
    state : State
        As stored.

    Returns
    -------
    Looks
        To the bit those of `stack_looks` over the same scenes.
    """
    age = state.age.astype("float32")
    age[state.age == NEVER] = np.nan
    reflectance = decode_reflectance(state.reflectance)
    reflectance[np.isnan(age)[:, None].repeat(reflectance.shape[1], axis=1)] = np.nan
    return Looks(reflectance=reflectance, age=age)
