"""What a trained forecaster cannot be asked for, said before any data are read."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from firesat.checkpoint import refuse_other
from firesat.cube import grid_of
from firesat.errors import CheckpointError, ConfigError
from firesat.forecast import Forecaster
from firesat.samples import Inputs
from firesat.scaling import SCALED, Scaler
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
    """Refuse a cube whose cells lie otherwise than those of the chips: CRS, origin, size.

    Parameters
    ----------
    forecaster : Forecaster
        From a checkpoint.
    cube_path : Path
        The cube.

    Raises
    ------
    CheckpointError
        Naming what differs, and both.
    """
    grid = grid_of(cube_path)
    found = {"crs": grid.crs, **grid.lattice}
    known = forecaster.provenance
    then = {"crs": known.get("crs"), **(known.get("lattice") or {})}
    then = {name: value for name, value in then.items() if value}  # older chips do not say
    now = {name: found[name] for name in then if name in found}
    refuse_other(then, now, f"the cube {cube_path.name}")


def refuse_mixed_parts(forecaster: Forecaster, inputs: Inputs, scaler: Scaler) -> None:
    """Refuse a forecaster whose inputs, scaler and network are not of each other.

    Parameters
    ----------
    forecaster : Forecaster
        From a checkpoint or a folder.
    inputs : Inputs
        What its batches are made of.
    scaler : Scaler
        How they are scaled.

    Raises
    ------
    CheckpointError
        Naming bands, leads or sizes that differ.
    """
    network: Any = forecaster.network
    names = inputs.names
    scalable = [name for name in SCALED if name in names or name in scaler.names]
    bands = {field: list(names.get(field, ())) for field in scalable}
    scaled = {field: list(scaler.names.get(field, ())) for field in scalable}
    refuse_other({"bands": bands}, {"bands": scaled}, "its own scaler")
    built = asdict(network.channels)
    fields = asdict(inputs.channels(built["size"]))
    # chips without days of labels teach no leads
    wanted = fields | {"leads": fields["leads"] if built["leads"] else 0}
    refuse_other(built, wanted, "its own inputs")


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
