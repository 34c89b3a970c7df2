"""The evaluation itself: fit the baselines, score every map once, judge, write."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.cube import grid_of
from firesat.errors import ConfigError
from firesat.grid import Grid
from firesat.jobs.evaluate.facts import facts_of
from firesat.jobs.evaluate.pages import draw, write
from firesat.jobs.evaluate.published import Published, find, unseen
from firesat.jobs.evaluate.record import Record, parts
from firesat.jobs.evaluate.rivals import RANKS, Rivals, fit
from firesat.manifest import refuse_unwritable
from firesat.metrics import EvaluateSettings, Scores
from firesat.metrics.bootstrap import Blocks
from firesat.metrics.case import EVENTS, ZONES
from firesat.metrics.estimate import MODEL, day_counts, judge
from firesat.metrics.scoring import Maps, Scoring
from firesat.samples import Inputs
from firesat.sampling import issue_days
from firesat.window import Period

Progress = Callable[[int, int, str], None]
Regime = Literal["protocol", "operational", "hindsight"]


def evaluate(
    settings: EvaluateSettings,
    cube_path: Path,
    forecasts: Path,
    splits: Mapping[str, Sequence[Period]],
    *,
    progress: Progress,
    sandbox: bool = False,
) -> Scores:
    """Score the forecasts of a folder; write ``scores.json``, ``report.html``, ``quicklook.png``.

    Parameters
    ----------
    settings : EvaluateSettings
        How, and where the files go.
    cube_path : Path
        A cube with labels of the training and of the scored seasons.
    forecasts : Path
        Output of ``firesat predict``.
    splits : mapping of str to sequence of Period
        Baselines are fitted on "train"; forecasts that reach into any split but "test" are not
        scored.
    progress : callable
        Called with (done, total, what has just ended).
    sandbox : bool
        Whether the cube holds the sandbox's Earth: everything written then says so.

    Returns
    -------
    Scores
        What was found.

    Raises
    ------
    ConfigError
        If nothing can be written, there is nothing to score, windows overlap, or maps of different
        models lie together.
    CubeError, SampleError
        If the cube lacks labels, fire weather or hotspots, or nothing burned in training.
    """
    scored, seen = rehearse(settings, forecasts, splits)
    work = _Work(settings, cube_path, grid_of(cube_path), scored, progress)
    rivals = work.fit(splits.get("train", ()))
    found = work.score(rivals)
    facts = facts_of(settings, scored, seen, splits["train"])
    facts |= {"sandbox": sandbox, "cube": cube_path.name, **found.counts()}
    scores = _judge(settings, found, facts)
    write(scores, settings.output, picture=draw(found.worst, work.open(found.worst[1]), settings))
    return scores


def rehearse(
    settings: EvaluateSettings, forecasts: Path, splits: Mapping[str, Sequence[Period]]
) -> tuple[list[Published], list[Published]]:
    """Find the maps to be scored, before any is read.

    Parameters
    ----------
    settings : EvaluateSettings
        Where the files go.
    forecasts : Path
        Output of ``firesat predict``.
    splits : mapping of str to sequence of Period
        As of :func:`evaluate`.

    Returns
    -------
    list of Published
        To be scored.
    list of Published
        Left out, as they reach into what was learned from.

    Raises
    ------
    ConfigError
        As of :func:`evaluate`.
    """
    refuse_unwritable(settings.output, "evaluate.output")
    held_out = [name for name in splits if name != "test"]
    return unseen(find(forecasts), [splits[name] for name in held_out])


@dataclass
class _Found:
    """Tallies of every event, the map on which most burned, and cells burned in spite of a mask."""

    scorings: dict[str, Scoring]
    worst: tuple[Published, GeoBox]
    spared_burned: int

    def counts(self) -> dict[str, int]:
        """Cells that the scores cannot show."""
        fire = self.scorings["fire"]
        return {
            "cells_without_forecast": fire.missing,
            "burned_cells_without_forecast": fire.missing_burned,
            "burned_cells_masked_as_unable": self.spared_burned,
        }


class _Work:
    """What both passes over the region need."""

    def __init__(
        self,
        settings: EvaluateSettings,
        cube_path: Path,
        grid: Grid,
        scored: Sequence[Published],
        progress: Progress,
    ) -> None:
        self.settings, self.scored = settings, scored
        self._path, self._grid, self._progress = cube_path, grid, progress
        self._inputs = inputs_of(scored[0])
        self._parts = parts(grid)
        self._done = self._total = 0

    def open(self, cells: GeoBox) -> Record:
        """The cube over some cells."""
        return Record(self._path, self._inputs, cells)

    def _records(self) -> Iterator[Record]:
        """The cube, one part at a time."""
        return (self.open(cells) for cells in self._parts)

    def _advance(self, what: str) -> None:
        """Tell that a day of a part has ended."""
        self._done += 1
        self._progress(self._done, self._total, what)

    def fit(self, train: Sequence[Period]) -> Rivals:
        """Fit the baselines."""
        days = issue_days(train, self.settings.train_step, self._inputs.window)
        if not days:
            raise ConfigError("sample.splits has no train periods: the baselines need some")
        self._total = len(self._parts) * (len(days) + len(self.scored))

        def advance(day: str) -> None:
            self._advance(f"baselines {day}")

        return fit(self._grid, self._records(), days, self.settings, advance)

    def score(self, rivals: Rivals) -> _Found:
        """Count every map of every issue day."""
        issued = [made.day for made in self.scored]
        blocks = Blocks.of(self.settings.block_km, self.settings.block_days, issued)
        scorings = {event: Scoring(blocks=blocks, event=event, ranks=RANKS) for event in EVENTS}
        burned: Counter[tuple[int, int]] = Counter()
        spared = 0
        for number, record in enumerate(self._records()):
            for step, made in enumerate(self.scored):
                maps = _maps(made, record, rivals, self.settings.near_km)
                for event, scoring in scorings.items():
                    scoring.add(maps[event])
                fire = maps["fire"]
                hit = fire.burned & fire.scored
                burned[step, number] = int(hit.sum())
                spared += int((hit & (fire.forecasts[MODEL] == 0)).sum())
                self._advance(f"scores {made.day}")
        (step, number), _ = burned.most_common(1)[0]
        return _Found(scorings, (self.scored[step], self._parts[number]), spared)


def inputs_of(made: Published) -> Inputs:
    """Say which weather a forecast had, and what its window is.

    Parameters
    ----------
    made : Published
        With its tags.

    Returns
    -------
    Inputs
        For records of the cube.

    Raises
    ------
    ConfigError
        If the tags do not say.
    """
    return Inputs(regime=_regime(made), forecasts=_forecasts(made), window=made.window)


def _regime(made: Published) -> Regime:
    """Which weather the model had."""
    regime = made.tags.get("regime", "")
    if regime not in ("protocol", "operational", "hindsight"):
        raise ConfigError(f"{made.path.name} has no regime in its tags: predict again")
    return cast("Regime", regime)


def _forecasts(made: Published) -> tuple[str, ...]:
    """Which forecast weather the model had: the baselines get the same."""
    return tuple(filter(None, made.tags.get("weather_forecasts", "").split(", ")))


def _maps(made: Published, record: Record, rivals: Rivals, near_km: float) -> dict[str, Maps]:
    """Forecasts and outcome of one issue day and part, event by event."""
    day, cells = str(made.day), record.cells
    truth, known, model = record.truth(day), record.known(day), made.read(cells)
    label, valid = truth.label.astype(bool), truth.valid.astype(bool)
    forecasts: dict[str, Mapping[str, NDArray[np.floating]]] = {
        "fire": {MODEL: model["p_fire"], **rivals.maps(made.day, cells, known)},
        "growth": {MODEL: model["p_growth"]},
        "new": {MODEL: model["p_new"]},
    }
    outcomes = {
        "fire": (label.any(axis=0), valid.all(axis=0)),
        "growth": (label[0], valid[0]),
        "new": (label[1], valid[1]),
    }
    return {
        event: Maps(
            day=made.day,
            cells=cells,
            forecasts=forecasts[event],
            burned=burned,
            scored=scored,
            near=known.distance <= near_km,
            fire=truth.fire_id,
        )
        for event, (burned, scored) in outcomes.items()
    }


def _judge(settings: EvaluateSettings, found: _Found, facts: dict[str, Any]) -> Scores:
    """Turn tallies into scores."""
    cases, differences = [], []
    for event, scoring in found.scorings.items():
        for zone in ZONES if event == "fire" else ("all",):
            scored, compared = judge(scoring, zone, settings)
            cases += scored
            differences += compared
    days = day_counts(found.scorings["fire"])
    return Scores(cases=cases, differences=differences, days=days, facts=facts)
