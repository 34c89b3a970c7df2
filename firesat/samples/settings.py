"""Which chips are taken."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from firesat.errors import ConfigError
from firesat.samples.inputs import COARSEST, Inputs
from firesat.window import Period, all_days


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """Which chips are taken.

    Parameters
    ----------
    path : Path
        The store, a folder ending in ``.zarr``; its table lies beside it as ``.parquet``.
    splits : dict of list of Period
        Fire days of each split; forward in time, "train" first.
    inputs : Inputs
        What a chip holds.
    chip : int
        Cells of 100 m of a chip's side, a multiple of 10.
    stride : int
        Cells between the chips of the frame, a multiple of 10, at most `chip`.
    issue_step : int
        Days between issue days.
    positives, near, random : int
        Chips to take for training from each stratum, 1 or more: with a burning cell, within 10 km
        of a recent hotspot, elsewhere.
    held_out : float
        Chips of each other split, as a share of those of training.
    seed : int
        Of the draw.

    Raises
    ------
    ConfigError
        If a number is impossible, or a split begins before the one before it has ended.
    """

    path: Path
    splits: dict[str, list[Period]]
    inputs: Inputs = field(default_factory=Inputs)
    chip: int = 80
    stride: int = 40
    issue_step: int = 4
    positives: int = 600
    near: int = 200
    random: int = 300
    held_out: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse draws that cannot be."""
        if self.path.suffix != ".zarr":
            raise ConfigError(f"sample.path is {self.path}: it should end in .zarr")
        if self.chip % COARSEST or self.stride % COARSEST or not 0 < self.stride <= self.chip:
            raise ConfigError(
                f"sample.chip={self.chip} and sample.stride={self.stride}: both in multiples of "
                f"{COARSEST} cells (1 km), stride at most chip"
            )
        if min(self.positives, self.near, self.random, self.issue_step) < 1 or self.held_out <= 0:
            raise ConfigError(
                "sample: positives, near, random and issue_step start at 1 and held_out is above "
                "0: every chip of the frame needs a chance to be taken"
            )
        _check_order(self.splits)

    def wanted(self, split: str) -> dict[str, int]:
        """Tell how many chips a split takes from each stratum.

        Parameters
        ----------
        split : str
            Such as "train".

        Returns
        -------
        dict of int
            Stratum to number, 1 or more.
        """
        share = 1.0 if split == "train" else self.held_out
        numbers = {"positive": self.positives, "near_fire": self.near, "random": self.random}
        return {stratum: max(1, round(share * number)) for stratum, number in numbers.items()}


def _check_order(splits: dict[str, list[Period]]) -> None:
    """Refuse splits that do not follow each other in time, train first."""
    days = {name: all_days(periods) for name, periods in splits.items()}
    order = sorted(days, key=lambda name: days[name][0])
    if not order or order[0] != "train":
        raise ConfigError(f"sample.splits: {order[0] if order else 'nothing'} is first, not train")
    for before, after in pairwise(order):
        if days[after][0] <= days[before][-1]:
            raise ConfigError(
                f"sample.splits: {after} begins {days[after][0]}, before {before} has ended on "
                f"{days[before][-1]}: splits go forward in time"
            )
