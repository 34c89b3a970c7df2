"""Fires by Natural Resources Canada: detections within hours, perimeters the next spring."""

from firesat.sources.hotspots import Hotspots
from firesat.sources.nbac import Nbac

__all__ = ["Hotspots", "Nbac"]
