"""Rules by which whole scenes are chosen for a chip."""

from dataclasses import dataclass

from firesat.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Whole scenes chosen chip by chip, instead of the latest clear looks of each cell.

    Neighbouring chips then see different days: only for comparison with systems that do so.

    Parameters
    ----------
    at_least : int
        Scenes without which a chip leaves the frame.
    span_days : int
        Days that they must cover, from the oldest to the newest.
    max_cloud : float
        Largest share of a chip's cells that a scene may not show clearly, 0 to 1.

    Raises
    ------
    ConfigError
        If no scene could be chosen.
    """

    at_least: int = 3
    span_days: int = 40
    max_cloud: float = 0.4

    def __post_init__(self) -> None:
        """Refuse what no chip could meet."""
        if self.at_least < 1 or self.span_days < 0 or not 0 <= self.max_cloud < 1:
            raise ConfigError(
                "inputs.frames: at_least starts at 1, span_days at 0, max_cloud is 0 to below 1"
            )
