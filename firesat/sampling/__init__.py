"""Which chips are taken: a frame of all that could be, strata, and a draw with known chances.

::

    frame     every chip on its stride at every issue day, tile by tile
    matching  which negatives are like the chips with fire
    reservoir part draw   the chips taken, and the chance that each had
"""

from firesat.sampling.draw import Draw, weights
from firesat.sampling.frame import Panel, chips_with, issue_days, panels
from firesat.sampling.matching import UNKNOWN, Matching, allocate, union
from firesat.sampling.part import FAR, FIRE, POSITIVE, STRATA, Facts
from firesat.sampling.reservoir import Reservoir

__all__ = [
    "FAR",
    "FIRE",
    "POSITIVE",
    "STRATA",
    "UNKNOWN",
    "Draw",
    "Facts",
    "Matching",
    "Panel",
    "Reservoir",
    "allocate",
    "chips_with",
    "issue_days",
    "panels",
    "union",
    "weights",
]
