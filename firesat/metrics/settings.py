"""What `firesat evaluate` may be told."""

from dataclasses import dataclass
from pathlib import Path

from firesat.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How forecasts are scored, and what they are compared with.

    Parameters
    ----------
    output : Path
        Folder of ``scores.json``, ``report.html`` and ``quicklook.png``.
    block_km : float
        Side of the blocks that intervals resample, in km.
    block_days : int
        Length of the blocks in days.
    resamples : int
        Resamples behind each interval.
    level : float
        Probability content of the intervals, above 0 and below 1.
    seed : int
        Seed of the resamples and of the baselines' sub-sampling.
    near_km : float
        Cells within this distance of hotspots known at T are scored as growth, the others as new
        fires.
    train_step : int
        Days between the issue days on which the baselines are fitted.
    negatives : int
        Cells that did not burn kept per issue day when the baselines are fitted; they are weighted
        by the inverse of the probability of being kept.
    climatology_km : float
        Standard deviation of climatology's kernel in space, in km.
    climatology_days : float
        Standard deviation of climatology's kernel over the days of the year.

    Raises
    ------
    ConfigError
        If a setting is impossible.
    """

    output: Path = Path("out/evaluate")
    block_km: float = 200.0
    block_days: int = 16
    resamples: int = 1000
    level: float = 0.9
    seed: int = 0
    near_km: float = 5.0
    train_step: int = 4
    negatives: int = 20_000
    climatology_km: float = 50.0
    climatology_days: float = 15.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be."""
        positive = (
            "block_km", "block_days", "resamples", "near_km", "train_step", "negatives",
            "climatology_km", "climatology_days",
        )  # fmt: skip
        for name in positive:
            if getattr(self, name) <= 0:
                raise ConfigError(f"evaluate.{name} is {getattr(self, name)}: give more than 0")
        if not 0.0 < self.level < 1.0:
            raise ConfigError(f"evaluate.level is {self.level}: give a share such as 0.9")
