"""Compute groups of the cube from others: fire weather, labels, the latest clear looks.

A derived block remembers, in the ledger, the checksums of the blocks it was made from. It is made
again when one of them changes, and otherwise left alone: a rerun does nothing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from firesat.blocks import cut
from firesat.cube import Cube, grid_of, groups, shard_key
from firesat.errors import ConfigError, CubeError
from firesat.jobs.derive.fire_weather import FIRE_WEATHER
from firesat.jobs.derive.labels import LABELS
from firesat.jobs.derive.recent import recent_recipe
from firesat.jobs.derive.recipe import Made, Recipe
from firesat.jobs.derive.report import DeriveReport, Job
from firesat.manifest import Manifest, Receipt, leave_receipt
from firesat.sources.settings import RecentSettings

__all__ = ["RECIPES", "DeriveReport", "derive", "plan_derive"]

Progress = Callable[[int, int, str], None]

RECIPES: dict[str, Callable[[RecentSettings], Recipe]] = {
    "fire_weather": lambda _: FIRE_WEATHER,
    "labels": lambda _: LABELS,
    "sentinel2_recent": recent_recipe,
}
"""Name of a group to how it is made, by what is to be kept of recent looks."""


def derive(
    cube_path: Path,
    what: Sequence[str],
    progress: Progress,
    *,
    recent: RecentSettings | None = None,
) -> DeriveReport:
    """Make the blocks of derived groups that are missing or out of date.

    Parameters
    ----------
    cube_path : Path
        A cube.
    what : sequence of str
        Groups: "fire_weather", "labels", "sentinel2_recent".
    progress : callable
        Called with (blocks ended, blocks in all, what has just ended).
    recent : RecentSettings, optional
        What "sentinel2_recent" keeps; None = the defaults.

    Returns
    -------
    DeriveReport
        Counts by group.

    Raises
    ------
    ConfigError
        If a group is not one that can be derived.
    CubeError
        If the cube lacks a group that is needed, or another job is writing it.
    """
    cube, recipes = _prepared(cube_path, what, recent)
    manifest, report = cube.manifest(), DeriveReport()
    with manifest.lease():
        manifest.fold()
        for name in sorted({name for recipe in recipes for name in _inputs(cube, recipe)}):
            cube.note_times(name)
        jobs = [_job(recipe, cube, manifest) for recipe in recipes]
        for job in jobs:
            cube.add_group(job.layout, job.recipe.times(cube.path))
        total = sum(len(job.blocks) for job in jobs)
        for job in jobs:
            report.start(job)
            try:
                for made in job.recipe.make(cube, job.blocks):
                    receipt = _write(cube, job, made)
                    report.add(made, receipt)
                    progress(report.ended, total, _line(made, receipt))
            finally:
                _record(cube, job, manifest)
    return report


def plan_derive(
    cube_path: Path, what: Sequence[str], *, recent: RecentSettings | None = None
) -> dict[str, dict[str, int]]:
    """Count what `derive` would do, without doing it.

    Parameters
    ----------
    cube_path : Path
        A cube.
    what : sequence of str
        Groups.
    recent : RecentSettings, optional
        What "sentinel2_recent" keeps; None = the defaults.

    Returns
    -------
    dict
        Group to blocks "missing" (or out of date) and "unchanged", and for "sentinel2_recent" the
        scenes "to_read".

    Raises
    ------
    ConfigError
        If a group is not one that can be derived.
    CubeError
        If the cube lacks a group that is needed.
    """
    cube, recipes = _prepared(cube_path, what, recent)
    manifest, planned = cube.manifest(), {}
    for recipe in recipes:
        job = _job(recipe, cube, manifest)
        planned[recipe.group] = {"missing": len(job.blocks), "unchanged": job.unchanged}
        if recipe.reads is not None:
            planned[recipe.group]["to_read"] = recipe.reads(cube, job.blocks)
    return planned


def _prepared(
    cube_path: Path, what: Sequence[str], recent: RecentSettings | None
) -> tuple[Cube, list[Recipe]]:
    """The cube and what is to be made in it, if it can be."""
    recipes = [_recipe(name)(recent or RecentSettings()) for name in what]
    cube = Cube(cube_path, grid_of(cube_path))
    _check_inputs(cube, recipes)
    return cube, recipes


def _recipe(name: str) -> Callable[[RecentSettings], Recipe]:
    """A recipe by its group's name."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(RECIPES)}"
        raise ConfigError(f"cannot derive {name!r}: {hint}")
    return RECIPES[name]


def _line(made: Made, receipt: Receipt) -> str:
    """What has just ended."""
    if made.read is None:
        return f"{receipt.key} {receipt.status}"
    kept = len(made.items) - 1 - made.read
    return f"{receipt.key} {receipt.status}: {made.read} scenes folded in, {kept} there before"


def _check_inputs(cube: Cube, recipes: Sequence[Recipe]) -> None:
    """Refuse to start where an input is not in the cube."""
    there = groups(cube.path)
    for recipe in recipes:
        for name in recipe.inputs:
            if name not in there:
                raise CubeError(
                    f"{cube.path} has no {name}, of which {recipe.group} is made: ingest it first"
                )


def _job(recipe: Recipe, cube: Cube, manifest: Manifest) -> Job:
    """Find the blocks of a group that are missing, or were made from something else."""
    layout = recipe.layout(cube.path)
    known = {row.key: row for row in manifest.rows(recipe.group)}
    inputs = _inputs(cube, recipe)
    rows = [row for name in inputs for row in manifest.rows(name)]
    every = list(cut(layout, cube.grid, recipe.times(cube.path)))
    blocks = recipe.choose(cube.path, every, rows, known)
    needed = recipe.needed(cube.path, rows)
    made_from = {block.key: _signature(recipe, needed(block)) for block in blocks}
    outdated = [
        block
        for block in blocks
        if not made_from[block.key]
        or block.key not in known
        or known[block.key].config != made_from[block.key]
    ]
    return Job(
        recipe=recipe,
        inputs=inputs,
        layout=layout,
        every=every,
        blocks=outdated,
        made_from=made_from,
        unchanged=len(blocks) - len(outdated),
    )


def _inputs(cube: Cube, recipe: Recipe) -> list[str]:
    """The groups that are there of those a recipe reads."""
    there = groups(cube.path)
    return [name for name in (*recipe.inputs, *recipe.helpful) if name in there]


def _signature(recipe: Recipe, needed: Sequence[Receipt]) -> str:
    """Hash of a block's inputs as the ledger knows them; "" where it knows none."""
    if not needed:
        return ""
    facts = [recipe.revision, *(recipe.content(row) for row in needed)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _write(cube: Cube, job: Job, made: Made) -> Receipt:
    """Write a block and leave its receipt."""
    written = cube.write_block(job.layout, made.block, made.layer)
    known = made.layer["available_time"].values.astype("datetime64[s]").astype(str)
    receipt = Receipt(
        key=made.block.key,
        group=made.block.group,
        status="done" if written else "empty",
        checksum=written.checksum,
        files=list(written.files),
        items=list(made.items) or [f"derived from {', '.join(job.inputs)}"],
        available=["" if text == "NaT" or not written else text for text in known],
        config=job.made_from[made.block.key],
    )
    leave_receipt(cube.ledger, receipt)
    return receipt


def _record(cube: Cube, job: Job, manifest: Manifest) -> None:
    """Fold receipts, and put the times at which blocks became available into the cube."""
    manifest.fold()
    done = manifest.unnoted(job.recipe.group)
    empty = [row for row in manifest.rows(job.recipe.group) if row.status == "empty"]
    cube.record_times([*done, *empty], job.layout)
    manifest.note(done)
    # What was there before it became empty is seen by nobody any more.
    gone = {row.key for row in empty}
    for block in job.every:
        if block.key in gone:
            for variable in job.layout.variables:
                cube.store.delete(shard_key(block, variable))
