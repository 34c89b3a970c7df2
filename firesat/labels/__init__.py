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
"""

from firesat.labels.layout import LAYOUT, VARIABLES
from firesat.labels.season import label_season
from firesat.labels.window import BURNT, window_label

__all__ = ["BURNT", "LAYOUT", "VARIABLES", "label_season", "window_label"]
