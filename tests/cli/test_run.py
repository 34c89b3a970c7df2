"""What `firesat run` refuses before anything is fetched."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from firesat.cli.main import main
from firesat.jobs.train import check_section
from firesat.project import read_yaml, shipped


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"trainer": {"max_epoch": 3}}, "unknown key 'max_epoch': did you mean max_epochs?"),
        ({"modelx": {}}, "unknown key 'modelx': did you mean model?"),
        (
            {"model": {"network": {"class_path": "firesat_models.TemporalCN"}}},
            "did you mean firesat_models.TemporalCNN?",
        ),
        ({"trainer": {"callbacks": ["os.system"]}}, "class_path os.system is not allowed"),
        ({"trainer": {"max_epochs": "few"}}, "max_epochs"),
    ],
)
def test_a_pipeline_does_not_begin_with_a_training_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], answer: str
) -> None:
    content = yaml.safe_load(shipped("configs/sandbox.yaml").read_text())
    content["cube"]["path"] = str(tmp_path / "cube.zarr")
    content["train"] |= change
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(content))
    words = ["--config", str(tmp_path / "wrong.yaml"), "--dry-run"]
    assert main(["run", "forecast", *words]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert answer in said


def test_what_comes_before_a_training_does_without_torch(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from firesat.cli.main import main; "
        "subprocess.run = lambda *args, **more: subprocess.CompletedProcess(args, 0, ''); "
        "assert main(['run', 'sample', '--config', sys.argv[1], '--dry-run']) == 0; "
        "print(sorted({'torch', 'pytorch_lightning'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code, str(shipped("configs/sandbox.yaml"))]
    shown = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_the_trainings_that_come_with_firesat_are_understood() -> None:
    files = sorted(shipped("configs").glob("*.yaml"))
    sections = {path.name: read_yaml(path).get("train") for path in files}
    found = {name: section for name, section in sections.items() if section}
    assert "sandbox.yaml" in found
    for section in found.values():
        check_section(section)
