"""A month of ERA5-Land of a large region, made and built in processes of their own.

``python -m tests.jobs.country_weather make|build FOLDER DAYS X0 Y0 X1 Y1``: `make` writes the GRIB
files that the store would send into the cache, `build` ingests the block and prints what it took.
Every field is linear in latitude and grows from hour to hour, so that a day's mean is arithmetic.
"""

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pyproj import Transformer

from firesat.blocks import Block
from firesat.cube import create_cube, open_cube
from firesat.grid import Grid
from firesat.jobs.ingest import Workplace, ingest_block
from firesat.sandbox.encode.grib import encode_grib
from firesat.sandbox.encode.latlon import snapped
from firesat.sandbox.encode.parameters import ERA5_LAND
from firesat.sources.era5 import Era5Land

FIRST = np.datetime64("2023-07-01")
SOURCE = Era5Land(base_url="http://127.0.0.1:1", noon_hour=18)
LEVELS = {
    "t2m": 280.0, "d2m": 270.0, "skt": 281.0, "u10": 3.0, "v10": 4.0, "tp": 0.0, "swvl1": 0.3,
    "sd": 0.0,
}  # fmt: skip
GROWTH = 0.01  # kelvin an hour since 1 June
SLOPE = 0.1  # kelvin a degree north


def block_of(folder: Path, days: int, region: tuple[float, ...]) -> Block:
    grid = Grid(region=(region[0], region[1], region[2], region[3]))
    axis = FIRST + np.arange(days) * np.timedelta64(1, "D")
    (block,) = create_cube(folder / "cube.zarr", grid).add_group(SOURCE.layout, axis)
    return block


def messages(request: dict[str, Any]) -> Iterator[bytes]:
    """What the store would send: all parameters of every hour, sea (east of 60 W) missing."""
    grid = snapped(tuple(request["area"]), 0.1)
    slope = np.broadcast_to(SLOPE * grid.latitudes[:, None], (grid.rows, grid.columns))
    sea = np.broadcast_to(grid.longitudes > -60, slope.shape)
    for parameter in ERA5_LAND:
        if parameter.request not in request["variable"]:
            continue
        for day in request["day"]:
            for hour in range(0, 24, 3):
                moment = np.datetime64(
                    f"{request['year']}-{request['month']}-{day}T{hour:02d}", "h"
                )
                warm = parameter.units == "K"
                field = LEVELS[parameter.name] + (slope + growth(moment) if warm else 0.0)
                field = np.where(sea, np.nan, field)[None]
                yield encode_grib({parameter: field}, np.array([moment]), grid, forecast=True)


def growth(moment: np.datetime64) -> float:
    return GROWTH * float((moment - np.datetime64("2023-06-01", "h")) / np.timedelta64(1, "h"))


def make(folder: Path, block: Block) -> None:
    cache = folder / "cache"
    cache.mkdir()
    for scene in SOURCE.search(block):
        with (cache / scene.id).open("wb") as file:
            for message in messages(scene.request):
                file.write(message)


def largest() -> int:
    """The most memory that this process has held, in bytes.

    Not getrusage's, which counts the process that started this one until it began.
    """
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return 1024 * int(line.split()[1])


def load_libraries(folder: Path) -> None:
    """What is loaded when first used takes memory, too, but not for the weather."""
    next(iter(SOURCE.parts(min((folder / "cache").glob("*.grib")))))
    gc.collect()


def build(folder: Path, block: Block, grid: Grid) -> dict[str, object]:
    load_libraries(folder)
    before = psutil.Process().memory_info().rss
    cube = create_cube(folder / "cube.zarr", grid)
    receipt = ingest_block(SOURCE, block, Workplace(cube=cube, cache=folder / "cache")).receipt
    cube.record_times([receipt], SOURCE.layout)
    peak = largest()
    with open_cube(cube.path, "era5_land") as opened:
        row, column = opened.sizes["y"] // 2, opened.sizes["x"] // 2
        _, latitude = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True).transform(
            float(opened.x[column]), float(opened.y[row])
        )
        series = opened["t2m"].isel(y=row, x=column).values
        known = int(np.isfinite(opened["t2m"].isel(time=0).values).sum())
    return {
        "status": receipt.status, "reason": receipt.reason, "cells": known,
        "available": len([text for text in receipt.available if text]),
        "megabytes": round((peak - before) / 1e6), "peak": round(peak / 1e6),
        "series": [float(value) for value in series], "latitude": latitude,
    }  # fmt: skip


if __name__ == "__main__":
    verb, where, count, *corners = sys.argv[1:]
    place, edges = Path(where), tuple(map(float, corners))
    wanted = block_of(place, int(count), edges)
    if verb == "make":
        make(place, wanted)
    else:
        region = Grid(region=(edges[0], edges[1], edges[2], edges[3]))
        sys.stdout.write(json.dumps(build(place, wanted, region)))
