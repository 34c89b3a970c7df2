"""A forecaster ready to work on a cube: what it reads, how large its chips are, what it answers."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firesat.compiling import compile_if_quicker
from firesat.cube import grid_of
from firesat.errors import CheckpointError, ConfigError
from firesat.forecast import Forecaster
from firesat.jobs.predict.conditions import NEEDED, Snow
from firesat.jobs.predict.days import check_days
from firesat.jobs.predict.pieces import Load, Piece
from firesat.jobs.predict.plan import checkpoint_of
from firesat.jobs.predict.refusals import (
    leads_of,
    refuse_mixed_parts,
    refuse_other_grid,
    refuse_protocol,
)
from firesat.model_folder import load_forecaster
from firesat.precision import quickest
from firesat.products.settings import PredictSettings
from firesat.samples import DayFields, Inputs, Reader
from firesat.scaling import Batch, Scaler

log = logging.getLogger(__name__)

STEP = 10  # cells: chips start on the 1 km lines of the weather

LARGEST = 400
"""Cells of a chip's side: in larger ones, what a layer gives no longer fits a processor's cache."""

_AT_ONCE = {"cpu": LARGEST**2}  # cells of a batch: as much as is quick; elsewhere as much as fits
_AT_MOST = 1_000_000

MANY = 32  # batches; fewer are not worth a measurement, which takes eight

Placed = tuple[Batch, int, int]
"""A scaled chip with its row and column in the map."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A forecaster, its reader, and the geometry of its chips.

    Parameters
    ----------
    forecaster : Forecaster
        In evaluation mode, on its device.
    inputs : Inputs
        What it reads.
    scaler : Scaler
        How that is scaled.
    reader : Reader
        Reads it.
    snow : Snow
        Reads the snow.
    chip, halo, stride : int
        Cells.
    leads : int
        Days that are asked for one by one.
    """

    forecaster: Forecaster
    inputs: Inputs
    scaler: Scaler
    reader: Reader
    snow: Snow
    chip: int
    halo: int
    stride: int
    leads: int = 0

    @property
    def needed(self) -> frozenset[str]:
        """Fields without which it has no forecast.

        Returns
        -------
        frozenset of str
            Those of `NEEDED` that it has learned from.
        """
        return frozenset(name for name in NEEDED if self.scaler.learned(name))

    @property
    def at_once(self) -> int:
        """Chips that a batch may have here.

        Returns
        -------
        int
            From 1 on.
        """
        cells = _AT_ONCE.get(self.forecaster.device.type, _AT_MOST)
        return max(1, cells // self.chip**2)

    @property
    def model(self) -> str:
        """Where the network stands.

        Returns
        -------
        str
            Such as "firesat_models.temporal_cnn.TemporalCNN".
        """
        network = type(self.forecaster.network)
        return f"{network.__module__}.{network.__qualname__}"

    def batches(self, fields: DayFields, piece: Piece, size: int) -> Iterator[list[Placed]]:
        """Cut a piece into chips.

        Parameters
        ----------
        fields : DayFields
            Of the piece's cells.
        piece : Piece
            Part of the map.
        size : int
            Chips at once.

        Yields
        ------
        list of (dict of ndarray, int, int)
            Scaled chips with their row and column in the map.
        """
        for first in range(0, len(piece.chips), size):
            yield [
                (
                    self._chip(fields, row - piece.rows.start, column - piece.columns.start),
                    row,
                    column,
                )
                for row, column in piece.chips[first : first + size]
            ]

    def _chip(self, fields: DayFields, row: int, column: int) -> Batch:
        """One scaled chip."""
        return self.scaler.apply(self.reader.chip(fields, row, column, self.chip))

    def hurry(self, chips: list[Batch], settings: PredictSettings, load: Load) -> int:
        """Choose the precision of the network, and whether it is worth compiling.

        Parameters
        ----------
        chips : list of dict of ndarray
            Scaled, the first of many.
        settings : PredictSettings
            What was asked for.
        load : Load
            What is to come. For little, measuring would cost more than it saves.

        Returns
        -------
        int
            Chips that each batch must have, for which alone the network is compiled; 0 = any.
        """
        network, batch = self.forecaster.network, self._batch(chips, load.size)
        precision: str = settings.precision
        if precision == "auto" and load.batches >= MANY:
            precision = quickest(network, batch, learn=False)
        self.forecaster.precision = "float32" if precision == "auto" else precision
        if settings.compile == "never" or load.batches < MANY:
            return 0
        return load.size * compile_if_quicker(
            network, batch, self.forecaster.precision, load.batches, wanted=load.wanted
        )

    def ask(self, chips: list[Batch], whole: int = 0) -> NDArray[np.float32]:
        """Ask the network.

        Parameters
        ----------
        chips : list of dict of ndarray
            Scaled.
        whole : int
            Chips that a batch must have, as `hurry` says; a smaller one is filled up.

        Returns
        -------
        ndarray of float32, shape (N, 2 + leads, Y, X)
            Probability of burning by known fires and by new ones, then by either by the end of each
            lead, 0 to 1.

        Raises
        ------
        CheckpointError
            If an answer is no number.
        """
        batch = self._batch(chips, whole)  # made outside as in `hurry`: compiled code minds
        with torch.inference_mode():
            found = self.forecaster.outlook(batch)
            maps = [found["probability"][:, 1:], *([found["leads"]] if self.leads else [])]
            answer: NDArray[np.float32] = torch.cat(maps, dim=1)[: len(chips)].cpu().numpy()
        if not np.isfinite(answer).all():
            raise CheckpointError(
                f"{self.model} answers NaN: the training diverged, or its chips were scaled "
                "otherwise; run firesat train fit again"
            )
        return answer

    def _batch(self, chips: list[Batch], size: int) -> dict[str, Tensor]:
        """Chips as one batch of at least a size, where the network stands."""
        filled = chips + chips[-1:] * (size - len(chips))
        return {
            name: torch.from_numpy(np.stack([chip[name] for chip in filled])).to(
                self.forecaster.device
            )
            for name in chips[0]
        }


def machine_of(settings: PredictSettings, cube_path: Path, days: list[str]) -> Machine:
    """Load a forecaster and check, before any data are read, that it can do the work.

    Parameters
    ----------
    settings : PredictSettings
        Checkpoint and chips.
    cube_path : Path
        The cube.
    days : list of str
        Issue days that it will be asked for.

    Returns
    -------
    Machine
        On the fastest device there is.

    Raises
    ------
    CheckpointError
        If there is no checkpoint or it is damaged.
    CubeError
        If a day cannot be forecast from the cube.
    ConfigError
        If the network cannot take the chips, or the stride would leave gaps between them.
    """
    forecaster, inputs_record, scaler_record = load_forecaster(checkpoint_of(settings))
    inputs, scaler = Inputs.from_record(inputs_record), Scaler.from_record(scaler_record)
    refuse_protocol(inputs)
    refuse_other_grid(forecaster, cube_path)
    refuse_mixed_parts(forecaster, inputs, scaler)
    if scaler.learned("weather"):
        check_days(days, cube_path, inputs)
    reader = Reader(cube_path, inputs)
    if reader.missing:
        log.warning("%s has no %s: the maps lack it", cube_path, ", ".join(reader.missing))
    network: Any = forecaster.network  # declares its channels, halo and stride
    height, width = grid_of(cube_path).region_geobox(100).shape
    chip = chip_side(settings.chip, network, (height, width))
    halo = int(network.halo) if settings.halo is None else settings.halo
    return Machine(
        forecaster=forecaster.to(_device()),
        inputs=inputs,
        scaler=scaler,
        reader=reader,
        snow=Snow(cube_path, inputs),
        chip=chip,
        halo=halo,
        stride=chip_step(settings.stride, chip, halo),
        leads=leads_of(forecaster, by_day=settings.by_day),
    )


def chip_side(
    wanted: int | None,
    network: Any,  # noqa: ANN401  declares its channels, halo, reach and stride
    region: tuple[int, int],
) -> int:
    """Choose the chips that a network is asked for.

    Parameters
    ----------
    wanted : int, optional
        What the project says.
    network : nn.Module
        A forecaster's.
    region : tuple of int
        Rows and columns of the map.

    Returns
    -------
    int
        Cells of a side: as asked for, or about those of the training, or, where the network
        reaches no farther than its halo, those up to `LARGEST` that cover the map with least work.

    Raises
    ------
    ConfigError
        If the network cannot take what is asked for.
    """
    step = math.lcm(STEP, int(network.stride))
    trained = max(step, int(network.channels.size) // step * step)
    reach = getattr(network, "reach", None)
    bound = reach is None or reach > network.halo  # to the chips that it learned from
    default = trained if bound else _least_work(int(network.halo), region, step) or trained
    chip = default if wanted is None else wanted
    if chip < 1 or chip % step:
        raise ConfigError(
            f"predict.chip is {wanted}, the network takes multiples of {step} cells: leave it out "
            f"for {default}"
        )
    return chip


def _least_work(halo: int, region: tuple[int, int], step: int) -> int:
    """Side of the chips that cover a region with the fewest cells; 0 where none fits."""
    sides = range(step, min(LARGEST, *region) + 1, step)

    def cells(side: int) -> int:
        stride = chip_step(None, side, halo)
        return math.prod(side * (1 + math.ceil((edge - side) / stride)) for edge in region)

    return min((side for side in sides if side >= 2 * halo + STEP), key=cells, default=0)


def chip_step(wanted: int | None, chip: int, halo: int) -> int:
    """Choose the cells between chips.

    Parameters
    ----------
    wanted : int, optional
        What the project says.
    chip, halo : int
        Cells of a chip's side, and dropped along it.

    Returns
    -------
    int
        As asked for, or the widest step that leaves no gap.

    Raises
    ------
    ConfigError
        If it would leave gaps, or of a chip no cell is kept.
    """
    widest = (chip - 2 * halo) // STEP * STEP
    if widest <= 0:
        raise ConfigError(
            f"of chips of {chip} cells nothing is left without a halo of {halo} on each side: "
            "leave predict.chip out, give a larger one, or where the region has no room for that a "
            "smaller predict.halo"
        )
    stride = widest if wanted is None else wanted
    if not 0 < stride <= widest or stride % STEP:
        raise ConfigError(
            f"predict.stride is {wanted} with chips of {chip} cells and a halo of {halo}: give a "
            f"multiple of {STEP} up to {widest}, or a smaller predict.halo"
        )
    return stride


def _device() -> torch.device:
    """The fastest there is."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
