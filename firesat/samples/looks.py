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

EVERYWHERE = (slice(None), slice(None))
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

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands as they are stored.

        Returns
        -------
        tuple of str
            In the cube's order.
        """
        return tuple(self._piece.data["reflectance"].attrs["band_names"])

    def looks(
        self, day: str, window: Window, number: int, part: tuple[slice, slice] = EVERYWHERE
    ) -> Looks:
        """Give the latest clear looks, as :func:`firesat.composite.recent_looks` does.

        Parameters
        ----------
        day : str
            Issue day.
        window : Window
            Its history limits the age of a look.
        number : int
            K.
        part : tuple of slice
            Rows and columns of the piece's cells that are wanted.

        Returns
        -------
        Looks
            Of these cells; bands as the lexicon has them, NaN in those that the cube lacks.
        """
        scenes = (
            (age, reflectance[:, *part], clear[part])
            for age, reflectance, clear in self.in_hand(day, window)
        )
        found = stack_looks(scenes, number)
        if found.age.size:
            return in_lexicon(found, self.bands)
        height, width = (
            len(range(size)[chosen])
            for size, chosen in zip(self._piece.data["clear"].shape[1:], part, strict=True)
        )
        return empty_looks(number, len(SENTINEL2_BANDS), height, width)

    def in_hand(self, day: str, window: Window) -> Iterator[Scene]:
        """Walk over the scenes available by T.

        Parameters
        ----------
        day : str
            Issue day.
        window : Window
            Its history limits their age.

        Yields
        ------
        tuple of (float, ndarray, ndarray)
            Age in days, reflectance and clear fraction as stored, newest first; never looked in
            tiles where they were not available.
        """
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


def in_lexicon(found: Looks, bands: tuple[str, ...]) -> Looks:
    """Put looks into the lexicon's bands, whichever the cube holds, in whatever order.

    Parameters
    ----------
    found : Looks
        With the cube's bands.
    bands : tuple of str
        Their names.

    Returns
    -------
    Looks
        With all of them, NaN in those that the cube lacks.
    """
    if bands == SENTINEL2_BANDS:
        return found
    number, _, height, width = found.reflectance.shape
    whole = empty_looks(number, len(SENTINEL2_BANDS), height, width).reflectance
    whole[:, [SENTINEL2_BANDS.index(name) for name in bands]] = found.reflectance
    return Looks(reflectance=whole, age=found.age)
