"""``firesat sample`` and ``firesat audit``: chips, and whether they know too much."""

from firesat.jobs.prepare.audit import audit, refuse_leaks
from firesat.jobs.prepare.chips import draw_chips, sample
from firesat.jobs.prepare.report import SampleReport, prevalence, report_of

__all__ = [
    "SampleReport",
    "audit",
    "draw_chips",
    "prevalence",
    "refuse_leaks",
    "report_of",
    "sample",
]
