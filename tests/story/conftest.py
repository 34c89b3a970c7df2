"""The whole job once, in small; every test of this folder looks at what it left."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from firesat.project import Project, load

ROOT = Path(__file__).resolve().parents[2]


def firesat(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would, in a folder of their own."""
    return subprocess.run(
        [sys.executable, "-m", "firesat.cli.main", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the small project's file in it."""
    folder = tmp_path_factory.mktemp("story")
    content = yaml.safe_load((ROOT / "configs" / "small.yaml").read_text())
    (folder / "small.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture(scope="session")
def story(workplace: Path) -> Path:
    """Folder of outputs of `firesat run evaluate`, run by real Snakemake with real clients."""
    done = firesat("run", "evaluate", "--config", "small.yaml", cwd=workplace)
    assert done.returncode == 0, done.stderr[-4000:]
    return workplace / "out" / "small"


@pytest.fixture(scope="session")
def project(workplace: Path) -> Project:
    """The project as the commands see it."""
    return load(workplace / "small.yaml")
