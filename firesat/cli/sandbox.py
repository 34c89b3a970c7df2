"""Run the made world's provider servers, or measure what firesat makes of it beside the truth.

`serve` prints the addresses and the environment variables that point sentinelhub, cdsapi, CMR and
the others at them, then serves until Ctrl-C. `audit --masks` compares the mask of cloud, cirrus,
shadow, smoke and snow with the truth in every Sentinel-2 pass of a season: the share of each that
is taken for clear ground (omission), of what is called so wrongly (commission), and how far the
reflectance of what is kept lies from that under a clear sky. Measured on made scenes: it says how
the rules err there, not over Canada.

Example:
  firesat sandbox serve --size 20 --seasons 2021 --port 8765
  firesat sandbox audit --masks --config configs/sandbox.yaml
  firesat sandbox audit --masks --size 20 --seasons 2023 --world out/small.npz --json
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from firesat.cli.console import add_json, print_json, print_table, progress_bar, screen
from firesat.errors import ConfigError
from firesat.project import load
from firesat.sandbox.config import WorldConfig

if TYPE_CHECKING:
    from firesat.sandbox.servers.http import SandboxServer
    from firesat.sandbox.world import World


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("action", choices=["serve", "audit"], help="what to do")
    parser.add_argument("--masks", action="store_true", help="audit the mask of Sentinel-2 scenes")
    parser.add_argument("--season", type=int, help="year that is audited (default: the last)")
    add_json(parser)
    parser.add_argument("--config", "-c", type=Path, help="a project with a sandbox section")
    parser.add_argument("--world", type=Path, default=Path("out/world.npz"), help="its file")
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (0 = any)")
    parser.add_argument("--size", type=int, default=20, help="side of the region in km")
    parser.add_argument("--seasons", default="2021", help="years, such as 2021,2022")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same world")
    parser.add_argument("--cloudiness", type=float, default=0.45, help="mean cloud fraction")
    parser.add_argument("--fire-activity", type=float, default=1.0, help="factor on ignitions")
    parser.add_argument(
        "--s2-blind", action="store_true", help="let Sentinel-2 show nothing of what burns"
    )


def run(arguments: Namespace) -> int:
    """Serve until interrupted, or audit.

    Parameters
    ----------
    arguments : Namespace
        Parsed options.

    Returns
    -------
    int
        0.

    Raises
    ------
    ConfigError
        If nothing is named that could be audited.
    """
    from firesat.sandbox.serve import open_world, serve_forever

    if arguments.action == "audit" and not arguments.masks:
        raise ConfigError("say what to audit: firesat sandbox audit --masks")
    config = _config(arguments)
    screen.print(f"making the world of {arguments.world}, or opening the one that is kept ...")
    world = open_world(arguments.world, config)
    if arguments.action == "audit":
        _audit(world, arguments)
    else:
        serve_forever(world, arguments.port, ready=_announce)
    return 0


def _audit(world: "World", arguments: Namespace) -> None:
    """Print the errors of the mask."""
    from firesat.sandbox.masks import audit_masks

    with progress_bar("masks") as advance:
        found = audit_masks(world, advance, arguments.season)
    if arguments.json:
        print_json({"measured_on": "the sandbox", "scenes": found.scenes, "kinds": found.rows})
        return
    print_table(f"the mask beside the truth, {found.scenes} passes of the sandbox", found.rows)


def _config(arguments: Namespace) -> WorldConfig:
    """The world that was asked for."""
    if arguments.config:
        found: WorldConfig = load(arguments.config).section("sandbox")
        return found
    side = arguments.size * 1000.0
    x0, y0 = WorldConfig.region[:2]
    return WorldConfig(
        region=(x0, y0, x0 + side, y0 + side),
        seasons=tuple(int(year) for year in arguments.seasons.split(",")),
        seed=arguments.seed,
        cloudiness=arguments.cloudiness,
        fire_activity=arguments.fire_activity,
        s2_blind=arguments.s2_blind,
    )


def _announce(server: "SandboxServer") -> None:
    """Print where it listens, and what points the real clients there."""
    from firesat.sandbox.serve import base_urls, environment

    for provider, url in base_urls(server.url).items():
        screen.print(f"{provider:12} {url}", soft_wrap=True)
    for name, value in environment().items():
        sys.stdout.write(f"export {name}={value}\n")
    sys.stdout.flush()
    screen.print("serving; stop with Ctrl-C")
