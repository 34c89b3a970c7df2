"""The Canadian Fire Weather Index System on arrays, day by day and resumable.

Equations carry their numbers in Van Wagner (1987), Development and Structure of the Canadian Forest
Fire Weather Index System, Forestry Technical Report 35 (the program is Van Wagner and Pickett
1985, Report 33). Two constants follow today's official implementation instead of the older texts:
the moisture conversion of eqs 1 and 10 (`moisture.FFMC_SCALE`), and the day lengths by latitude.
Seasons and overwintering are those of Lawson and Armitage (2008), Weather Guide for the Canadian
Forest Fire Danger Rating System.

Inputs are those of noon local standard time: temperature in degC, relative humidity in percent,
10 m wind in km/h, rain of the 24 h to noon in mm. All functions broadcast, work in float64, and
give NaN where an input is NaN. After a day without weather the codes go on from the last one with;
after more than `LONGEST_GAP` such days they start anew.
"""

from firesat.fwi.behaviour import bui, dsr, fwi, isi
from firesat.fwi.days import series, step
from firesat.fwi.moisture import dc, dmc, ffmc, overwinter_dc
from firesat.fwi.noon import NOON, from_noon
from firesat.fwi.season import LONGEST_GAP, Season, SeasonState, fire_season, phases
from firesat.fwi.state import Codes, Rules, State, skip, start

__all__ = [
    "LONGEST_GAP",
    "NOON",
    "Codes",
    "Rules",
    "Season",
    "SeasonState",
    "State",
    "bui",
    "dc",
    "dmc",
    "dsr",
    "ffmc",
    "fire_season",
    "from_noon",
    "fwi",
    "isi",
    "overwinter_dc",
    "phases",
    "series",
    "skip",
    "start",
    "step",
]
