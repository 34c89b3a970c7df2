"""Which days of which group are there, and since when: told by receipts, no pixel is read."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from firesat.cube.read import blocks_at_once, grid_of, groups, open_cube
from firesat.errors import CubeError
from firesat.manifest import Manifest, Receipt
from firesat.store import exists


@dataclass(kw_only=True)
class Step:
    """One time step of a group.

    Parameters
    ----------
    day : str
        ISO date of the step.
    blocks : int
        Blocks of the group's region.
    there : int
        Of these, blocks with values of this step.
    nothing : int
        Blocks of which the provider has nothing for this step.
    failed : int
        Blocks that could not be obtained; what is neither of these three is missing.
    first, last : str
        ISO times, UTC, at which the first and the last of its blocks became available; "" = never.
    """

    day: str
    blocks: int
    there: int = 0
    nothing: int = 0
    failed: int = 0
    first: str = ""
    last: str = ""

    @property
    def missing(self) -> int:
        """Blocks that nobody has asked for yet.

        Returns
        -------
        int
            0 once an ingest is complete.
        """
        return self.blocks - self.there - self.nothing - self.failed

    @property
    def mark(self) -> str:
        """One character for a strip of days.

        Returns
        -------
        str
            "!" if any block failed; "?" if nothing is known, "-" if the provider has nothing; "#"
            if all that there can be is there, "+" if some is missing.
        """
        if self.failed:
            return "!"
        if self.missing == self.blocks:
            return "?"
        if self.missing:
            return "+"
        return "#" if self.there else "-"

    def count(self, receipt: Receipt, known: str) -> None:
        """Add a block.

        Parameters
        ----------
        receipt : Receipt
            Of the block.
        known : str
            When this step of it became available; "" = never.
        """
        if receipt.status == "failed":
            self.failed += 1
        elif receipt.status == "empty" or not known:
            self.nothing += 1
        else:
            self.there += 1
            self.first = min(self.first or known, known)
            self.last = max(self.last, known)


def cube_calendar(path: Path, only: Collection[str] = ()) -> dict[str, list[Step]]:
    """Tell of every group and time step how complete it is and since when it was available.

    Parameters
    ----------
    path : Path
        A cube.
    only : collection of str
        Groups; none = all.

    Returns
    -------
    dict of list of Step
        By group, in order of time.

    Raises
    ------
    CubeError
        If the cube has no such group, or no ledger beside it.
    """
    there = groups(path)
    for name in only:
        if name not in there:
            raise CubeError(f"{path} has no group {name}: it has {', '.join(there)}")
    ledger = path.with_suffix(".ledger")
    if not exists(ledger, "groups/cube.sums"):
        raise CubeError(f"there is no ledger at {ledger}: only an ingest's cube knows its days")
    manifest = Manifest(ledger)
    return {name: _steps(path, manifest, name) for name in only or there}


def _steps(path: Path, manifest: Manifest, group: str) -> list[Step]:
    """All steps of a group."""
    dataset = open_cube(path, group)
    size = int(dataset.attrs["firesat_layout"]["steps"])
    blocks = blocks_at_once(dataset.attrs["firesat_layout"], grid_of(path))
    days = dataset["time"].values.astype("datetime64[D]").astype(str)
    steps = [Step(day=day, blocks=blocks) for day in days.tolist()]
    for receipt in manifest.rows(group):
        some = steps[receipt.index[0] * size :][:size]
        known = receipt.available or [""] * len(some)
        for step, moment in zip(some, known, strict=False):
            step.count(receipt, moment)
    return steps
