"""Run a target of the pipeline: ingest, sample, train, calibrate, forecast, evaluate or demo.

Snakemake orders the same commands that can be typed one by one; what is up to date is not done
again. `demo` is the whole job on a made world.

Example:
  firesat run demo
  firesat run forecast --config my.yaml --dry-run
"""

import os
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from pathlib import Path

from firesat.cli.console import screen
from firesat.errors import ConfigError
from firesat.project import Project, load, shipped

TARGETS = ("ingest", "sample", "train", "calibrate", "forecast", "evaluate", "demo")

_QUIET = ("--quiet", "rules", "progress", "host")
_DRY = ("--dry-run", "--printshellcmds", "--quiet", "host")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("target", choices=TARGETS, help="how far to go")
    parser.add_argument("--config", "-c", type=Path, help="the project's YAML (demo: the sandbox)")
    parser.add_argument("--cores", type=int, default=1, help="jobs at once")
    parser.add_argument("--dry-run", "-n", action="store_true", help="say what would be run")


def run(arguments: Namespace) -> int:
    """Hand the target to Snakemake.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        Snakemake's exit code.

    Raises
    ------
    ConfigError
        If Snakemake is not installed, or the config is missing or wrong.
    """
    if find_spec("snakemake") is None:
        raise ConfigError("snakemake is not installed: pip install 'firesat[pipeline]'")
    if arguments.config is None and arguments.target != "demo":
        raise ConfigError(f"firesat run {arguments.target} needs --config FILE")
    if arguments.cores < 1:
        raise ConfigError(f"--cores is {arguments.cores}: give 1 or more")
    path = arguments.config or shipped("configs/sandbox.yaml")
    project = load(path)  # whatever is wrong with it is said now, not an hour into the pipeline
    if TARGETS.index(arguments.target) >= TARGETS.index("train"):
        from firesat.jobs.train import check_section  # torch: what comes before does without

        check_section(project.section("train"))
    command = [
        *(sys.executable, "-m", "snakemake", arguments.target),
        *("--snakefile", str(shipped("pipelines/Snakefile"))),
        *("--cores", str(arguments.cores), "--rerun-triggers", "mtime", "params"),
        *(_DRY if arguments.dry_run else _QUIET),
        *("--config", f"project={path}", f"out={project.cube.folder}"),
    ]
    # The rules call `firesat`: the one of this interpreter, its environment active or not.
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": search}
    if arguments.dry_run:
        return _say_what_would_be_run(command, environment)
    code = subprocess.run(command, check=False, env=environment).returncode
    if code == 0 and arguments.target == "demo":
        _say_how_much_burned(project)
        _say_where(project.cube.folder, path)
    return code


def _say_what_would_be_run(command: list[str], environment: dict[str, str]) -> int:
    """List the commands that Snakemake would give, in its order; what it says if it refuses."""
    done = subprocess.run(
        command, check=False, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stdout)
        return done.returncode
    wanted = re.findall(r"^(?:Shell command:)?\s*(firesat .*?)(?: > \S+)?$", done.stdout, re.M)
    if wanted:
        sys.stdout.write("would run, in this order:\n")
        sys.stdout.writelines(f"  {each}\n" for each in wanted)
    elif "Nothing to be done" in done.stdout:
        sys.stdout.write("everything is there already\n")
    else:
        sys.stdout.write(done.stdout)
    return 0


def _say_how_much_burned(project: Project) -> None:
    """Tell the made world's burn rate, which is above nature's so that there is much to learn."""
    from firesat.jobs.ingest import world_path
    from firesat.sandbox.serve import open_world

    if project.sandbox is None:
        return
    screen.print("\nThe made world burns more than Canada, so that there is much to learn from:")
    for year, row in open_world(world_path(project), project.sandbox).summary().iterrows():
        screen.print(
            f"  {year}: {row['mapped_fires']:.0f} fires of a hectare and more burned "
            f"{100 * row['burned_fraction']:.1f} % of the burnable ground (in nature 0.3 to 1.2 %)"
        )


def _say_where(out: Path, config: Path) -> None:
    """Tell what the demo left, and what to type next."""
    lines = {
        out / "report.html": "open it in a browser: the scores, beside the baselines",
        out / "quicklook.png": "forecast, what burned, and FWI side by side",
        out / "forecast": "GeoTIFFs: drag one into QGIS, its style comes along",
        out / "scores.json": "every number with its interval",
        out / "model": "the forecaster, with its card",
        out / "cube.zarr": "everything that was ingested",
    }
    screen.print("\n[bold]The demo is done.[/bold] It left:")
    for path, text in lines.items():
        screen.print(f"  {path!s:28} {text}", soft_wrap=True)
    screen.print(
        f"\nNext:\n  firesat show {out}/forecast/*.tif --row 300 --column 300\n"
        f"  firesat train fit --config {config} --trainer.max_epochs 40\n"
        "  firesat doctor            what real data would need",
        soft_wrap=True,
    )
