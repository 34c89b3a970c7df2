"""Up the ladder: train the rungs, fit the baselines, ask all for the same maps, compare."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.boosting import Boosting
from firesat.calibration import Curve
from firesat.cube import check_place, grid_of
from firesat.datamodule import ChipData
from firesat.errors import ConfigError
from firesat.jobs.evaluate.calibrate import HeadCounts, held_out_days
from firesat.jobs.evaluate.record import Record, parts
from firesat.jobs.evaluate.rivals import RANKS, Rivals, fit
from firesat.ladder.expected import Expected
from firesat.ladder.maps import Models, day_maps, load_models
from firesat.ladder.result import Ladder, compare
from firesat.ladder.rungs import Rung, rung_of, train_rung
from firesat.ladder.settings import LadderSettings
from firesat.manifest import write_json
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks
from firesat.metrics.scoring import Maps, Scoring
from firesat.project import Project
from firesat.sampling import issue_days
from firesat.sandbox.truth import kept_chances
from firesat.sandbox.world import World
from firesat.window import all_days

log = logging.getLogger(__name__)

Advance = Callable[[int, int, str], None]

_FIRE = "any fire"  # not "fire": neighbourhoods, which cost most, are left to `firesat evaluate`


def to_train(project: Project, settings: LadderSettings) -> list[tuple[str, int]]:
    """List the rungs that are still to be trained, without training any.

    Parameters
    ----------
    project : Project
        With a section `train`.
    settings : LadderSettings
        Of the ladder.

    Returns
    -------
    list of (str, int)
        Network and seed.
    """
    section = project.section("train")
    return [rung for rung in settings.rungs if rung_of(section, settings, *rung) is None]


def climb(
    project: Project, settings: LadderSettings, world: Path | None, progress: Advance
) -> Ladder:
    """Compare every model on the same chips and the same maps; write ``ladder.json``.

    Parameters
    ----------
    project : Project
        With chips, a cube with labels of the scored season, and `predict.days` to score.
    settings : LadderSettings
        Which models.
    world : Path, optional
        The sandbox's saved world, for expected scores.
    progress : callable
        Called with (done, total, what has just ended).

    Returns
    -------
    Ladder
        What was found.

    Raises
    ------
    ConfigError
        If a day to score was seen in training, or a network has no config.
    CubeError, SampleError
        If the cube lacks labels, fire weather or hotspots, or nothing burned in training.
    """
    days, held_out = _unseen(project), _held_out(project)
    refuse_elsewhere(project, settings)
    total = len(settings.rungs) + 2 + len(held_out) + len(days)
    section = project.section("train")
    rungs = []
    for number, (network, seed) in enumerate(settings.rungs):
        rungs.append(train_rung(section, settings, network, seed))
        progress(number + 1, total, f"trained {network} {seed}")
    boosting, seconds = _boosting(section, settings)
    progress(len(rungs) + 1, total, "fitted boosting")
    chip = project.section("predict").chip
    models = load_models(rungs, boosting, chip, elsewhere=settings.elsewhere)
    work = _Work(project, settings, models, Blocks.of(*_blocks(project), _as_days(held_out + days)))
    rivals = work.rivals()
    progress(len(rungs) + 2, total, "fitted the other baselines")
    done = len(rungs) + 2
    for day in held_out:
        work.listen(day)
        progress(done := done + 1, total, f"calibrated on {day}")
    work.calibrate()
    for day in days:
        work.score(day, rivals, world)
        progress(done := done + 1, total, f"scored {day}")
    facts = _facts(project, settings, rungs, days)
    facts |= {"boosting_seconds": seconds, "parameters": models.sizes}
    found = compare(work.scoring, work.expected, facts)
    write_json(settings.output / f"ladder{'-blind' if settings.blind else ''}.json", asdict(found))
    return found


def refuse_elsewhere(project: Project, settings: LadderSettings) -> None:
    """Refuse another region than the cube's, and draws over more than one tile.

    Parameters
    ----------
    project : Project
        With its grid.
    settings : LadderSettings
        With the draws that are asked for.

    Raises
    ------
    CubeError
        If the cube lies elsewhere.
    ConfigError
        If draws are asked for and the region reaches over a tile.
    """
    check_place(project.cube.path, project.grid)
    if settings.draws and len(parts(project.grid)) > 1:
        raise ConfigError(
            f"--draws {settings.draws} needs a region within one tile of 100 km: give a smaller "
            "grid.region, or leave --draws out"
        )


def _unseen(project: Project) -> list[str]:
    """Days to score, none of whose windows reaches into the splits."""
    predict, splits = project.section("predict"), project.section("sample").splits
    window = project.section("sample").inputs.window
    periods = [period for name, some in splits.items() if name != "test" for period in some]
    known = set(all_days(periods).tolist())
    for day in predict.days:
        if known & set(window.fire_days(day).tolist()):
            raise ConfigError(f"{day} reaches into the training periods: score another year")
    if not predict.days:
        raise ConfigError("no day to score: give predict.days")
    return [str(day) for day in predict.days]


def _held_out(project: Project) -> list[str]:
    """Days on whose maps networks and trees are calibrated, as `firesat calibrate` does."""
    sample = project.section("sample")
    return held_out_days(sample.splits, sample.inputs.window, needed=False)


def _as_days(days: Sequence[str]) -> list[np.datetime64]:
    """Issue days."""
    return [np.datetime64(day, "D") for day in days]


def _blocks(project: Project) -> tuple[float, int]:
    """How space and time are cut."""
    evaluate: EvaluateSettings = project.section("evaluate")
    return evaluate.block_km, evaluate.block_days


def _boosting(section: Mapping[str, Any], settings: LadderSettings) -> tuple[Boosting, float]:
    """The trees, and the seconds that they took."""
    start = time.monotonic()
    data = ChipData(
        Path(section["data"]["path"]), batch_size=16, augment=False, blind=settings.elsewhere
    )
    found = Boosting.fit(data.train_dataloader(), data.val_dataloader())
    return found, time.monotonic() - start


def _facts(
    project: Project,
    settings: LadderSettings,
    rungs: Sequence[Rung],
    days: Sequence[str],
) -> dict[str, Any]:
    """What must be said beside the scores."""
    evaluate: EvaluateSettings = project.section("evaluate")
    return {
        "evaluate": evaluate,
        "networks": list(settings.networks),
        "kinds": list(settings.kinds),
        "members": {rung.name: rung for rung in rungs},
        "sandbox": project.sandbox is not None,
        "regime": project.section("sample").inputs.regime,
        "days": list(days),
        "blind": settings.blind,
        "elsewhere": settings.elsewhere,
        "epochs": settings.epochs,
        "draws": settings.draws,
        "calibrated_on": _held_out(project),
    }


@dataclass
class _Work:
    """What is counted while the days stream by."""

    project: Project
    settings: LadderSettings
    models: Models
    blocks: Blocks
    expected: Expected = field(init=False)
    scoring: Scoring = field(init=False)
    heard: dict[str, HeadCounts] = field(default_factory=dict)
    curves: dict[str, dict[str, Curve]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start from nothing."""
        self.scoring = Scoring(blocks=self.blocks, event=_FIRE, ranks=RANKS)
        self.expected = Expected(blocks=self.blocks, settings=self.project.section("evaluate"))
        self._cube = self.project.cube.path
        self._grid = grid_of(self._cube)
        self._parts = parts(self._grid)

    def _record(self, cells: GeoBox) -> Record:
        """The cube over some cells."""
        return Record(self._cube, self.models.inputs, cells)

    def rivals(self) -> Rivals:
        """The baselines that learn from full maps."""
        evaluate: EvaluateSettings = self.project.section("evaluate")
        train = self.project.section("sample").splits.get("train", ())
        days = issue_days(train, evaluate.train_step, self.models.inputs.window)
        records = (self._record(cells) for cells in self._parts)
        return fit(self._grid, records, days, evaluate, lambda _: None)

    def listen(self, day: str) -> None:
        """Count what every model says of a held-out day."""
        models = replace(self.models, spared=())
        for cells in self._parts:
            truth = self._record(cells).truth(day)
            for name, chances in day_maps(models, self._cube, cells, day).items():
                counts = self.heard.setdefault(name, HeadCounts(self.blocks))
                counts.add(day, cells, chances, truth)

    def calibrate(self) -> None:
        """Fit each model's curves."""
        for name, counts in self.heard.items():
            self.curves[name] = {head: each.curve for head, each in counts.fit().items()}

    def _calibrated(self, name: str, chances: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a model says, by its curves; without an input, by those of the same checkpoint."""
        curves = self.curves.get(name) or self.curves.get(" ".join(name.split()[:2]))
        if curves is None:
            return chances
        return np.stack(
            [curve.of_chances(each) for curve, each in zip(curves.values(), chances, strict=True)]
        )

    def score(self, day: str, rivals: Rivals, world: Path | None) -> None:
        """Count one issue day."""
        for cells in self._parts:
            record = self._record(cells)
            truth, known = record.truth(day), record.known(day)
            forecasts = self._forecasts(day_maps(self.models, self._cube, cells, day))
            forecasts |= rivals.maps(np.datetime64(day, "D"), cells, known)
            scored = truth.valid.all(axis=0).astype(bool)
            near_km = self.project.section("evaluate").near_km
            self.scoring.add(
                Maps(
                    day=np.datetime64(day, "D"),
                    cells=cells,
                    forecasts=forecasts,
                    burned=truth.label.any(axis=0),
                    scored=scored,
                    near=known.distance <= near_km,
                    fire=truth.fire_id,
                )
            )
            if world is not None and self.settings.draws:
                self._expect(day, cells, forecasts, scored, world)

    def _forecasts(
        self, maps: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        """Chance of any fire by every model, and the mean of each network's seeds."""
        either = {name: _either(self._calibrated(name, each)) for name, each in maps.items()}
        for network in self.settings.kinds:
            names = [f"{network} {seed}" for seed in range(self.settings.seeds)]
            either[network] = np.mean([either[name] for name in names], axis=0)
        return either

    def _expect(
        self,
        day: str,
        cells: GeoBox,
        forecasts: dict[str, NDArray[np.floating[Any]]],
        scored: NDArray[np.bool_],
        world: Path,
    ) -> None:
        """Count one day beside the law."""
        horizon, folder = self.models.inputs.window.horizon, self.settings.output / "truth"
        law = kept_chances(World.load(world), day, horizon, self.settings.draws, folder)
        chances = {name: values for name, values in forecasts.items() if name not in RANKS}
        self.expected.add(np.datetime64(day, "D"), cells, chances, law, scored)


def _either(heads: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - (1 - growth)(1 - new), so that 1e-7 keeps its digits."""
    both: NDArray[np.float32] = heads[0] + heads[1] - heads[0] * heads[1]
    return both
