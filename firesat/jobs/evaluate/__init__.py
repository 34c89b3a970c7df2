"""Score published forecasts on full maps, beside the baselines that they must beat."""

from firesat.jobs.evaluate.calibrate import calibrate, held_out_days, record_of
from firesat.jobs.evaluate.run import Progress, evaluate, rehearse
from firesat.jobs.evaluate.table import summary

__all__ = ["Progress", "calibrate", "evaluate", "held_out_days", "record_of", "rehearse", "summary"]
