"""One issue day through every model: the chips are read once, and all are asked."""

from collections.abc import Iterator, Mapping
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
_CHIPS = 4  # at once: 4 chips of 160 cells hold as much as 16 of the training


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
    chip : int
        Cells of a chip's side.
    elsewhere : bool
        Whether Sentinel-2 is that of another place.
    """

    networks: dict[str, Forecaster]
    boosting: Boosting
    spared: tuple[str, ...]
    inputs: Inputs
    scaler: Scaler
    chip: int
    elsewhere: bool = False

    @property
    def halo(self) -> int:
        """Cells dropped along a chip's side.

        Returns
        -------
        int
            The widest that a network asks for.
        """
        networks: list[Any] = [each.network for each in self.networks.values()]
        return max(int(network.halo) for network in networks)

    @property
    def sizes(self) -> dict[str, int]:
        """Weights of each network.

        Returns
        -------
        dict of str to int
            By name of its config: what a training moves.
        """
        return {
            name.partition(" ")[0]: sum(w.numel() for w in each.network.parameters())
            for name, each in self.networks.items()
        }

    def answers(self, batch: dict[str, Tensor]) -> Iterator[tuple[str, Map]]:
        """Ask every model for a batch.

        Parameters
        ----------
        batch : dict of Tensor
            Scaled.

        Yields
        ------
        name : str
            Of the model; with what it was asked without.
        answer : ndarray of float32, shape (N, 2, Y, X)
            Probability of growth and of new fires.
        """
        yield BOOSTING, self.boosting.predict(batch)
        for name, forecaster in self.networks.items():
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


def load_models(rungs: list[Rung], boosting: Boosting, chip: int, *, elsewhere: bool) -> Models:
    """Open all trained networks.

    Parameters
    ----------
    rungs : list of Rung
        Trained on the same chips.
    boosting : Boosting
        The trees, of the same chips.
    chip : int
        Cells of a chip's side.
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
    height, width = cells.shape
    step = (models.chip - 2 * models.halo) // 10 * 10
    places = list(chip_origins(height, width, models.chip, step))
    canvases: dict[str, Canvas] = {}
    for first in range(0, len(places), _CHIPS):
        some = places[first : first + _CHIPS]
        chips = [models.scaler.apply(reader.chip(fields, *at, models.chip)) for at in some]
        batch = {n: torch.from_numpy(np.stack([chip[n] for chip in chips])) for n in chips[0]}
        for name, answer in models.answers(batch):
            canvas = canvases.setdefault(name, Canvas(height, width, 2, halo=models.halo))
            for values, (row, col) in zip(answer, some, strict=True):
                canvas.add(values, row, col)
    return {name: _whole(canvas, (height, width)) for name, canvas in canvases.items()}


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
