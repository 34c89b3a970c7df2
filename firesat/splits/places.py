"""Splits by place: what a rule of places must offer, and what all of them check."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firesat.errors import SplitError
from firesat.grid import Grid
from firesat.splits.apart import Apart, Boxes


class Placement(Protocol):
    """Places of a region, laid out."""

    def allows(self, split: str, boxes: Boxes, day: str, horizon: int) -> NDArray[np.bool_]:
        """Tell which chips a split may take on an issue day.

        Parameters
        ----------
        split : str
            Such as "train".
        boxes : ndarray of float, shape (n, 4)
            Squares of the chips.
        day : str
            Issue day.
        horizon : int
            Days of the window.

        Returns
        -------
        ndarray of bool, shape (n,)
            A held-out chip lies wholly in the split's places, any other far enough from those of
            the splits held out from it.
        """
        ...


class Places(Protocol):
    """A rule by which places are held out, besides periods."""

    @property
    def apart(self) -> Apart:
        """What keeps chips of two splits apart.

        Returns
        -------
        Apart
            Checked again by the audit.
        """
        ...

    def lay_out(self, splits: Sequence[str], grid: Grid, chip_km: float) -> Placement:
        """Apply the rule to a region.

        Parameters
        ----------
        splits : sequence of str
            Names, "train" first; the later ones are held out from those before.
        grid : Grid
            With its region.
        chip_km : float
            Side of a chip.

        Returns
        -------
        Placement
            Of these splits.

        Raises
        ------
        SplitError
            If the rule cannot be applied to them.
        """
        ...


def check_buffer(buffer_km: float, chip_km: float, what: str, held_out: str) -> None:
    """Refuse a buffer over which a chip would reach.

    Parameters
    ----------
    buffer_km, chip_km : float
        Kilometres.
    what : str
        A held-out place, such as "block r12c07".
    held_out : str
        Its split.

    Raises
    ------
    SplitError
        If the buffer is smaller than a chip.
    """
    if buffer_km < chip_km:
        raise SplitError(
            f"{what} is in train and {held_out}. Use a buffer of at least one chip "
            f"({chip_km:g} km), got {buffer_km:g}."
        )


def check_names(held_out: Mapping[str, Sequence[str]], splits: Sequence[str], kind: str) -> None:
    """Refuse places that are named for two splits, or for one that is not held out.

    Parameters
    ----------
    held_out : mapping
        Split to the names of its places.
    splits : sequence of str
        All splits, "train" first.
    kind : str
        Such as "zone".

    Raises
    ------
    SplitError
        In one line.
    """
    for split in held_out:
        if split not in splits[1:]:
            raise SplitError(
                f"sample.places holds {kind}s out for {split}: sample.splits has "
                f"{', '.join(splits)}, and train takes what is left"
            )
    seen: dict[str, str] = {}
    for split, names in held_out.items():
        for name in names:
            if seen.setdefault(name, split) != split:
                raise SplitError(f"{kind} {name} is in {seen[name]} and {split}: name it once")
    if not seen:
        raise SplitError(f"sample.places holds out no {kind}: name some for {splits[-1]}")
    idle = [split for split in splits[1:] if not held_out.get(split)]
    if idle:
        raise SplitError(f"sample.places has no {kind} for {idle[0]}: name some, or drop the split")
