"""What a forecast must beat: climatology, persistence, and the Fire Weather Index.

Each is fitted on the training periods alone, on the same weather regime as the model, and gives a
probability for every cell. Cells that did not burn are sub-sampled with a known probability and
weighted by its inverse, so the probabilities are those of full maps.
"""

from firesat.baselines.climatology import Climatology
from firesat.baselines.logistic import Logistic, fit_logistic
from firesat.baselines.regressions import FireWeather, Persistence
from firesat.baselines.rows import Rows, keep, nearest_fire

__all__ = [
    "Climatology",
    "FireWeather",
    "Logistic",
    "Persistence",
    "Rows",
    "fit_logistic",
    "keep",
    "nearest_fire",
]
