"""Sentinel-2 scenes of a region, the recently used ones kept in memory as they are stored."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.composite import CLEAR_FILL, Looks, Scene, empty_looks, stack_looks
from firesat.samples.pieces import Piece
from firesat.window import Window

KEPT_BYTES = 1 << 30  # a season of 60 x 60 km; forecasts a few days apart share most scenes

_Packed = tuple[NDArray[np.generic], NDArray[np.uint8]]


class Scenes:
    """The scenes of a region, each read once as long as memory allows.

    Parameters
    ----------
    piece : Piece
        The group ``sentinel2``, opened packed.
    kept_bytes : int
        Memory for scenes; the longest unused goes first.
    """

    def __init__(self, piece: Piece, kept_bytes: int = KEPT_BYTES) -> None:
        self._piece = piece
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[int, _Packed] = OrderedDict()

    def looks(self, day: str, window: Window, number: int) -> Looks:
        """Give the latest clear looks, as :func:`firesat.composite.recent_looks` does.

        Parameters
        ----------
        day : str
            Issue day.
        window : Window
            Its history limits the age of a look.
        number : int
            K.

        Returns
        -------
        Looks
            Of the piece's cells; bands as the lexicon has them, NaN in those that the cube lacks.
        """
        found = stack_looks(self._in_hand(day, window), number)
        if found.age.size:
            return self._in_lexicon(found)
        sizes = self._piece.data.sizes
        return empty_looks(number, len(SENTINEL2_BANDS), sizes["y"], sizes["x"])

    def _in_lexicon(self, found: Looks) -> Looks:
        """Looks with every band of the lexicon, whichever the cube holds, in whatever order."""
        names = tuple(self._piece.data["reflectance"].attrs["band_names"])
        if names == SENTINEL2_BANDS:
            return found
        number, _, height, width = found.reflectance.shape
        whole = empty_looks(number, len(SENTINEL2_BANDS), height, width).reflectance
        whole[:, [SENTINEL2_BANDS.index(name) for name in names]] = found.reflectance
        return Looks(reflectance=whole, age=found.age)

    def _in_hand(self, day: str, window: Window) -> Iterator[Scene]:
        """Scenes available by T, newest first, unclear in tiles where they were not."""
        known = self._piece.known(day, window, window.history)
        days = self._piece.days
        ages = (np.datetime64(day, "D") - days).astype(np.int64)
        for step in np.flatnonzero(self._piece.touched(known))[::-1]:
            reflectance, clear = self._read(int(step))
            here = self._piece.over_cells(known[step])
            yield float(ages[step]), reflectance, np.where(here, clear, np.uint8(CLEAR_FILL))

    def _read(self, step: int) -> _Packed:
        """A scene, from memory or from the cube."""
        if step in self._kept:
            self._kept.move_to_end(step)
            return self._kept[step]
        scene = self._piece.data.isel(time=step)
        self._kept[step] = scene["reflectance"].values, scene["clear"].values
        while len(self._kept) > 1 and self._bytes() > self._kept_bytes:
            self._kept.popitem(last=False)
        return self._kept[step]

    def _bytes(self) -> int:
        """Memory in use."""
        return sum(reflectance.nbytes + clear.nbytes for reflectance, clear in self._kept.values())
