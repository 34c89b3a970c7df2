"""How a training writes its checkpoints: aside, to the disk, and only then under their names."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from firesat.manifest import sync_folder


class Durable(TorchCheckpointIO):
    """Whoever kills a training, or its machine, leaves the last whole checkpoint.

    Lightning's own goes through the system's temporary folder: from another disk the last step is a
    copy, which may be torn.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: Any,  # noqa: ANN401  Lightning's own union of paths
        storage_options: Any = None,  # noqa: ANN401
    ) -> None:
        """Write a checkpoint; what stood there is replaced once it is whole.

        Parameters
        ----------
        checkpoint : dict
            Lightning's.
        path : str or Path
            Where.
        storage_options : object
            Not used.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        with part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
