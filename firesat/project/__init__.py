"""A project: everything one YAML says, checked before any data is read.

::

    grid:     where                     sample:   what a forecaster learns from
    cube:     what rests on disk, when  audit:    how that is checked for leaks
    ingest:   from which sources        train:    the Lightning CLI's section
    sandbox:  the made world, if any    predict:  which days, which products
                                        evaluate: how forecasts are judged
"""

from firesat.project.keys import ALLOWED, check_keys, import_class
from firesat.project.reading import load, read_yaml
from firesat.project.resources import shipped
from firesat.project.settings import CubeSettings, Project

__all__ = [
    "ALLOWED",
    "CubeSettings",
    "Project",
    "check_keys",
    "import_class",
    "load",
    "read_yaml",
    "shipped",
]
