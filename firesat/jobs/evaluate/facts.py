"""What must be said beside every score."""

from collections.abc import Sequence
from typing import Any

from firesat import __version__
from firesat.jobs.evaluate.published import Published
from firesat.metrics import EvaluateSettings
from firesat.samples.fires import ACTIVE_DAYS
from firesat.window import Period


def facts_of(
    settings: EvaluateSettings,
    scored: Sequence[Published],
    seen: Sequence[Published],
    train: Sequence[Period],
) -> dict[str, Any]:
    """Collect what the scores must not be read without.

    Parameters
    ----------
    settings : EvaluateSettings
        How it was scored.
    scored, seen : sequence of Published
        Forecasts that were scored, and those left out because they were seen in training.
    train : sequence of Period
        What the baselines were fitted on.

    Returns
    -------
    dict
        Plain values.
    """
    first, window = scored[0].tags, scored[0].window
    ahead = first.get("weather_forecasts", "")
    return {
        "regime": first["regime"],
        **({"weather_forecasts": ahead} if ahead else {}),
        "negatives": "full map",
        "headline_cells": "at risk, burnable, label known",
        "level": settings.level,
        "resamples": settings.resamples,
        "block_km": settings.block_km,
        "block_days": settings.block_days,
        "seed": settings.seed,
        "near_km": settings.near_km,
        "active_days": ACTIVE_DAYS,
        "horizon_days": window.horizon,
        "issue_days": [str(made.day) for made in scored],
        "issue_days_seen_in_training": [str(made.day) for made in seen],
        "train_periods": [f"{p.start} to {p.end}" for p in train],
        "model": first.get("model", ""),
        "checkpoint_sha256": first.get("checkpoint_sha256", ""),
        "forecast_version": first.get("firesat_version", ""),
        "firesat_version": __version__,
    }
