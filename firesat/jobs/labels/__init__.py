"""Labels of a season from files: perimeters, and hotspots if there are any, to one GeoTIFF.

::

    request     what is asked for, and whether it can be
    evidence    fires and hotspots of the region, read once
    windows     the dating of `firesat.labels`, window by window, with what lies around
    areas       whether cells and polygons keep the official hectares
    bands       what the file says of itself
    report      what is in it
"""

from firesat.jobs.labels.evidence import Evidence, gather
from firesat.jobs.labels.report import LabelReport, Plan, plan
from firesat.jobs.labels.request import Request
from firesat.jobs.labels.run import label

__all__ = ["Evidence", "LabelReport", "Plan", "Request", "gather", "label", "plan"]
