"""What is held out, and what keeps it apart: periods, zones, blocks, buffers, whole fires.

::

    apart    kilometres and days between chips, and the rule that they must keep
    fires    which fires are one, winters included
    places   what a rule of places offers
    zones blocks   two of them
"""

from firesat.splits.apart import Apart, Boxes, days_between, embargo, kilometres
from firesat.splits.blocks import Blocks
from firesat.splits.fires import Fire, Groups, Overwintering
from firesat.splits.places import Placement, Places
from firesat.splits.zones import Zones

__all__ = [
    "Apart",
    "Blocks",
    "Boxes",
    "Fire",
    "Groups",
    "Overwintering",
    "Placement",
    "Places",
    "Zones",
    "days_between",
    "embargo",
    "kilometres",
]
