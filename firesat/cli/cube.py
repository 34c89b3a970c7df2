"""Look at a cube, check it, mend it, flatten it.

  info     groups, CRS, extent, and how complete each source is
  hash     one number for the decoded content, whatever the order, workers and codec
  verify   find every bit that has flipped; --repair marks it missing, and with --config fetches it
  export   write a flat Zarr of a region: every variable on the same cells
  unlock   take the cube from an ingest that is gone

A cube is a folder ending in .zarr, or s3://bucket/folder/name.zarr.

Example:
  firesat cube info out/demo/cube.zarr --json
  firesat cube info out/demo/cube.zarr --days --groups sentinel2
  firesat cube hash out/demo/cube.zarr
  firesat cube verify out/demo/cube.zarr --repair --config configs/sandbox.yaml
  firesat cube export out/demo/cube.zarr flat.zarr --start 2021-06-01 --end 2021-06-08
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.markup import escape

from firesat.cli.console import (
    add_dry_run,
    add_json,
    print_json,
    print_table,
    progress_bar,
    project_of,
    screen,
)
from firesat.errors import ConfigError
from firesat.grid import Grid

_OF = {"days": ["info"], "repair": ["verify"], "config": ["verify"], "bbox": ["export"],
       "region": ["export"], "start": ["export"], "end": ["export"], "groups": ["export", "info"],
       "force": ["unlock"]}  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    actions = ["info", "hash", "verify", "export", "unlock"]
    parser.add_argument("action", choices=actions, help="what to do")
    parser.add_argument("cube", type=Path, help="a folder ending in .zarr")
    parser.add_argument("out", type=Path, nargs="?", help="export: a new folder ending in .zarr")
    info = parser.add_argument_group("info")
    info.add_argument("--days", action="store_true",
                      help="every day of every group: how complete, known since when")  # fmt: skip
    verify = parser.add_argument_group("verify")
    verify.add_argument("--repair", action="store_true", help="mark what is damaged as missing")
    verify.add_argument("--config", "-c", type=Path, help="the project's YAML: fetch it again")
    verify.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="override one setting of the config")  # fmt: skip
    export = parser.add_argument_group("export")
    export.add_argument("--bbox", metavar="W,S,E,N", help="degrees; default the cube's region")
    export.add_argument("--region", metavar="X0,Y0,X1,Y1", help="metres of the cube's CRS")
    export.add_argument("--start", metavar="DAY", help="first fire day; default the first")
    export.add_argument("--end", metavar="DAY", help="last fire day; default the last")
    export.add_argument("--resolution", type=int, default=100, help="cell size in metres (100)")
    export.add_argument("--groups", metavar="A,B", help="info --days, export: only these groups")
    unlock = parser.add_argument_group("unlock")
    unlock.add_argument("--force", action="store_true",
                        help="also from another machine whose lease has not run out")  # fmt: skip
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Do it.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0; 1 if the cube is not as it was written.

    Raises
    ------
    ConfigError
        If an option belongs to another action.
    """
    for option, of in _OF.items():
        if getattr(arguments, option) and arguments.action not in of:
            raise ConfigError(f"--{option} is of firesat cube {of[0]}, not {arguments.action}")
    if (arguments.out is None) == (arguments.action == "export"):
        need = "needs a second folder: name the new .zarr after the cube"
        said = need if arguments.out is None else f"takes one folder: leave out {arguments.out}"
        raise ConfigError(f"firesat cube {arguments.action} {said}")
    actions = {
        "info": _info,
        "hash": _hash,
        "verify": _verify,
        "export": _export,
        "unlock": _unlock,
    }
    return actions[arguments.action](arguments)


def _hash(arguments: Namespace) -> int:
    """Print the hash."""
    from firesat.cube import cube_hash

    digest = cube_hash(arguments.cube)
    if arguments.json:
        print_json({"cube": arguments.cube, "hash": digest})
    else:
        sys.stdout.write(f"{digest}\n")
    return 0


def _info(arguments: Namespace) -> int:
    """Print what the cube holds."""
    from firesat.cube import cube_info

    if arguments.days:
        return _days(arguments)
    info = cube_info(arguments.cube)
    if arguments.json:
        print_json(info)
        return 0
    rows = [
        {"group": name}
        | {k: _short(v) for k, v in group.items() if k not in ("blocks", "remarks")}
        | {state: group["blocks"].get(state, 0) for state in ("done", "empty", "failed")}
        for name, group in info["groups"].items()
    ]
    print_table(f"{info['path']}  {info['crs']}  extent {info['extent']} m", rows)
    for name, group in info["groups"].items():
        for remark, blocks in group["remarks"].items():
            sys.stdout.write(f"{name}, {blocks} blocks: {remark}\n")
    return 0


def _days(arguments: Namespace) -> int:
    """Print a strip of days for each group."""
    from firesat.cli.strips import strips
    from firesat.cube.calendar import cube_calendar

    calendar = cube_calendar(arguments.cube, _names(arguments.groups))
    if arguments.json:
        days = {name: [vars(step) for step in steps] for name, steps in calendar.items()}
        print_json({"cube": arguments.cube, "days": days})
        return 0
    for line in strips(calendar):
        sys.stdout.write(f"{line}\n")
    return 0


def _names(text: str | None) -> list[str]:
    """Names between commas."""
    return text.split(",") if text else []


def _short(value: object) -> str:
    """Text that fits a table."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _verify(arguments: Namespace) -> int:
    """Compare every bit, and mend what has flipped if asked to."""
    from firesat.cube.verify import Findings, Verifier, repair

    def look() -> Findings:
        """Read the whole cube."""
        with progress_bar("verify") as advance:
            return Verifier(arguments.cube).run(advance)

    findings = look()
    damages = [str(damage) for damage in findings.damages]
    for line in damages:
        screen.print(f"[red]damaged[/red] {escape(line)}", soft_wrap=True)
    repaired = False
    if damages and arguments.repair and not arguments.dry_run:
        repair(arguments.cube, findings)
        repaired = arguments.config is not None and _fetch_again(arguments) and not look().damages
    if arguments.json:
        looked = {"blocks": findings.blocks, "files": findings.files, "bytes": findings.size}
        print_json({"cube": arguments.cube, **looked, "damaged": damages, "repaired": repaired})
    else:
        screen.print(_verdict(arguments, findings.files, findings.size, len(damages), repaired))
    return 0 if repaired or not damages else 1


def _verdict(arguments: Namespace, files: int, size: int, damages: int, repaired: bool) -> str:
    """One line for people."""
    looked = f"{files} files, {size / 1e9:.3f} GB"
    if not damages:
        return f"{looked}: every bit is as it was written"
    if repaired:
        return f"{looked}: {damages} damages, all repaired"
    if not arguments.repair or arguments.dry_run:
        return f"{looked}: {damages} damages: run firesat cube verify --repair --config FILE"
    if arguments.config is None:
        return f"{damages} damages are marked missing: run firesat ingest --config FILE"
    return f"{damages} damages are marked missing and could not all be fetched: see above"


def _fetch_again(arguments: Namespace) -> bool:
    """Ingest and derive what is missing now; whether all of it came."""
    from firesat.cli.watch import watching
    from firesat.jobs.derive import derive
    from firesat.jobs.ingest import ingest

    project = project_of(arguments)
    if project.cube.path.absolute() != arguments.cube.absolute():
        raise ConfigError(f"cube.path of {arguments.config} is {project.cube.path}: another cube")
    with watching() as watch:
        report = ingest(project, watch)
    for receipt in report.failed:
        screen.print(f"[red]failed[/red] {receipt.key}: {escape(receipt.reason)}", soft_wrap=True)
    if project.ingest.derive:
        with progress_bar("derive") as advance:
            derive(project.cube.path, project.ingest.derive, advance, recent=project.ingest.recent)
    for reason, blocks in report.not_attempted.items():
        screen.print(f"[red]{blocks} not attempted[/red] {escape(reason)}", soft_wrap=True)
    return report.complete


def _export(arguments: Namespace) -> int:
    """Write a flat Zarr."""
    from firesat.cube.export import export, plan_export
    from firesat.cube.read import grid_of

    grid = grid_of(arguments.cube)
    flat = plan_export(
        arguments.cube,
        _part_of(grid.crs, arguments) or grid,
        (arguments.start or "0001-01-01", arguments.end or "9999-12-31"),
        arguments.resolution,
        _names(arguments.groups),
    )
    if arguments.dry_run:
        screen.print(
            f"would write {', '.join(flat.groups)} on {flat.cells.shape} cells", markup=False
        )
        return 0
    with progress_bar("export") as advance:
        report = export(flat, arguments.out, advance)
    if arguments.json:
        print_json(report)
    else:
        names = ", ".join(report["arrays"])
        screen.print(f"{report['path']}: {report['bytes'] / 1e9:.3f} GB: {names}", soft_wrap=True)
    return 0


def _part_of(crs: str, arguments: Namespace) -> Grid | None:
    """The region that was asked for; None = all of the cube."""
    if arguments.bbox:
        return Grid(crs=crs, bbox=_four(arguments.bbox, "--bbox"))
    if arguments.region:
        return Grid(crs=crs, region=_four(arguments.region, "--region"))
    return None


def _four(text: str, option: str) -> tuple[float, float, float, float]:
    """Four numbers."""
    try:
        a, b, c, d = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{option} {text!r} is not four numbers: write {option}=a,b,c,d"
        ) from None
    return a, b, c, d


def _unlock(arguments: Namespace) -> int:
    """Take the cube from a writer that is gone."""
    from firesat.manifest.lease import unlock
    from firesat.store import exists, store_of

    ledger = arguments.cube.with_suffix(".ledger")
    if not exists(ledger, "groups/cube.sums"):
        raise ConfigError(f"there is no ledger at {ledger}: nothing to unlock")
    found = unlock(store_of(ledger), force=arguments.force)
    who = found and {"pid": found.holder.pid, "host": found.holder.host, "since": found.since}
    if arguments.json:
        print_json({"cube": arguments.cube, "taken_from": who})
    elif who:
        screen.print(f"taken from process {who['pid']} on {who['host']}, since {who['since']}")
    else:
        screen.print("nobody held it")
    return 0
