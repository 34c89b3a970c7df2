"""From a request to a file of labels."""

from firesat.errors import ProductError
from firesat.jobs.labels.areas import measure
from firesat.jobs.labels.bands import raster
from firesat.jobs.labels.evidence import Evidence
from firesat.jobs.labels.report import LabelReport, report
from firesat.jobs.labels.request import Request
from firesat.jobs.labels.windows import Advance, Tally, strips
from firesat.products.cog import publish


def label(request: Request, evidence: Evidence, advance: Advance) -> LabelReport:
    """Write the labels of a region.

    Parameters
    ----------
    request : Request
        What is asked for.
    evidence : Evidence
        What it is made from.
    advance : callable
        Called with (windows done, windows in all, where).

    Returns
    -------
    LabelReport
        What is in the file.

    Raises
    ------
    ProductError
        If the file cannot be written.
    """
    areas, tally = measure(evidence), Tally()
    try:
        publish(request.output, raster(request, evidence), strips(evidence, tally, advance))
    except OSError as error:
        raise ProductError(f"{request.output} cannot be written ({error}): change -o") from error
    return report(request, evidence, tally, areas)
