"""CanadaFireSat, made up once for all tests of it."""

from pathlib import Path

import pytest

from tests.canadafiresat_files import make_set, write_files


@pytest.fixture(scope="session")
def canadafiresat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `tests.canadafiresat_files.make_set`, two rows in a row group. Do not change it."""
    return write_files(tmp_path_factory.mktemp("cfs") / "CanadaFireSat", make_set())
