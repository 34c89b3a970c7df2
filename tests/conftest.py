"""Fixtures that any test may use."""

import os
from pathlib import Path

import pyproj  # noqa: F401  before ecCodes, whose own PROJ otherwise crashes the exit: bcgov/wps#5138
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real public files; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FIRESAT_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data are not at {folder}: set FIRESAT_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cube of tests/tiny_cube.py, written once. Copy it before changing it."""
    from tests.tiny_cube import write_tiny_cube

    return write_tiny_cube(tmp_path_factory.mktemp("cube") / "tiny.zarr")
