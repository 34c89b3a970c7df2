"""One issue day through every model, on chips that are read once for all that take them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor

from firesat.batch import MASKS
from firesat.boosting import Boosting
from firesat.errors import ConfigError
from firesat.forecast import Forecaster
from firesat.grid import chip_origins
from firesat.jobs.predict.machine import chip_side, chip_step
from firesat.ladder.rungs import Rung
from firesat.ladder.settings import UNSEEING
from firesat.model_folder import load_forecaster
from firesat.samples import DayFields, Inputs, Reader
from firesat.scaling import Scaler
from firesat.stitch import Canvas

Map = NDArray[np.float32]

MISSING: dict[str, tuple[str, ...]] = {
    "without Sentinel-2": ("sentinel2",),
    "without MODIS": ("modis",),
    "without weather": ("weather",),
    "without known fires": ("fire",),
    "weather alone": ("sentinel2", "modis", "fire"),
}
"""What a checkpoint is asked to do without, in turn."""

BOOSTING = "boosting"
_CELLS = 16 * 80**2  # at once: as many as in a batch of the training


@dataclass(frozen=True, kw_only=True)
class Models:
    """All models that learn from chips.

    Parameters
    ----------
    networks : dict of str to Forecaster
        By name.
    boosting : Boosting
        The trees.
    spared : tuple of str
        Networks that are asked without their inputs, too.
    inputs : Inputs
        What all of them read.
    scaler : Scaler
        How it is scaled.
    chip : int, optional
        Cells of a chip's side; default what suits each network.
    elsewhere : bool
        Whether Sentinel-2 is that of another place.
    """

    networks: dict[str, Forecaster]
    boosting: Boosting
    spared: tuple[str, ...]
    inputs: Inputs
    scaler: Scaler
    chip: int | None = None
    elsewhere: bool = False

    def by_chip(self, region: tuple[int, int]) -> dict[tuple[int, int], list[str]]:
        """Sort the models by the chips that they are asked for.

        Parameters
        ----------
        region : tuple of int
            Rows and columns of the map.

        Returns
        -------
        dict of (int, int) to list of str
            Side of a chip and halo, in cells, to the models' names; the trees, which look at each
            cell by itself, are with the first.
        """
        found: dict[tuple[int, int], list[str]] = {}
        for name, each in self.networks.items():
            network: Any = each.network
            chips = chip_side(self.chip, network, region), int(network.halo)
            found.setdefault(chips, []).append(name)
        next(iter(found.values())).insert(0, BOOSTING)
        return found

    @property
    def sizes(self) -> dict[str, int]:
        """Weights of each network.

        Returns
        -------
        dict of str to int
            By name of its config: what a training moves.
        """
        return {
            name.partition(" ")[0]: sum(
                weight.numel() for weight in each.network.parameters() if weight.requires_grad
            )
            for name, each in self.networks.items()
        }

    def answers(self, names: Sequence[str], batch: dict[str, Tensor]) -> Iterator[tuple[str, Map]]:
        """Ask models for a batch.

        Parameters
        ----------
        names : sequence of str
            Which ones.
        batch : dict of Tensor
            Scaled.

        Yields
        ------
        name : str
            Of the model; with what it was asked without.
        answer : ndarray of float32, shape (N, 2, Y, X)
            Probability of growth and of new fires.
        """
        for name in names:
            if name == BOOSTING:
                yield BOOSTING, self.boosting.predict(batch)
                continue
            forecaster = self.networks[name]
            unseeing = name.partition(" ")[0].endswith(UNSEEING)
            yield name, _ask(forecaster, without(batch, ("sentinel2",)) if unseeing else batch)
            for how, fields in MISSING.items() if name in self.spared else ():
                yield f"{name} {how}", _ask(forecaster, without(batch, fields))


def _ask(forecaster: Forecaster, batch: dict[str, Tensor]) -> Map:
    """Growth and new fires."""
    with torch.inference_mode():
        answer: Map = forecaster.forecast(batch)[:, 1:].numpy()
    return answer


def without(batch: Mapping[str, Tensor], fields: tuple[str, ...]) -> dict[str, Tensor]:
    """Take inputs out of a batch.

    Parameters
    ----------
    batch : mapping of Tensor
        Fields of `firesat.batch`.
    fields : tuple of str
        Keys of `firesat.batch.MASKS`.

    Returns
    -------
    dict of Tensor
        The same, with these fields and their masks at 0.
    """
    names = [name for field in fields for name in (field, MASKS[field])]
    if "weather" in fields and "around" in batch:
        names += ["around", "around_mask"]
    return {**batch, **{name: torch.zeros_like(batch[name]) for name in names}}


def load_models(
    rungs: list[Rung], boosting: Boosting, chip: int | None, *, elsewhere: bool
) -> Models:
    """Open all trained networks.

    Parameters
    ----------
    rungs : list of Rung
        Trained on the same chips.
    boosting : Boosting
        The trees, of the same chips.
    chip : int, optional
        Cells of a chip's side; default what suits each network.
    elsewhere : bool
        As in the training.

    Returns
    -------
    Models
        The first seed of each network is asked without inputs, too.

    Raises
    ------
    ConfigError
        If they were trained on different inputs.
    """
    found = {rung.name: load_forecaster(rung.checkpoint) for rung in rungs}
    records = [(inputs, scaler) for _, inputs, scaler in found.values()]
    if any(record != records[0] for record in records):
        raise ConfigError("the rungs were trained on different chips: delete the ladder's folder")
    seeing = [rung for rung in rungs if not rung.network.endswith(UNSEEING)]
    first = {rung.network: rung.name for rung in reversed(seeing)}
    return Models(
        networks={name: forecaster for name, (forecaster, _, _) in found.items()},
        boosting=boosting,
        spared=tuple(first.values()),
        inputs=Inputs.from_record(records[0][0]),
        scaler=Scaler.from_record(records[0][1]),
        chip=chip,
        elsewhere=elsewhere,
    )


def day_maps(models: Models, cube: Path, cells: GeoBox, day: str) -> dict[str, Map]:
    """Forecast one issue day over some cells with every model.

    Parameters
    ----------
    models : Models
        All of them.
    cube : Path
        The cube.
    cells : GeoBox
        Cells of 100 m.
    day : str
        Issue day.

    Returns
    -------
    dict of str to ndarray of float32, shape (2, Y, X)
        By name of the model; probability of growth and of new fires.
    """
    reader = Reader(cube, models.inputs)
    fields = reader.day(day, cells)
    if models.elsewhere:
        fields = _elsewhere(fields)
    shape = (int(cells.shape[0]), int(cells.shape[1]))
    maps: dict[str, Map] = {}
    for (chip, halo), names in models.by_chip(shape).items():
        places = list(chip_origins(*shape, chip, chip_step(None, chip, halo)))
        size = max(1, _CELLS // chip**2)
        canvases: dict[str, Canvas] = {}
        for first in range(0, len(places), size):
            some = places[first : first + size]
            chips = [models.scaler.apply(reader.chip(fields, *at, chip)) for at in some]
            batch = {n: torch.from_numpy(np.stack([c[n] for c in chips])) for n in chips[0]}
            for name, answer in models.answers(names, batch):
                canvas = canvases.setdefault(name, Canvas(*shape, 2, halo=halo))
                for values, (row, column) in zip(answer, some, strict=True):
                    canvas.add(values, row, column)
        maps |= {name: _whole(canvas, shape) for name, canvas in canvases.items()}
    return maps


def _whole(canvas: Canvas, shape: tuple[int, int]) -> Map:
    """All rows of a canvas."""
    out = np.full((2, *shape), np.nan, dtype=np.float32)
    for row, values in canvas.finished_rows(everything=True):
        out[:, row : row + values.shape[1]] = values
    return out


def _elsewhere(fields: DayFields) -> DayFields:
    """Sentinel-2 of half the region away: spectra that know nothing of the cell."""
    inputs = dict(fields.inputs)
    height, width = fields.cells.shape
    for name in ("sentinel2", "age"):
        inputs[name] = np.roll(inputs[name], (height // 2, width // 2), axis=(-2, -1))
    return DayFields(**{**vars(fields), "inputs": inputs})
