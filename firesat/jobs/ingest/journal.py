"""The log of an ingest, beside the cube."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from firesat.sources.redaction import RedactedFormatter

_FORM = "%(asctime)s %(levelname)s %(message)s"
journal = logging.getLogger("firesat.journal")
"""What goes into the log alone; warnings of all modules do as well."""


@contextmanager
def kept_in(folder: Path) -> Iterator[Path]:
    """Keep a log for as long as an ingest lasts.

    Parameters
    ----------
    folder : Path
        Made if absent.

    Yields
    ------
    Path
        ``ingest-<UTC>.log``, without secrets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"ingest-{datetime.now(UTC):%Y%m%dT%H%M%S}Z.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(RedactedFormatter(_FORM, datefmt="%Y-%m-%dT%H:%M:%SZ"))
    handler.formatter.converter = time.gmtime  # type: ignore[union-attr]
    everything = logging.getLogger("firesat")
    journal.setLevel(logging.INFO)
    journal.propagate = False
    try:
        for logger in (everything, journal):
            logger.addHandler(handler)
        yield path
    finally:
        for logger in (everything, journal):
            logger.removeHandler(handler)
        handler.close()
