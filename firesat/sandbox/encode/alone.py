"""ecCodes for one thread of a server at a time: they share its context, and its first import."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_LOCK = threading.Lock()


@contextmanager
def eccodes_alone() -> Iterator[ModuleType]:
    """Keep ecCodes from all other threads that write messages.

    Imported here, within the lock: jobs that imported it at one moment have been seen to get a
    module without its functions.

    Yields
    ------
    module
        ``eccodes``.
    """
    with _LOCK:
        # First: loaded before pyproj, ecCodes' own PROJ crashes the interpreter's exit
        # (github.com/bcgov/wps/pull/5138).
        import pyproj  # noqa: F401, I001
        import eccodes

        yield eccodes
