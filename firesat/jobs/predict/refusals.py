"""What a trained forecaster cannot be asked for, said before any data are read."""

from pathlib import Path

from firesat.checkpoint import refuse_other
from firesat.cube import grid_of
from firesat.errors import CheckpointError, ConfigError
from firesat.forecast import Forecaster
from firesat.samples import Inputs
from firesat.window import DAY_START


def refuse_protocol(inputs: Inputs) -> None:
    """Refuse inputs from which no seamless map of firesat's days can be made.

    Parameters
    ----------
    inputs : Inputs
        What a forecaster was trained on.

    Raises
    ------
    ConfigError
        If it was trained on frames chosen chip by chip, or on other days.
    """
    if inputs.frames is not None:
        raise ConfigError(
            "no maps from this checkpoint: its frames are chosen chip by chip, so that neighbours "
            "would see different days; train with inputs.frames left out"
        )
    if inputs.window.day_start != DAY_START:
        raise ConfigError(
            f"no maps from this checkpoint: it knows days that begin at {inputs.window.day_start} "
            f"UTC, maps are issued at {DAY_START} UTC; train with window.day_start {DAY_START}"
        )


def refuse_other_grid(forecaster: Forecaster, cube_path: Path) -> None:
    """Refuse a cube in another CRS than that of the chips.

    Parameters
    ----------
    forecaster : Forecaster
        From a checkpoint.
    cube_path : Path
        The cube.

    Raises
    ------
    CheckpointError
        Naming both.
    """
    learned = forecaster.provenance.get("crs")
    if learned:  # chips of older versions do not say
        found = grid_of(cube_path).crs
        refuse_other({"crs": learned}, {"crs": found}, f"the cube {cube_path.name}")


def leads_of(forecaster: Forecaster, *, by_day: bool) -> int:
    """Say how many days to ask for.

    Parameters
    ----------
    forecaster : Forecaster
        From a checkpoint.
    by_day : bool
        Whether a product shows them.

    Returns
    -------
    int
        0 = the window alone.

    Raises
    ------
    CheckpointError
        If a product shows days that the network does not tell apart.
    """
    if by_day and not forecaster.leads:
        raise CheckpointError(
            "the checkpoint does not tell the days of its window apart: leave the product leads "
            "out, or train again on chips that firesat sample makes now"
        )
    return forecaster.leads if by_day else 0
