"""What a run has to do, and what it has done."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from firesat.blocks import Block, Layout
from firesat.jobs.derive.recipe import Made, Recipe
from firesat.manifest import Receipt

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The blocks of a group to make, and what each would be made from.

    Parameters
    ----------
    recipe : Recipe
        How.
    inputs : list of str
        Groups that there are of those it is made from.
    layout : Layout
        How the group is stored.
    every : list of Block
        All blocks that the group could have.
    blocks : list of Block
        Those to make.
    made_from : dict of str
        Key of a block to the hash of its inputs.
    unchanged : int
        Blocks that stay.
    """

    recipe: Recipe
    inputs: list[str]
    layout: Layout
    every: list[Block]
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
    read : dict of int
        Group to input blocks read, where only what is new is read.
    ended : int
        Blocks made.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    cells: dict[str, Counter[str]] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    ended: int = 0

    def start(self, job: Job) -> None:
        """Begin with a group.

        Parameters
        ----------
        job : Job
            Its blocks.
        """
        self.counts[job.recipe.group] = Counter(unchanged=job.unchanged)
        self.cells[job.recipe.group] = Counter()
        if job.recipe.reads is not None:
            self.read[job.recipe.group] = 0

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
        if made.read is not None:
            self.read[receipt.group] += made.read
        if made.cells:
            cells = ", ".join(f"{number} {name}" for name, number in made.cells.items())
            log.info("%s: cells: %s", receipt.key, cells)
