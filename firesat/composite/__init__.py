"""What Sentinel-2 last saw of each cell: masks of doubtful pixels, and the latest clear looks."""

from firesat.composite.looks import (
    CLEAR_FILL,
    Looks,
    Scene,
    empty_looks,
    recent_looks,
    stack_looks,
)
from firesat.composite.masks import DOUBTS, NEEDED, clear_mask, doubts
from firesat.composite.recent import NEVER, State, decoded, fold, nothing, older
from firesat.composite.sun import Sun, sun_at, sun_over

__all__ = [
    "CLEAR_FILL",
    "DOUBTS",
    "NEEDED",
    "NEVER",
    "Looks",
    "Scene",
    "State",
    "Sun",
    "clear_mask",
    "decoded",
    "doubts",
    "empty_looks",
    "fold",
    "nothing",
    "older",
    "recent_looks",
    "stack_looks",
    "sun_at",
    "sun_over",
]
