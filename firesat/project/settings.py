"""The sections of a project file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firesat.audit.settings import AuditSettings
from firesat.errors import ConfigError
from firesat.grid import Grid
from firesat.metrics import EvaluateSettings
from firesat.products.settings import PredictSettings
from firesat.samples import SampleSettings
from firesat.sandbox.config import WorldConfig
from firesat.sources.settings import IngestSettings
from firesat.store import address, in_bucket
from firesat.window import Period, all_days


@dataclass(frozen=True, kw_only=True)
class CubeSettings:
    """Where the cube stands and which days it covers.

    Parameters
    ----------
    path : Path
        Folder ending in ``.zarr``; or ``s3://bucket/folder/name.zarr``, whose address and keys are
        those of the AWS_* variables.
    periods : list of Period
        Fire days, season by season.
    cache : Path, optional
        Folder of downloads; default ``cache`` beside the cube. A cube in a bucket needs one.

    Raises
    ------
    ConfigError
        If periods overlap, or a cube in a bucket comes without a cache.
    """

    path: Path
    periods: list[Period]
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse periods that overlap, and downloads that would have no place."""
        all_days(self.periods)
        if in_bucket(self.path) and self.cache is None:
            raise ConfigError(
                f"{address(self.path)} is in a bucket: say with cube.cache where downloads rest"
            )

    @property
    def folder(self) -> Path:
        """Local folder of what stands beside the cube.

        Returns
        -------
        Path
            Its parent; that of the downloads where the cube is in a bucket.
        """
        return self.downloads.parent if in_bucket(self.path) else self.path.parent

    @property
    def downloads(self) -> Path:
        """Folder of downloads.

        Returns
        -------
        Path
            `cache`, or its default.
        """
        return self.cache or self.path.parent / "cache"


@dataclass(frozen=True, kw_only=True)
class Project:
    """One project file.

    Parameters
    ----------
    cube : CubeSettings
        The cube.
    grid : Grid
        CRS and region.
    ingest : IngestSettings
        Sources and workers.
    sandbox : WorldConfig, optional
        When present, every provider is the sandbox's server of this made world.
    sample : SampleSettings, optional
        Chips.
    audit : AuditSettings
        How chips are checked for leaks, and whether that is done before training.
    train : dict
        Section of the Lightning CLI: ``model``, ``data``, ``trainer``, ``seed_everything``.
    predict : PredictSettings, optional
        Maps.
    evaluate : EvaluateSettings, optional
        Scores.
    """

    cube: CubeSettings
    grid: Grid = field(default_factory=Grid)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    sandbox: WorldConfig | None = None
    sample: SampleSettings | None = None
    audit: AuditSettings = field(default_factory=AuditSettings)
    train: dict[str, Any] = field(default_factory=dict)
    predict: PredictSettings | None = None
    evaluate: EvaluateSettings | None = None

    def section(self, name: str) -> Any:  # noqa: ANN401  the section's own type
        """Give a section that a command cannot do without.

        Parameters
        ----------
        name : str
            Such as "predict".

        Returns
        -------
        object
            The section's settings.

        Raises
        ------
        ConfigError
            If the file lacks it.
        """
        found = getattr(self, name)
        if not found:
            raise ConfigError(f"the config has no section {name}: (see configs/sandbox.yaml)")
        return found
