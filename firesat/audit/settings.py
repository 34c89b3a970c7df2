"""How chips are audited."""

from dataclasses import dataclass

from firesat.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """How chips are audited.

    Parameters
    ----------
    before_training : bool
        Whether ``firesat train fit`` audits first, and refuses chips that leak. The checkpoint says
        which.
    reread : int
        Chips of each split that are read again from a cube without anything that came after T.
        All other checks look at every chip.
    seed : int
        Of the choice of these.

    Raises
    ------
    ConfigError
        If none would be read again.
    """

    before_training: bool = True
    reread: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse an audit that trusts the reader."""
        if self.reread < 1:
            raise ConfigError(f"audit.reread is {self.reread}: read at least 1 chip of a split")
