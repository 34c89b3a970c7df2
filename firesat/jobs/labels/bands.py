"""What a file of labels says of itself."""

from firesat import __version__
from firesat.jobs.labels.evidence import Evidence
from firesat.jobs.labels.request import Request
from firesat.labels import VARIABLES
from firesat.products.cog import Layer, Raster

NODATA = -9999.0
DAYS = "days since 1970-01-01"
_LARGEST = (2.0**24, 60_000.0)  # number of a fire, and day, that a band can hold

_WORDS = {
    "fraction": "burned fraction of the cell; nodata = unknown: prescribed burn, or hotspots "
    "outside every perimeter between earliest and latest",
    "fire_id": "number of the fire that burned most of the cell, 0 = none; it ends the fire's name "
    "or stands in the report",
    "burn_day": "likeliest fire day; nodata = none, or a fire without date",
    "earliest": "first fire day on which it may have burned",
    "latest": "last fire day on which it may have burned",
    "fire_start": "first day of the cell's fire: growth where it began before the issue day, new "
    "where not",
}


def raster(request: Request, evidence: Evidence) -> Raster:
    """Describe the file.

    Parameters
    ----------
    request : Request
        What was asked for.
    evidence : Evidence
        What it is made from.

    Returns
    -------
    Raster
        Everything but the pixels; whole numbers are kept exactly.
    """
    return Raster(
        cells=evidence.cells,
        layers=tuple(_layer(name) for name in VARIABLES),
        tags=_tags(request, evidence),
        nodata=NODATA,
        overviews="nearest",
        rounded=False,
    )


def _layer(name: str) -> Layer:
    """One band."""
    tags = {"long_name": _WORDS[name]}
    if name == "fraction":
        return Layer(name=name, units="1", tags=tags, valid_range=(0.0, 1.0))
    if name == "fire_id":
        return Layer(name=name, units="", tags=tags, valid_range=(0.0, _LARGEST[0]))
    tags["comment"] = "fire days, 12 to 12 UTC, named by the date on which they begin"
    return Layer(name=name, units=DAYS, tags=tags, valid_range=(0.0, _LARGEST[1]))


def _tags(request: Request, evidence: Evidence) -> dict[str, str]:
    """Metadata of the file."""
    hotspots = (
        ", ".join(path.name for path in request.hotspots) or "none: perimeters alone say when"
    )
    return {
        "title": f"Burned area and burn dates of {request.year}",
        "season": str(request.year),
        "perimeters": f"{request.perimeters.name} ({evidence.file.kind}, {evidence.file.crs})",
        "hotspots": hotspots,
        "fire_day": "12 to 12 UTC",
        "overlap_rule": "ground under several perimeters counts once; a cell belongs to the fire "
        "that covers most of it, to the smaller of two that cover it alike",
        "undated_rule": "a burned cell without earliest and latest is unknown all season",
        "zero_means": "no perimeter of the file lies there",
        "usage": "labels and scores; never an input of a forecast",
        "notes": "; ".join(evidence.file.notes),
        "firesat_version": __version__,
        "TIFFTAG_SOFTWARE": f"firesat {__version__}",
        "TIFFTAG_IMAGEDESCRIPTION": f"Burned area and burn dates {request.year}",
    }
