"""Choose chips from the cube and write them."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from firesat.chipstore import write_chips
from firesat.cube import grid_of
from firesat.errors import ConfigError
from firesat.grid import Grid
from firesat.jobs.prepare.report import SampleReport, report_of
from firesat.samples import Index, Plan, Progress, Reader, SampleSettings, index_chips, silent
from firesat.scaling import Batch, Moments

log = logging.getLogger(__name__)


def sample(settings: SampleSettings, cube_path: Path, progress: Progress = silent) -> SampleReport:
    """Draw chips from a cube and write them, with the scaler of the training chips.

    Parameters
    ----------
    settings : SampleSettings
        Which chips.
    cube_path : Path
        A cube with labels.
    progress : callable
        Called with (done, total, text).

    Returns
    -------
    SampleReport
        What was taken of what there was.

    Raises
    ------
    SampleError
        If a split has no chips, or nothing burns in it.
    SplitError, CubeError
        If places cannot be held out as asked, or the cube has fewer days than the splits.
    """
    reader = Reader(cube_path, settings.inputs)
    if reader.missing:
        log.warning("%s has no %s: the chips lack it", cube_path, ", ".join(reader.missing))
    index = index_chips(cube_path, settings, progress)
    tally = _Tally(settings, index, grid_of(cube_path))

    def finished() -> pd.DataFrame:
        return pd.concat([index.table, pd.DataFrame(tally.cells)], axis=1)

    plan, table = Plan(reader, settings), index.table
    chips = tally.count(plan.chips(table, progress), table["split"].tolist())
    write_chips(settings.path, finished, chips, len(table), tally.attrs, settings.codec)
    log.info("%d chips in %s", len(table), settings.path)
    return report_of(settings, index, finished(), reader.missing)


def draw_chips(
    settings: SampleSettings, cube_path: Path, file: Path | None, progress: Progress = silent
) -> SampleReport:
    """Draw chips and count them; read no image.

    Parameters
    ----------
    settings : SampleSettings
        Which chips.
    cube_path : Path
        A cube with labels.
    file : Path, optional
        Where to save the table; None = nowhere.
    progress : callable
        Called with (done, total, text).

    Returns
    -------
    SampleReport
        What would be taken of what there is; its path is that of the table, if one was written.

    Raises
    ------
    ConfigError
        If the table's name does not end in ``.parquet``.
    SampleError, SplitError, CubeError
        As :func:`sample`.
    """
    if file is not None and file.suffix != ".parquet":
        raise ConfigError(f"--table {file}: the table's name should end in .parquet")
    index = index_chips(cube_path, settings, progress)
    missing = Reader(cube_path, settings.inputs).missing
    report = report_of(settings, index, index.table, missing)
    if file is None:
        return report
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    index.table.to_parquet(part, index=False)
    part.rename(file)
    return replace(report, path=file)


class _Tally:
    """What is learned of the chips while they pass on their way to the disk."""

    def __init__(self, settings: SampleSettings, index: Index, grid: Grid) -> None:
        self._settings, self._index, self._grid = settings, index, grid
        self._moments = Moments(settings.inputs.names)
        self.cells: list[dict[str, int]] = []

    def count(self, chips: Iterator[Batch], splits: list[str]) -> Iterator[Batch]:
        """Count cells of all chips, and take the moments of those for training."""
        for chip, split in zip(chips, splits, strict=True):
            if split == "train":
                self._moments.add(chip)
            burning = int(chip["label"].any(axis=0).sum())
            at_risk = int(chip["valid"].all(axis=0).sum())
            self.cells.append({"burning": burning, "at_risk": at_risk})
            yield chip

    def attrs(self) -> dict[str, Any]:
        """What the store says of itself."""
        settings, inputs = self._settings, self._settings.inputs
        return {
            "inputs": inputs.record,
            "regime": inputs.regime,
            "names": {field: list(names) for field, names in inputs.names.items()},
            "channels": asdict(inputs.channels(settings.chip)),
            "scaler": self._moments.scaler().record,
            "crs": self._grid.crs,
            "lattice": self._grid.lattice,
            "seed": settings.seed,
            "stride": settings.stride,
            "issue_step": settings.issue_step,
            "growth": settings.growth,
            "design": self._index.design.to_dict("records"),
            "dropped": self._index.dropped,
        }
