"""From cube to chips: what a forecast may see at T, and what burned after.

::

    inputs     what a batch is made of
    settings   which chips are taken
    pieces     one group over some cells, and what of it was known when
    looks fires weather truth     one kind of field each
    region     all of them over some cells
    reader     one issue day, cut into chips: the same for training and for maps
    plan       the frame of all chips, and the pixels of the chosen ones
"""

from firesat.samples.fires import active_fire_asof, burnt_asof, within
from firesat.samples.inputs import FIRE_LAYERS, Inputs
from firesat.samples.plan import Plan, Progress
from firesat.samples.reader import DayFields, Reader, season
from firesat.samples.region import Region
from firesat.samples.settings import SampleSettings
from firesat.samples.truth import Truth

__all__ = [
    "FIRE_LAYERS",
    "DayFields",
    "Inputs",
    "Plan",
    "Progress",
    "Reader",
    "Region",
    "SampleSettings",
    "Truth",
    "active_fire_asof",
    "burnt_asof",
    "season",
    "within",
]
