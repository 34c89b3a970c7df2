"""When each cell burned, how sure that is, and what a forecast window makes of it.

A season's labels are six variables per 100 m cell, days counted from 1970-01-01 in fire days:

==============  ================================================================================
``fraction``    burned fraction of the cell, 0 where nothing burned; NaN = unknown
``fire_id``     number of the fire, 0 where none; NaN where there are no perimeters
``burn_day``    likeliest fire day; NaN where none or undated
``earliest``    first fire day on which it may have burned; NaN where none
``latest``      last fire day on which it may have burned; NaN where none
``fire_start``  first day of the cell's fire; NaN where none or undated
==============  ================================================================================

`fraction` NaN with dates: unknown between them, as where hotspots lie outside every perimeter.
`fraction` NaN without dates: unknown all season.

`at_risk_truth`, which cells had not burned by T, is for scores alone. What a forecast may know of
fires, `active_fire_asof` and `burnt_asof`, comes from hotspots: see `firesat.samples`.
"""

from firesat.labels.dating import SPILL, spilled
from firesat.labels.hotspots import Detections
from firesat.labels.layout import LAYOUT, VARIABLES
from firesat.labels.leads import SQUARE, window_leads, window_starts
from firesat.labels.season import MARGIN, Season, count_cells, date_season, label_season
from firesat.labels.window import BURNT, SCORING_ONLY, at_risk_truth, window_label

__all__ = [
    "BURNT",
    "LAYOUT",
    "MARGIN",
    "SCORING_ONLY",
    "SPILL",
    "SQUARE",
    "VARIABLES",
    "Detections",
    "Season",
    "at_risk_truth",
    "count_cells",
    "date_season",
    "label_season",
    "spilled",
    "window_label",
    "window_leads",
    "window_starts",
]
