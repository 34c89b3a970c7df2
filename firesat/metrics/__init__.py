"""Scores of probability maps, computed on every cell, with intervals that respect fires.

``tally`` turns maps into histograms, ``scores`` turns histograms into numbers, ``bootstrap`` draws
blocks, ``scoring`` and ``estimate`` put them together, ``result`` is what comes out.
"""

from firesat.metrics.result import Scores
from firesat.metrics.settings import EvaluateSettings

__all__ = ["EvaluateSettings", "Scores"]
