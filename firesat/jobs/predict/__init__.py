"""Maps from a cube and a checkpoint: chips, network, canvas, products; day by day, resumable.

A day's maps are kept when they are whole and were made from the same checkpoint and settings: to
have them made again, delete the day's receipt under ``receipts/``.
"""

from firesat.jobs.predict.plan import DayPlan, empty_shares, plan
from firesat.jobs.predict.run import predict, rehearse

__all__ = ["DayPlan", "empty_shares", "plan", "predict", "rehearse"]
