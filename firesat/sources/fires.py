"""Fires: detections within hours, agencies' reports within days, perimeters the next spring."""

from firesat.sources.fire_lists import FireLists
from firesat.sources.firms import Firms
from firesat.sources.hotspots import Hotspots
from firesat.sources.local_hotspots import LocalHotspots
from firesat.sources.nbac import Nbac
from firesat.sources.nfdb import Nfdb

__all__ = ["FireLists", "Firms", "Hotspots", "LocalHotspots", "Nbac", "Nfdb"]
