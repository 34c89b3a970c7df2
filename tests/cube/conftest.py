"""A folder in memory for tests that write the same small cube hundreds of times."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A new folder, in memory where the machine offers it: an fsync costs nothing there."""
    shm = Path("/dev/shm")
    if not shm.is_dir():
        yield tmp_path
        return
    folder = Path(mkdtemp(dir=shm, prefix="firesat-test-"))
    yield folder
    shutil.rmtree(folder)
