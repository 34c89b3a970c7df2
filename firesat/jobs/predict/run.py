"""One issue day after the other: from the cube through the network to the products."""

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from odc.geo.geobox import GeoBox

from firesat import __version__
from firesat.cube import grid_of
from firesat.errors import ProductError
from firesat.jobs.predict.census import Census, count
from firesat.jobs.predict.conditions import SCAR, conditions
from firesat.jobs.predict.machine import Machine, machine_of
from firesat.jobs.predict.pieces import Load, Piece, pieces
from firesat.jobs.predict.plan import DayPlan, checkpoint_of, fingerprint, leave_receipt, plan
from firesat.manifest import refuse_unwritable
from firesat.mishaps import out_of_memory
from firesat.model_folder import fingerprint as checkpoint_hash
from firesat.products.base import Issue, local_offset
from firesat.products.settings import PredictSettings
from firesat.products.stac import write_item
from firesat.products.strips import Spool
from firesat.samples import DayFields
from firesat.stitch import Canvas

log = logging.getLogger(__name__)

_MARGIN = SCAR - 1  # cells around the chips, for what is judged of a cell's neighbourhood

_OUTPUT = "--output or predict.output"

Progress = Callable[[int, int, str], None]


def predict(settings: PredictSettings, cube_path: Path, progress: Progress) -> list[Path]:
    """Write the maps of every issue day that is not there yet.

    Parameters
    ----------
    settings : PredictSettings
        Days, checkpoint, products.
    cube_path : Path
        The cube.
    progress : callable
        Called with (chips done, chips in all, issue day).

    Returns
    -------
    list of Path
        One map for each issue day, in the order of the settings; kept ones too.

    Raises
    ------
    ConfigError
        If no day is given, nothing can be written, the network cannot take the chips, or they would
        leave gaps.
    CheckpointError
        If there is no checkpoint, or it gives no numbers.
    CubeError
        If a day cannot be forecast from the cube.
    ProductError
        If a map cannot be written, or a batch does not fit into the device's memory.
    """
    plans = plan(settings, cube_path)
    maps = {planned.day: planned.kept[0] for planned in plans if planned.kept}
    missing = [planned for planned in plans if not planned.kept]
    log.info("%d of %d days have whole maps already", len(maps), len(plans))
    if missing:
        refuse_unwritable(settings.output, _OUTPUT)
        work = _work(settings, cube_path, [planned.day for planned in missing], progress)
        made_from = fingerprint(settings, cube_path)
        for planned in missing:
            try:
                files, census = work.forecast(planned.day)
            except torch.OutOfMemoryError as error:
                words = out_of_memory(error, work.load.size, learning=False)
                raise ProductError(words) from None
            leave_receipt(planned.receipt, files, made_from, census)
            if words := census.warning(planned.day, settings.min_looks):
                log.warning(words)
            maps[planned.day] = files[0]
    return [maps[planned.day] for planned in plans]


def rehearse(settings: PredictSettings, cube_path: Path) -> list[DayPlan]:
    """Refuse what :func:`predict` would refuse, and write nothing.

    Parameters
    ----------
    settings : PredictSettings
        Days, checkpoint, products.
    cube_path : Path
        The cube.

    Returns
    -------
    list of DayPlan
        In the order of the settings; days without kept files are to be forecast.

    Raises
    ------
    ConfigError
        As of :func:`predict`.
    CheckpointError
        If there is no checkpoint.
    CubeError
        If a day cannot be forecast from the cube.
    """
    plans = plan(settings, cube_path)
    missing = [planned.day for planned in plans if not planned.kept]
    if missing:
        refuse_unwritable(settings.output, _OUTPUT)
        _work(settings, cube_path, missing, lambda *_: None)
    return plans


def _work(
    settings: PredictSettings, cube_path: Path, days: list[str], progress: Progress
) -> "_Work":
    """Everything that the days share."""
    machine = machine_of(settings, cube_path, days)
    cells = grid_of(cube_path).region_geobox(100)
    shape = (int(cells.shape[0]), int(cells.shape[1]))
    parts = list(pieces(shape, machine.chip, machine.stride, margin=_MARGIN))
    return _Work(
        settings=settings,
        machine=machine,
        cells=cells,
        checkpoint=checkpoint_hash(checkpoint_of(settings)),
        parts=parts,
        load=Load.of(
            [len(part.chips) for part in parts],
            min(settings.batch_size, machine.at_once),
            len(days),
        ),
        progress=progress,
    )


@dataclass(kw_only=True)
class _Work:
    """A run: its settings, its machine, its map in pieces, and the chips done so far."""

    settings: PredictSettings
    machine: Machine
    cells: GeoBox
    checkpoint: str
    parts: list[Piece]
    load: Load
    progress: Progress
    done: int = 0
    whole: int = 0

    def forecast(self, day: str) -> tuple[list[Path], Census]:
        """Write all files of one day, the map first, and count its cells."""
        folder, issue = self.settings.output, self._issue(day)
        folder.mkdir(parents=True, exist_ok=True)
        height, width = self.cells.shape
        with tempfile.TemporaryDirectory(prefix=".spool-", dir=folder) as scratch:
            spool = Spool(Path(scratch), (height, width), self.machine.leads)
            self._fill(spool, day)
            census = count(spool, self.settings.min_looks)
            assets = [
                asset
                for product in self.settings.products
                for asset in product.write(spool, self.cells, issue, folder)
            ]
        item = write_item(folder, issue, self.cells, assets, datetime.now(UTC))
        return [*(asset.path for asset in assets), item], census

    def _issue(self, day: str) -> Issue:
        """What the files say of themselves."""
        return Issue(
            day=day,
            window=self.machine.inputs.window,
            model=self.machine.model,
            checkpoint=self.checkpoint,
            regime=self.machine.inputs.regime,
            missing=self.machine.reader.missing,
            note=self.settings.note,
            forecasts=self.machine.inputs.forecasts if self.machine.inputs.looks_ahead else (),
            utc_offset=local_offset(self.cells),
            version=__version__,
        )

    def _fill(self, spool: Spool, day: str) -> None:
        """Forecast a day, piece by piece, into the spool."""
        machine = self.machine
        canvas = Canvas(*spool.shape, bands=2 + machine.leads, halo=machine.halo)
        line = 0
        for piece in self.parts:
            if piece.line > line:
                _hand_over(canvas, spool)
                line = piece.line
            fields = machine.reader.day(day, self.cells[piece.rows, piece.columns])
            self._judge(spool, fields, piece)
            for batch in machine.batches(fields, piece, self.load.size):
                given = [chip for chip, _, _ in batch]
                if not self.done:
                    self.whole = machine.hurry(given, self.settings, self.load)
                answer = machine.ask(given, self.whole)
                for values, (_, row, column) in zip(answer, batch, strict=True):
                    canvas.add(values, row, column)
                self.done += len(batch)
                self.progress(self.done, self.load.chips, day)
        _hand_over(canvas, spool, everything=True)

    def _judge(self, spool: Spool, fields: DayFields, piece: Piece) -> None:
        """Write what is known of a piece's cells besides their probability."""
        snow = self.machine.snow.cover(fields.day, fields.cells)
        machine, min_looks = self.machine, self.settings.min_looks
        found = conditions(fields, machine.inputs, snow, min_looks, machine.needed)
        here = (piece.own_rows, piece.own_columns)
        spool.state[here] = found.state[piece.own]
        spool.looks[here] = found.looks[piece.own]
        spool.age[here] = found.age[piece.own]


def _hand_over(canvas: Canvas, spool: Spool, *, everything: bool = False) -> None:
    """Finished rows from the canvas to the spool."""
    for row, values in canvas.finished_rows(everything=everything):
        rows = slice(row, row + values.shape[1])
        spool.growth[rows], spool.new[rows] = values[:2]
        spool.leads[:, rows] = values[2:]
