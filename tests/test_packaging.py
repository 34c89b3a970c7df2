import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Where conda-forge uses another name than PyPI.
CONDA = {
    "dask": "dask-core",
    "eccodes": "python-eccodes",
    "matplotlib": "matplotlib-base",
    "sentinelhub": "sentinelhub-py",
    "snakemake": "snakemake-minimal",
    "torch": "pytorch",
    "netcdf4": "netcdf4",
}
IN_CONDA_BY_ANOTHER = {"eccodeslib"}  # python-eccodes brings the library itself


def split(requirement: str) -> tuple[str, str]:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?\s*(.*)", requirement)
    assert match is not None
    return match[1].lower(), match[2].replace(" ", "")


def test_the_conda_environment_has_what_pyproject_asks_for() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    listed = dict(split(line) for line in conda if isinstance(line, str))
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["pipeline"]]
    for name, bounds in map(split, wanted):
        if name not in IN_CONDA_BY_ANOTHER:
            assert listed.pop(CONDA.get(name, name)) == bounds, name
    assert listed == {"python": PROJECT["requires-python"], "pip": ""}


def test_the_constraints_pin_every_requirement_and_hold_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {split(line)[0] for line in lines if not line.startswith("#")}
    extras = [r for group in PROJECT["optional-dependencies"].values() for r in group]
    normal = {name.replace("_", "-") for name in pinned}
    for name, _ in map(split, [*PROJECT["dependencies"], *extras]):
        assert name.replace("_", "-") in normal
    assert not any(mark in line for line in lines for mark in ("://", " @ ", "--index"))


def test_lightning_is_never_installed_beside_pytorch_lightning() -> None:
    names = [split(r)[0] for r in PROJECT["dependencies"]]
    assert "pytorch-lightning" in names
    assert "lightning" not in names
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert not any(line.startswith("lightning==") for line in pins)
