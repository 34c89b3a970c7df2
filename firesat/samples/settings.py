"""Which chips are taken."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from firesat.chipstore.fields import Codec
from firesat.errors import ConfigError
from firesat.samples.fires import FARTHEST
from firesat.samples.inputs import Inputs
from firesat.sampling import POSITIVE, Matching
from firesat.splits import Apart, Overwintering, Places
from firesat.window import Period, all_days


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Chips without fire for each chip with fire.

    Parameters
    ----------
    near_fire : float
        Near a known fire.
    hard : float
        Of the same fire weather and land cover as the chips with fire.
    matched : float
        Of the same season and land cover.
    random : float
        Any that is not near a known fire; above 0, so that every chip may be drawn.
    """

    near_fire: float = 0.3
    hard: float = 0.2
    matched: float = 0.2
    random: float = 0.3

    def __post_init__(self) -> None:
        """Refuse ratios that leave part of the frame without a chance."""
        if min(self.near_fire, self.random) <= 0 or min(self.hard, self.matched) < 0:
            raise ConfigError(
                "sample.ratio: near_fire and random are above 0, hard and matched at least 0: "
                "every chip of the frame needs a chance to be taken"
            )


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """Which chips are taken.

    Parameters
    ----------
    path : Path
        The store, a folder ending in ``.zarr``; its table lies beside it as ``.parquet``.
    splits : dict of list of Period
        Fire days of each split, "train" first; what comes later is held out from what comes
        before. Without `places` they go forward in time.
    places : Places, optional
        Hold out places besides: `firesat.splits.Zones` or `firesat.splits.Blocks`.
    hard : dict of str
        Further split, such as "test_hard", to the split whose chips with fire it shares; its other
        chips are all matched by fire weather and land cover.
    inputs : Inputs
        What a chip holds.
    chip : int
        Cells of 100 m of a chip's side, a multiple of ``inputs.line``.
    stride : int
        Cells between the chips of the frame, a multiple of ``inputs.line``, at most `chip`.
    issue_step : int
        Days between issue days; 1 = any day may be drawn.
    positives : int
        Chips with fire to take for training, 2 or more.
    growth : float, optional
        Share of these in which a fire of before T burns on; in the others new fires alone burn.
        One kind makes up for what there is too little of the other. Fires burn on in few chips
        that hold much of what burns. None: their natural share.
    ratio : Ratio
        Chips without fire for each of these.
    match : Matching
        What counts as the same season and fire weather.
    near_km : float
        Kilometres to a hotspot of the last 10 days known at T that make a chip "near_fire".
    buffer_days : int
        Whole days between the windows of two splits that go forward in time. Chips of the earlier
        one that come nearer are left out.
    overwintering : Overwintering
        Which fires are one with those of the year before.
    held_out : float
        Chips of each other split, as a share of those of training.
    codec : {"lz4", "none"}
        How chips lie on disk. "none" takes two to three times the room and is read one
        and a half to two times as fast from memory.
    seed : int
        Of the draw.

    Raises
    ------
    ConfigError
        If a number is impossible, or a split begins before the one before it has ended.
    """

    path: Path
    splits: dict[str, list[Period]]
    places: Places | None = None
    hard: dict[str, str] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=Inputs)
    chip: int = 80
    stride: int = 40
    issue_step: int = 1
    positives: int = 600
    growth: float | None = 0.5
    ratio: Ratio = field(default_factory=Ratio)
    match: Matching = field(default_factory=Matching)
    near_km: float = 10.0
    buffer_days: int = 8
    overwintering: Overwintering = field(default_factory=Overwintering)
    held_out: float = 0.4
    codec: Codec = "lz4"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse draws that cannot be."""
        if self.path.suffix != ".zarr":
            raise ConfigError(f"sample.path is {self.path}: it should end in .zarr")
        line = self.inputs.line
        if self.chip % line or self.stride % line or not 0 < self.stride <= self.chip:
            raise ConfigError(
                f"sample.chip={self.chip} and sample.stride={self.stride}: both in multiples of "
                f"{line} cells ({line / 10:g} km), stride at most chip"
            )
        if self.positives < 2 or self.issue_step < 1 or self.held_out <= 0 or self.buffer_days < 0:
            raise ConfigError(
                "sample: positives start at 2, issue_step at 1, buffer_days at 0, and held_out is "
                "above 0"
            )
        if self.growth is not None and not 0 < self.growth < 1:
            raise ConfigError(
                f"sample.growth is {self.growth:g}: give more than 0 and less than 1, so that "
                "every chip with fire may be drawn, or null for their natural share"
            )
        if not 0 < self.near_km < FARTHEST:
            raise ConfigError(
                f"sample.near_km is {self.near_km:g}: give more than 0 and less than {FARTHEST:g}"
            )
        self._check_splits()

    def _check_splits(self) -> None:
        """Refuse splits that do not follow each other, and hard ones of nothing."""
        days = {name: all_days(periods) for name, periods in self.splits.items()}
        order = list(days)
        if self.places is None:
            order.sort(key=lambda name: days[name][0])
        if not order or order[0] != "train":
            raise ConfigError(
                f"sample.splits: {order[0] if order else 'nothing'} is first, not train"
            )
        for before, after in pairwise(order if self.places is None else ()):
            if days[after][0] <= days[before][-1]:
                raise ConfigError(
                    f"sample.splits: {after} begins {days[after][0]}, before {before} has ended on "
                    f"{days[before][-1]}: splits go forward in time"
                )
        for name, of in self.hard.items():
            if of not in days or name in days:
                raise ConfigError(
                    f"sample.hard: {name} of {of}: give a new name, and one of {', '.join(days)}"
                )

    @property
    def order(self) -> tuple[str, ...]:
        """Splits, each held out from those before it.

        Returns
        -------
        tuple of str
            "train" first; in order of time, or as they are written where places differ.
        """
        if self.places is not None:
            return tuple(self.splits)
        return tuple(sorted(self.splits, key=lambda name: self.splits[name][0].start))

    @property
    def apart(self) -> Apart:
        """What keeps the chips of two splits apart.

        Returns
        -------
        Apart
            Time where splits go forward, otherwise what the rule of places says.
        """
        return Apart(days=self.buffer_days) if self.places is None else self.places.apart

    def wanted(self, split: str) -> dict[str, int]:
        """Tell how many chips a split takes from each stratum.

        Parameters
        ----------
        split : str
            Such as "train".

        Returns
        -------
        dict of int
            Stratum to number, of chips with fire both kinds together; 1 or more of each that every
            chip may fall into.
        """
        positives = self.positives * (1.0 if split == "train" else self.held_out)
        ratio = self.ratio
        return {
            POSITIVE: max(2, round(positives)),
            "near_fire": max(1, round(positives * ratio.near_fire)),
            "hard": round(positives * ratio.hard),
            "matched": round(positives * ratio.matched),
            "random": max(1, round(positives * ratio.random)),
        }
