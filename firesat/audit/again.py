"""Read chips again from a cube in which nothing is left that came after T, and compare.

Whatever the reader does, it cannot find what is not there: a chip that differs knew more.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.audit.evidence import Chip, Evidence
from firesat.audit.result import Check, Leaks
from firesat.audit.settings import AuditSettings
from firesat.audit.watcher import Fields
from firesat.cube import grid_of
from firesat.errors import FiresatError
from firesat.samples import Inputs, Reader
from firesat.samples.opened import Opener
from firesat.sampling import FIRE

TRUTH = ("labels", "nbac", "modis_burned")
"""Groups that no input is made of."""

_WEATHER = ("era5_land", "fire_weather")
_RELATIVE, _ABSOLUTE = 1e-3, 2e-4  # half precision, and packed reflectance
_DAY = np.timedelta64(1, "D")


def check_again(evidence: Evidence, inputs: Inputs, settings: AuditSettings) -> Check:
    """Read some chips of each split again.

    Parameters
    ----------
    evidence : Evidence
        Store and cube.
    inputs : Inputs
        What the chips are made of.
    settings : AuditSettings
        How many, and which.

    Returns
    -------
    Check
        Named "layers".
    """
    leaks, chosen = Leaks(), _choose(evidence, settings)
    for chip in chosen:
        stored = evidence.store[chip.number]
        try:
            found = _read(chip, evidence, inputs)
        except FiresatError as error:
            leaks.add(f"{chip}: cannot be read from what was there at T ({error})")
            continue
        leaks.extend(f"{chip}: {difference}" for difference in _differences(stored, found, inputs))
    return leaks.check(
        "layers",
        "layers available after T that entered",
        f"{len(chosen)} chips read again from a cube without them",
    )


def _choose(evidence: Evidence, settings: AuditSettings) -> list[Chip]:
    """Chips of every split, half of them with fire where there are so many."""
    rng = np.random.default_rng(settings.seed)
    chosen: list[Chip] = []
    for split in dict.fromkeys(chip.split for chip in evidence.chips):
        of_split = [chip for chip in evidence.chips if chip.split == split]
        fires = [chip for chip in of_split if chip.stratum in FIRE]
        others = [chip for chip in of_split if chip.stratum not in FIRE]
        half = min(len(fires), max(settings.reread // 2, settings.reread - len(others)))
        for some, number in ((fires, half), (others, settings.reread - half)):
            picked = rng.permutation(len(some))[:number]
            chosen += [some[i] for i in sorted(picked)]
    return chosen


def _read(chip: Chip, evidence: Evidence, inputs: Inputs) -> Fields:
    """A chip, read by the reader that everybody uses, from what was there at T."""
    grid = grid_of(evidence.cube_path)
    rows, cols = evidence.inside(chip)
    box = grid.box(100)
    top, left = rows.start // 10 * 10, cols.start // 10 * 10
    bottom, right = -(-rows.stop // 10) * 10, -(-cols.stop // 10) * 10
    cells = box[top:bottom, left:right]
    reader = Reader(evidence.cube_path, inputs, blindfold(chip, evidence, inputs))
    fields = reader.day(str(chip.day), cells)
    return reader.chip(fields, rows.start - top, cols.start - left, chip.size)


def blindfold(chip: Chip, evidence: Evidence, inputs: Inputs) -> Opener:
    """Open groups without anything that a forecaster did not have at T.

    Parameters
    ----------
    chip : Chip
        Whose T.
    evidence : Evidence
        With the times of arrival.
    inputs : Inputs
        With the regime of the weather.

    Returns
    -------
    callable
        To be given to a reader. Steps that no tile had are gone; perimeters and labels are refused.
    """

    def opener(path: Path, group: str, *, packed: bool = False) -> xr.Dataset:
        """Open a group."""
        if group in TRUTH:
            raise FiresatError(f"an input asks for {group}, which is truth")
        steps = _in_hand(group, chip, evidence, inputs)
        return evidence.open(group, packed=packed).isel(time=steps)

    return opener


def _in_hand(group: str, chip: Chip, evidence: Evidence, inputs: Inputs) -> NDArray[np.intp]:
    """Steps of a group that were there at T."""
    days, arrived = evidence.arrivals(group)
    if group in _WEATHER and inputs.regime != "operational":
        reach = inputs.window.horizon if inputs.regime == "hindsight" else 0
        return np.flatnonzero(days < chip.day + reach * _DAY)
    return np.flatnonzero((arrived <= chip.time).any(axis=(1, 2)))


def _differences(stored: Fields, found: Fields, inputs: Inputs) -> Iterator[str]:
    """Bands of a chip that hold something else."""
    for field, names in inputs.names.items():
        for channel, name in enumerate(names):
            one, other = stored[field], found[field]
            if one.shape != other.shape:
                yield f"band {field} has shape {one.shape}, at T it has {other.shape}"
                break
            one, other = one[..., channel, :, :], other[..., channel, :, :]
            same = np.isclose(one, other, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
            if not same.all():
                yield f"band {field}/{name} {_unlike(one, other, same)}"


def _unlike(one: NDArray[np.floating], other: NDArray[np.floating], same: NDArray[np.bool_]) -> str:
    """In a few words, how much two bands differ."""
    only = np.isfinite(one) & ~np.isfinite(other) & ~same
    if only.any():
        return f"knows {int(only.sum())} cells of which nothing was known at T"
    where = tuple(np.argwhere(~same)[0])
    return (
        f"differs in {int((~same).sum())} cells from what was known at T: {one[where]:.4g}, not "
        f"{other[where]:.4g}"
    )
