"""The published scores of CanadaFireSat: every cell of a split pooled, and one threshold.

Precision, recall and their harmonic mean F1 count the cells whose chance exceeds one half; PRAUC is
the average precision over all chances, step by step. Two references stand beside them: an F1 of
``2p / (1 + p)`` that calling every cell fire reaches at prevalence p, and the fire weather index of
the 8 days before T, which any network should beat.
"""

from torch import Tensor
from torchmetrics.functional.classification import binary_average_precision

THRESHOLD = 0.5
"""Of the published F1: the likelier of fire and no fire."""
SWEEP = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Thresholds of the published sweep."""
FWI_SWEEP = tuple(range(2, 41, 2))
"""Thresholds that were published for the fire weather index."""
FWI_FULL = 50.0
"""Fire weather index whose score is 1."""

Scores = dict[str, float]


def pooled_scores(chance: Tensor, burned: Tensor) -> Scores:
    """Score pooled cells as published.

    Parameters
    ----------
    chance : Tensor, shape (cells,)
        0 to 1.
    burned : Tensor of bool, shape (cells,)
        What happened.

    Returns
    -------
    dict of float
        ``cells`` and ``prevalence``; ``prauc``; ``f1``, ``precision``, ``recall`` and ``iou`` at
        one half; ``f1_best`` of the sweep and its ``threshold_best``; ``f1_all`` of calling every
        cell fire, and ``f1_gain`` = (f1 - f1_all) / (1 - f1_all). NaN where undefined.
    """
    counts = _counts(chance, burned, THRESHOLD)
    best, threshold = max((_f1(*_counts(chance, burned, at)), at) for at in SWEEP)
    prevalence = float(burned.double().mean()) if len(burned) else float("nan")
    all_fire = 2 * prevalence / (1 + prevalence)
    hits, called, fires = counts
    f1 = _f1(*counts)
    return {
        "cells": float(len(burned)),
        "prauc": _average_precision(chance, burned),
        "f1": f1,
        "precision": hits / called if called else float("nan"),
        "recall": hits / fires if fires else float("nan"),
        "iou": hits / (called + fires - hits) if fires else float("nan"),
        "f1_best": best,
        "threshold_best": threshold,
        "prevalence": prevalence,
        "f1_all": all_fire,
        "f1_gain": (f1 - all_fire) / (1 - all_fire) if all_fire < 1 else float("nan"),
    }


def fwi_scores(fwi: Tensor, burned: Tensor) -> Scores:
    """Score the fire weather index as published, on cells where it is known.

    Parameters
    ----------
    fwi : Tensor, shape (cells,)
        Index of the 8 days before T; NaN where missing.
    burned : Tensor of bool, shape (cells,)
        What happened.

    Returns
    -------
    dict of float
        ``fwi_prauc``, and ``fwi_f1_best``: the highest F1 of thresholds 2, 4, ..., 40.
    """
    known = fwi.isfinite()
    fwi, burned = fwi[known], burned[known]
    return {
        "fwi_prauc": _average_precision(fwi.clamp(0, FWI_FULL) / FWI_FULL, burned),
        "fwi_f1_best": max(_f1(*_counts(fwi, burned, at)) for at in FWI_SWEEP),
    }


def _average_precision(score: Tensor, burned: Tensor) -> float:
    """Average precision, NaN where nothing burned."""
    if not burned.any():
        return float("nan")
    return float(binary_average_precision(score, burned.long()))


def _counts(score: Tensor, burned: Tensor, threshold: float) -> tuple[int, int, int]:
    """Hits, cells called fire, and fires."""
    called = score > threshold
    return int((called & burned).sum()), int(called.sum()), int(burned.sum())


def _f1(hits: int, called: int, fires: int) -> float:
    """Harmonic mean of precision and recall; NaN where nothing burned."""
    return 2 * hits / (called + fires) if fires else float("nan")
