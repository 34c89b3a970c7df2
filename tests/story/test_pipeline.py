"""Snakemake, reruns, the notebook, and the commands that the README shows."""

import json
import os
import re
import shlex
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from firesat.cli.main import COMMANDS
from tests.story.conftest import ROOT, firesat

pytestmark = pytest.mark.story


def test_a_rerun_of_the_pipeline_does_nothing(story: Path, workplace: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in story.rglob("*.tif")}
    done = firesat("run", "evaluate", "--config", "small.yaml", cwd=workplace)
    assert done.returncode == 0
    assert {p: p.stat().st_mtime_ns for p in story.rglob("*.tif")} == before


def test_a_second_ingest_is_a_no_op_with_the_same_hash(story: Path, workplace: Path) -> None:
    first = firesat("cube", "hash", str(story / "cube.zarr"), cwd=workplace).stdout
    done = firesat("ingest", "--config", "small.yaml", "--json", cwd=workplace)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["groups"] == {}
    receipt = json.loads((story / "receipts" / "ingest.json").read_text())
    assert said["content_hash"] == receipt["content_hash"]
    shown = firesat("cube", "info", str(story / "cube.zarr"), "--json", cwd=workplace)
    assert json.loads(shown.stdout)["content_hash"] == receipt["content_hash"]
    assert firesat("cube", "hash", str(story / "cube.zarr"), cwd=workplace).stdout == first


def test_the_demo_target_is_planned_by_a_dry_run(tmp_path: Path) -> None:
    done = firesat("run", "demo", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, *commands = done.stdout.splitlines()
    assert first == "would run, in this order:"
    names = ["ingest", "sample", "train fit", "calibrate", "predict", "evaluate"]
    for command, name in zip(commands, names, strict=True):
        assert command.startswith(f"  firesat {name} --config ")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_what_is_done_lists_nothing(story: Path, workplace: Path) -> None:
    done = firesat("run", "evaluate", "--config", "small.yaml", "--dry-run", cwd=workplace)
    assert (done.returncode, done.stdout) == (0, "everything is there already\n")


def test_less_than_one_core_is_refused(tmp_path: Path) -> None:
    done = firesat("run", "demo", "--cores", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "ConfigError: --cores is 0: give 1 or more\n")


def test_a_forecast_of_another_day_goes_where_it_is_sent(story: Path, workplace: Path) -> None:
    done = firesat(
        *("predict", "--config", "small.yaml", "--reference_time", "2022-07-05"),
        *("--output", "maps", "--json"),
        cwd=workplace,
    )
    assert done.returncode == 0, done.stderr
    assert (workplace / "maps" / "firesat_2022-07-05_p8d.tif").is_file()


def test_calibrating_again_starts_from_the_forecaster_as_it_was_trained(
    story: Path, workplace: Path
) -> None:
    before = (story / "model" / "calibration.json").read_bytes()
    done = firesat("calibrate", "--config", "small.yaml", cwd=workplace)
    assert done.returncode == 0, done.stderr
    assert "is calibrated" in done.stderr
    assert (story / "model" / "calibration.json").read_bytes() == before


def test_a_day_beyond_the_cube_is_refused_in_one_line(story: Path, workplace: Path) -> None:
    done = firesat(
        "predict", "--config", "small.yaml", "--reference_time", "2023-07-05", cwd=workplace
    )
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "2022-08" in done.stderr


def test_show_says_a_pixel_in_words(story: Path, workplace: Path) -> None:
    path = story / "forecast" / "firesat_2022-07-11_p8d.tif"
    done = firesat("show", str(path), "--row", "100", "--column", "100", cwd=workplace)
    assert done.returncode == 0
    assert re.search(r"p_fire .* in 1", done.stdout)


def test_the_notebook_reads_the_forecast(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESAT_OUT", str(story))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    path = ROOT / "notebooks" / "read_a_forecast.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    words = json.dumps(notebook.cells[-1].outputs)
    assert "measured on the sandbox" in words


def test_the_readme_shows_commands_that_exist(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    lines = re.findall(r"^(?:\w+=\S+ )?firesat .*$", text, re.M)
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.split("#")[0])
        words = words[words.index("firesat") + 1 :]
        assert words[0] in COMMANDS, line
        done = firesat(words[0], "--help", cwd=tmp_path)
        assert done.returncode == 0
        for option in (w for w in words if w.startswith("--") and "." not in w):
            assert option in done.stdout, line


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for name in re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert name in targets
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
