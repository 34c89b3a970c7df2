"""From cube to chips: what a forecast may see at T, and what burned after.

::

    inputs     what a batch is made of
    settings   which chips are taken
    pieces     one group over some cells, and what of it was known when
    looks fires weather truth     one kind of field each
    opened ground atmosphere heat     the cube's groups over some cells
    region     all of them over some cells
    reader     one issue day, cut into chips: the same for training and for maps
    facts views   what decides a chip's stratum, and how often it was seen
    winters    fires that are one with those of the year before
    plan       where the chips of a region lie, and the pixels of the chosen ones
    index      the chosen ones, with the chance that each had
"""

from firesat.samples.choice import Frames
from firesat.samples.fires import active_fire_asof, burnt_asof, within
from firesat.samples.index import Index, index_chips
from firesat.samples.inputs import FIRE_LAYERS, Inputs
from firesat.samples.plan import Plan, Progress, silent
from firesat.samples.reader import DayFields, Reader, season
from firesat.samples.region import Region
from firesat.samples.settings import Ratio, SampleSettings
from firesat.samples.truth import Truth

__all__ = [
    "FIRE_LAYERS",
    "DayFields",
    "Frames",
    "Index",
    "Inputs",
    "Plan",
    "Progress",
    "Ratio",
    "Reader",
    "Region",
    "SampleSettings",
    "Truth",
    "active_fire_asof",
    "burnt_asof",
    "index_chips",
    "season",
    "silent",
    "within",
]
