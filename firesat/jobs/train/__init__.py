"""Train, validate and test a forecaster through the Lightning CLI; list the networks."""

from firesat.jobs.train.beside import standings
from firesat.jobs.train.lightning import loggers_at
from firesat.jobs.train.models import list_models
from firesat.jobs.train.run import check_section, plan, train

__all__ = ["check_section", "list_models", "loggers_at", "plan", "standings", "train"]
