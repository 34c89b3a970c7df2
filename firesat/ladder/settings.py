"""What the ladder may be told."""

from dataclasses import dataclass
from pathlib import Path

from firesat.errors import ConfigError

UNSEEING = "_without_sentinel2"
"""Ending of the name of a network that learns without Sentinel-2."""


@dataclass(frozen=True, kw_only=True)
class LadderSettings:
    """Which models are compared, and how each is trained.

    Parameters
    ----------
    output : Path
        Folder of the trainings and of ``ladder.json``.
    networks : tuple of str
        Names of configs/model; each beside the same baselines.
    seeds : int
        Trainings of each network.
    epochs : int
        Of each training.
    modality_dropout : float
        Chance that a training chip loses inputs, so that one checkpoint serves without them.
    draws : int
        Fresh draws of each window from the sandbox's hidden state, in each of two halves; 0 = no
        expected scores.
    blind : bool
        Whether Sentinel-2 can know nothing, so that a model must not gain by it: each network is
        trained without it too.
    elsewhere : bool
        Whether Sentinel-2 is that of another place; else the world itself is blind.

    Raises
    ------
    ConfigError
        If there is nothing to train.
    """

    output: Path = Path("out/ladder")
    networks: tuple[str, ...] = ("conv_lstm", "cnn", "vit")
    seeds: int = 3
    epochs: int = 3
    modality_dropout: float = 0.3
    draws: int = 0
    blind: bool = False
    elsewhere: bool = False

    def __post_init__(self) -> None:
        """Refuse a ladder without rungs."""
        if not self.networks or self.seeds < 1 or self.epochs < 1 or self.draws < 0:
            raise ConfigError(
                f"ladder: networks {self.networks}, seeds {self.seeds}, epochs {self.epochs}, "
                f"draws {self.draws}: give at least one network, seed and epoch, and draws from 0"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Name what is trained.

        Returns
        -------
        tuple of str
            The networks; where `blind`, each also as it learns without Sentinel-2.
        """
        endings = ("", UNSEEING) if self.blind else ("",)
        return tuple(name + ending for name in self.networks for ending in endings)

    @property
    def rungs(self) -> list[tuple[str, int]]:
        """List the trainings.

        Returns
        -------
        list of (str, int)
            Name and seed; one of each network first.
        """
        # one of each first, so that a stopped ladder can compare them
        return [(network, seed) for seed in range(self.seeds) for network in self.kinds]
