"""A trained forecaster on disk: what is needed to forecast with it, and what to know of it."""

from pathlib import Path
from typing import Any

import torch

from firesat.checkpoint import read_checkpoint, rebuild
from firesat.errors import CheckpointError
from firesat.forecast import Forecaster


def load_forecaster(path: Path) -> tuple[Forecaster, dict[str, Any], dict[str, Any]]:
    """Open a trained forecaster.

    Parameters
    ----------
    path : Path
        Checkpoint.

    Returns
    -------
    forecaster : Forecaster
        In evaluation mode, on the CPU.
    inputs : dict
        What its batches are made of.
    scaler : dict
        How they are scaled.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, made for other networks, or holds a weight that is no
        number.
    """
    record, weights = read_checkpoint(path)
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"{path}: {broken[0]} is not finite: the training diverged")
    forecaster = Forecaster(
        rebuild(record, path),
        inputs=record.get("inputs"),
        scaler=record.get("scaler"),
    )
    try:
        forecaster.load_state_dict(weights)
    except RuntimeError as error:
        words = " ".join(str(error).split())
        raise CheckpointError(f"{path} does not fit its own network: {words[:160]}") from None
    return forecaster.eval(), forecaster.inputs, forecaster.scaler
