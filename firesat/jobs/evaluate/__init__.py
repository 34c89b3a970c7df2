"""Score published forecasts on full maps, beside the baselines that they must beat."""

from firesat.jobs.evaluate.run import Progress, evaluate
from firesat.jobs.evaluate.table import summary

__all__ = ["Progress", "evaluate", "summary"]
