"""What a sampling took of what there was."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from firesat.samples import Index, SampleSettings
from firesat.sampling import STRATA


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """What was taken.

    Parameters
    ----------
    path : Path
        The store.
    regime : str
        Which weather the chips hold.
    missing : tuple of str
        Groups that the inputs ask for and the cube lacks: the chips hold nothing of them.
    taken, frame : dict of dict of int
        Split to stratum to chips taken, and to chips there were. The frames of hard, matched and
        random chips overlap.
    dropped : dict of int
        Chips left out of the frame, by reason: too near to another split, a fire of theirs burns
        in a later split, too few scenes.
    fires : dict of int
        Split to the number of fires in the chips taken, those that overwintered counted once.
    prevalence : dict of float
        Split to the share of cells at risk that burn in a window, estimated for the whole frame;
        empty before pixels are read.
    burning_cells : dict of int
        Split to cells with label 1 in the chips taken; one cell counts in each chip it lies in.
    """

    path: Path
    regime: str
    missing: tuple[str, ...]
    taken: dict[str, dict[str, int]]
    frame: dict[str, dict[str, int]]
    dropped: dict[str, int]
    fires: dict[str, int]
    prevalence: dict[str, float]
    burning_cells: dict[str, int]


def report_of(
    settings: SampleSettings, index: Index, table: pd.DataFrame, missing: Sequence[str] = ()
) -> SampleReport:
    """Count what was taken.

    Parameters
    ----------
    settings : SampleSettings
        Of the draw.
    index : Index
        What there was.
    table : pd.DataFrame
        The chips; with `burning` and `at_risk` once their pixels have been read.
    missing : sequence of str
        Groups that the cube lacks.

    Returns
    -------
    SampleReport
        Split by split.
    """
    parts = {str(split): table[table["split"] == split] for split in index.frame}
    read = "burning" in table
    return SampleReport(
        path=settings.path,
        regime=settings.inputs.regime,
        missing=tuple(missing),
        taken={split: _by_stratum(part) for split, part in parts.items()},
        frame=index.frame,
        dropped=index.dropped,
        fires={split: part["groups"].explode().nunique() for split, part in parts.items()},
        prevalence={split: prevalence(part) for split, part in parts.items()} if read else {},
        burning_cells=(
            {split: int(part["burning"].sum()) for split, part in parts.items()} if read else {}
        ),
    )


def _by_stratum(chips: pd.DataFrame) -> dict[str, int]:
    """Chips that each stratum took, alone or with others."""
    taken = chips["drawn_by"].explode().value_counts()
    return {stratum: int(taken.get(stratum, 0)) for stratum in STRATA}


def prevalence(chips: pd.DataFrame) -> float:
    """Estimate the share of cells at risk that burn in a window, over the whole frame.

    Parameters
    ----------
    chips : pd.DataFrame
        Rows of a split, with `pi`, `burning` and `at_risk`.

    Returns
    -------
    float
        Ratio of the Horvitz-Thompson sums; 0 where nothing is at risk.
    """
    burning = float((chips["burning"] / chips["pi"]).sum())
    at_risk = float((chips["at_risk"] / chips["pi"]).sum())
    return burning / at_risk if at_risk else 0.0
