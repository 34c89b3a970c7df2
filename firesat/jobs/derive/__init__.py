"""Compute groups of the cube from others: fire weather from ERA5-Land, labels from perimeters.

A derived block remembers, in the ledger, the checksums of the blocks it was made from. It is made
again when one of them changes, and otherwise left alone: a rerun does nothing.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from firesat.blocks import Block, Layout
from firesat.cube import Cube, grid_of, groups
from firesat.errors import ConfigError, CubeError
from firesat.jobs.derive.fire_weather import FIRE_WEATHER
from firesat.jobs.derive.labels import LABELS
from firesat.jobs.derive.recipe import Made, Recipe
from firesat.manifest import Manifest, Receipt, leave_receipt

__all__ = ["RECIPES", "DeriveReport", "derive"]

Progress = Callable[[int, int, str], None]

RECIPES = {"fire_weather": FIRE_WEATHER, "labels": LABELS}
"""Name of a group to how it is made."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """The blocks of a group to make, and what each block would be made from."""

    recipe: Recipe
    inputs: list[str]
    layout: Layout
    blocks: list[Block]
    made_from: dict[str, str]
    unchanged: int


@dataclass(kw_only=True)
class DeriveReport:
    """What a run has done.

    Parameters
    ----------
    counts : dict of Counter
        Group to blocks "done" (written), "empty" (nothing to write) and "unchanged".
    cells : dict of Counter
        Group to counts of cells over the blocks that were made, such as "prescribed".
    ended : int
        Blocks made.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    cells: dict[str, Counter[str]] = field(default_factory=dict)
    ended: int = 0

    def start(self, job: _Job) -> None:
        """Begin with a group.

        Parameters
        ----------
        job : _Job
            Its blocks.
        """
        self.counts[job.recipe.group] = Counter(unchanged=job.unchanged)
        self.cells[job.recipe.group] = Counter()

    def add(self, made: Made, receipt: Receipt) -> None:
        """Count a block.

        Parameters
        ----------
        made : Made
            The block.
        receipt : Receipt
            What became of it.
        """
        self.ended += 1
        self.counts[receipt.group][receipt.status] += 1
        self.cells[receipt.group].update(made.cells)
        if made.cells:
            cells = ", ".join(f"{number} {name}" for name, number in made.cells.items())
            log.info("%s: cells: %s", receipt.key, cells)


def derive(cube_path: Path, what: Sequence[str], progress: Progress) -> DeriveReport:
    """Make the blocks of derived groups that are missing or out of date.

    Parameters
    ----------
    cube_path : Path
        A cube.
    what : sequence of str
        Groups: "fire_weather", "labels".
    progress : callable
        Called with (blocks ended, blocks in all, what has just ended).

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
    recipes = [_recipe(name) for name in what]
    cube = Cube(cube_path, grid_of(cube_path))
    _check_inputs(cube, recipes)
    manifest, report = cube.manifest(), DeriveReport()
    with manifest.lease():
        manifest.fold()
        jobs = [_job(recipe, cube, manifest) for recipe in recipes]
        total = sum(len(job.blocks) for job in jobs)
        for job in jobs:
            report.start(job)
            try:
                for made in job.recipe.make(cube, job.blocks):
                    receipt = _write(cube, job, made)
                    report.add(made, receipt)
                    progress(report.ended, total, f"{receipt.key} {receipt.status}")
            finally:
                _record(cube, job, manifest)
    return report


def _recipe(name: str) -> Recipe:
    """A recipe by its group's name."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(RECIPES)}"
        raise ConfigError(f"cannot derive {name!r}: {hint}")
    return RECIPES[name]


def _check_inputs(cube: Cube, recipes: Sequence[Recipe]) -> None:
    """Refuse to start where an input is not in the cube."""
    there = groups(cube.path)
    for recipe in recipes:
        for name in recipe.inputs:
            if name not in there:
                raise CubeError(
                    f"{cube.path} has no {name}, of which {recipe.group} is made: ingest it first"
                )


def _job(recipe: Recipe, cube: Cube, manifest: Manifest) -> _Job:
    """Find the blocks of a group that are missing, or were made from something else."""
    layout = recipe.layout(cube.path)
    blocks = cube.add_group(layout, recipe.times(cube.path))
    known = {row.key: row.config for row in manifest.rows(recipe.group)}
    there = groups(cube.path)
    inputs = [name for name in (*recipe.inputs, *recipe.helpful) if name in there]
    rows = [row for name in inputs for row in manifest.rows(name)]
    made_from = {block.key: _signature(recipe, block, rows) for block in blocks}
    outdated = [b for b in blocks if not made_from[b.key] or known.get(b.key) != made_from[b.key]]
    return _Job(
        recipe=recipe,
        inputs=inputs,
        layout=layout,
        blocks=outdated,
        made_from=made_from,
        unchanged=len(blocks) - len(outdated),
    )


def _signature(recipe: Recipe, block: Block, rows: Sequence[Receipt]) -> str:
    """Hash of a block's inputs as the ledger knows them; "" where it knows none."""
    needed = [row for row in rows if recipe.needs(block, row)]
    if not needed:
        return ""
    facts = [recipe.revision, *((row.key, row.status, row.checksum) for row in needed)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _write(cube: Cube, job: _Job, made: Made) -> Receipt:
    """Write a block and leave its receipt."""
    written = cube.write_block(job.layout, made.block, made.layer)
    known = made.layer["available_time"].values.astype("datetime64[s]").astype(str)
    receipt = Receipt(
        key=made.block.key,
        group=made.block.group,
        status="done" if written else "empty",
        checksum=written.checksum,
        files=list(written.files),
        items=[f"derived from {', '.join(job.inputs)}"],
        available=["" if text == "NaT" else text for text in known],
        config=job.made_from[made.block.key],
    )
    leave_receipt(cube.ledger, receipt)
    return receipt


def _record(cube: Cube, job: _Job, manifest: Manifest) -> None:
    """Fold receipts, and put the times at which blocks became available into the cube."""
    manifest.fold()
    done = manifest.unnoted(job.recipe.group)
    cube.record_times(done, job.layout)
    manifest.note(done)
