"""Forecast weather: what carries the analysis over its delay and over the horizon."""

from firesat.sources.datamart import Datamart
from firesat.sources.ecmwf_open import EcmwfOpen

__all__ = ["Datamart", "EcmwfOpen"]
