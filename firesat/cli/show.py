"""Say what one pixel of a map means, and where it comes from.

Example:
  firesat show out/demo/forecast/firesat_2023-07-05_p8d.tif --row 300 --column 300
  firesat show out/demo/forecast/firesat_2023-07-05_p8d.tif --lonlat -94.4 54.9
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from firesat.cli.console import add_json, print_json
from firesat.errors import ConfigError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    """
    parser.add_argument("map", type=Path, help="a GeoTIFF written by firesat predict")
    parser.add_argument("--row", type=int, help="row of the pixel, from 0 at the top")
    parser.add_argument("--column", type=int, help="column of the pixel, from 0 at the left")
    parser.add_argument("--lonlat", type=float, nargs=2, metavar=("LON", "LAT"), help="degrees")
    add_json(parser)


def run(arguments: Namespace) -> int:
    """Show.

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
        If no place is given.
    """
    from firesat.jobs.show import locate, pixel, trail

    if arguments.lonlat is not None:
        row, column = locate(arguments.map, *arguments.lonlat)
    elif arguments.row is None or arguments.column is None:
        raise ConfigError("which pixel? give --row and --column, or --lonlat LON LAT")
    else:
        row, column = arguments.row, arguments.column
    if arguments.json:
        print_json(pixel(arguments.map, row, column))
    else:
        for name, value in trail(arguments.map, row, column).items():
            sys.stdout.write(f"{name:16} {value}\n")
    return 0
