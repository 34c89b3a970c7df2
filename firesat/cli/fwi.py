"""Compute the Canadian Fire Weather Index System, for a table of stations or for a cube.

A table is a CSV of daily weather at noon local standard time, with the columns
  date (YYYY-MM-DD), lat, lon (degrees), temp (degC), rh (%), ws (km/h), prec (mm in 24 h to noon)
in any order, and any others. Rows may come unsorted and stations mixed; a station is an `id`, or
else a lat and lon. The output has the same rows in the same order, and after their columns
  ffmc, dmc, dc, isi, bui, fwi, dsr

Days without weather: where one of temp, rh, ws, prec is empty or a day is absent, the codes of that
day are empty and the next day goes on from the last codes known. After more than 52 such days in a
row they start anew from --ffmc0, --dmc0, --dc0. Gaps are named on standard error.

With --season a station's codes are computed in its fire season alone (column `season`, 1 or 0):
it starts after three days above 12 degC and ends after three below 5 degC, by the column `tmax`, or
else by temp at noon; with --season-method LA08 by the column `snow_depth`. Each season starts from
--ffmc0, --dmc0, --dc0; with --overwinter its DC follows from that of last autumn and the rain
since, where every winter day's rain is known.

A cube's group `fire_weather` is computed from its `era5_land`.

Example:
  firesat fwi stations.csv -o codes.csv
  firesat fwi stations.csv -o codes.csv --ffmc0 88 --dmc0 35 --dc0 240
  firesat fwi years.csv -o codes.csv --season --overwinter --json
  firesat fwi out/demo/cube.zarr --dry-run
"""

import math
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firesat.cli.console import add_dry_run, add_json, print_json, progress_bar, screen
from firesat.errors import ConfigError, CubeError

if TYPE_CHECKING:
    from firesat.fwi import Season
    from firesat.jobs.stations import Options, Report

_NAMED = 3  # gaps listed by name; --json lists all
_STARTS = {"ffmc0": 85.0, "dmc0": 6.0, "dc0": 15.0}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("input", type=Path, help="a CSV of daily weather, or a cube's .zarr")
    parser.add_argument("--output", "-o", type=Path, help="the CSV to write")
    for name, value in _STARTS.items():
        code = name[:-1].upper()
        text = f"{code} of the day before the first row, and of each start (default {value:g})"
        parser.add_argument(f"--{name}", type=float, metavar=code, help=text)
    season = parser.add_argument_group("fire season")
    season.add_argument("--season", action="store_true", help="compute in the fire season alone")
    season.add_argument("--season-method", choices=["WF93", "LA08"], help="default WF93")
    season.add_argument("--season-start", type=float, metavar="DEGC", help="default 12")
    season.add_argument("--season-end", type=float, metavar="DEGC", help="default 5")
    season.add_argument("--overwinter", action="store_true", help="carry DC over the winter")
    season.add_argument("--carry-over", type=float, metavar="A", help="fraction a, default 0.75")
    season.add_argument("--wetting", type=float, metavar="B", help="fraction b, default 0.75")
    form = parser.add_argument_group("as the official package has them")
    form.add_argument(
        "--no-lat-adjust", action="store_true", help="day lengths of 46 N, whatever the latitude"
    )
    form.add_argument("--codes-only", action="store_true", help="leave out the columns read")
    form.add_argument("--upper-case", action="store_true", help="write all names in capitals")
    add_dry_run(parser)
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Compute.

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
        If options do not go together, or the table cannot be right.
    CubeError
        If there is no cube, or none with weather.
    """
    if arguments.input.suffix == ".zarr" or arguments.input.is_dir():
        return _cube(arguments)
    if arguments.output is None:
        raise ConfigError(f"where to write? firesat fwi {arguments.input} -o OUT.csv")
    options = _options(arguments)
    from firesat.jobs.stations import Form, fire_weather

    form = Form(codes_only=arguments.codes_only, upper_case=arguments.upper_case)
    report = fire_weather(
        arguments.input, arguments.output, options, form, dry_run=arguments.dry_run
    )
    if arguments.json:
        print_json(report.record())
    else:
        _tell(report)
    return 0


def _options(arguments: Namespace) -> "Options":
    """The rules that were asked for."""
    from firesat.fwi import Rules
    from firesat.jobs.stations import Options

    if arguments.overwinter and not arguments.season:
        raise ConfigError("--overwinter needs --season: only a season has a winter before it")
    starts: dict[str, Any] = {}
    for name, default in _STARTS.items():
        value = getattr(arguments, name)
        starts[name[:-1]] = default if value is None else value
        if value is not None and not 0.0 <= value < math.inf:
            raise ConfigError(f"--{name} is {value}: give a code of 0 or more")
    if starts["ffmc"] > 101.0:
        screen.print(f"--ffmc0 {starts['ffmc']:g} is beyond the scale, which ends at 101")
    fractions = _given(arguments, "overwinter", {"carry_over": "carry_over", "wetting": "wetting"})
    if any(not 0.0 <= value <= 1.0 for value in fractions.values()):
        raise ConfigError("--carry-over and --wetting are fractions: give 0 to 1")
    return Options(
        rules=Rules(**starts, **fractions, overwinter=arguments.overwinter),
        season=_season(arguments),
        day_length=not arguments.no_lat_adjust,
    )


def _season(arguments: Namespace) -> "Season | None":
    """The season's rule, if any."""
    from firesat.fwi import Season

    names = {"season_method": "method", "season_start": "start", "season_end": "end"}
    given = _given(arguments, "season", names)
    return Season(**given) if arguments.season else None


def _given(arguments: Namespace, switch: str, names: dict[str, str]) -> dict[str, Any]:
    """Options that were given, under other names; none may be without their switch."""
    given = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if given and not getattr(arguments, switch):
        option = next(iter(given)).replace("_", "-")
        raise ConfigError(f"--{option} says nothing without --{switch}: add that")
    return {names[name]: value for name, value in given.items()}


def _tell(report: "Report") -> None:
    """Say what was done, and which gaps were met."""
    doing = "wrote" if report.written else "would write"
    stations = "1 station" if report.stations == 1 else f"{report.stations} stations"
    screen.print(
        f"{doing} {report.output}: {report.rows} rows, {stations}, {report.first} to {report.last}",
        soft_wrap=True,
    )
    if report.season_by is not None:
        screen.print(f"{len(report.seasons)} seasons by {report.season_by}")
    for gap in report.gaps[:_NAMED]:
        after = "starts anew after them" if gap.restarts else "goes on from the codes before"
        days = "1 day" if gap.days == 1 else f"{gap.days} days"
        screen.print(
            f"station {gap.station} has no weather on {days} from {gap.first}: {after}",
            soft_wrap=True,
        )
    if len(report.gaps) > _NAMED:
        screen.print(f"and {len(report.gaps) - _NAMED} more gaps: --json lists all")


def _cube(arguments: Namespace) -> int:
    """Fill a cube's group."""
    for name in (*_STARTS, "output", "season", "overwinter", "season_method", "season_start",
                 "season_end", "carry_over", "wetting", "no_lat_adjust", "codes_only",
                 "upper_case"):  # fmt: skip
        if getattr(arguments, name) not in (None, False):
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is for tables: {arguments.input} is a cube")
    from firesat.cube import groups
    from firesat.jobs.derive import derive
    from firesat.jobs.derive.fire_weather import INPUT

    if arguments.dry_run:
        if INPUT not in groups(arguments.input):
            raise CubeError(
                f"{arguments.input} has no {INPUT}, of which fire_weather is made: ingest it first"
            )
        screen.print(f"would derive fire_weather in {arguments.input}", soft_wrap=True)
        return 0
    with progress_bar("fwi") as advance:
        report = derive(arguments.input, ["fire_weather"], advance)
    counts = dict(report.counts["fire_weather"])
    if arguments.json:
        print_json({"cube": arguments.input, "group": "fire_weather", "blocks": counts})
    else:
        blocks = ", ".join(f"{number} {what}" for what, number in counts.items())
        screen.print(f"fire_weather in {arguments.input}: blocks {blocks}", soft_wrap=True)
    return 0
