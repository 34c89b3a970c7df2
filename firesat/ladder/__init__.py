"""The ladder: every model on the same chips and the same maps, from climatology up.

::

    settings   which networks, how many seeds, how long
    rungs      train each network, or find it trained
    maps       one issue day through every model
    expected   scores beside the sandbox's truth
    climb      the whole of it
    table      as a person reads it
"""

from firesat.ladder.climb import climb, refuse_elsewhere, to_train
from firesat.ladder.settings import LadderSettings
from firesat.ladder.table import summary

__all__ = ["LadderSettings", "climb", "refuse_elsewhere", "summary", "to_train"]
