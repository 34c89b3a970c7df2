"""What tests of the servers need: places and files, read without the code under test."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pyproj import Transformer
from rasterio.warp import transform_bounds

from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.http import SandboxServer
from firesat.sandbox.world import World

Serve = Callable[[Faults], AbstractContextManager[SandboxServer]]


def world_cell(
    world: World, x: np.ndarray, y: np.ndarray, crs: str, size: float = 100.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of the world's cells at some places, and the distance from their centres.

    The distance is in cells, at most 0.5 (by the larger of the two directions); rows and columns
    may lie outside.
    """
    to_world = Transformer.from_crs(crs, world.config.crs, always_xy=True)
    u, v = to_world.transform(x, y)
    column = (u - world.config.region[0]) / size
    row = (world.config.region[3] - v) / size
    off = np.maximum(abs(column % 1 - 0.5), abs(row % 1 - 0.5))
    return np.floor(row).astype(int), np.floor(column).astype(int), off


def bounds_in(world: World, crs: str) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of the world in other coordinates."""
    return transform_bounds(world.config.crs, crs, *world.config.region)


@dataclass
class Grib:
    """The messages of a file: a field for each short name and valid time, and their points."""

    latitudes: np.ndarray
    longitudes: np.ndarray
    fields: dict[str, dict[np.datetime64, np.ndarray]] = field(default_factory=dict)

    def stack(self, short: str) -> tuple[np.ndarray, np.ndarray]:
        """Times, rising, and fields of one name."""
        times = sorted(self.fields[short])
        return np.array(times), np.stack([self.fields[short][time] for time in times])


def read_grib(path: Path) -> Grib:
    """Decode a file of one grid with ecCodes."""
    import eccodes  # after pyproj: loaded before it, its own PROJ crashes the interpreter's exit

    found = Grib(np.empty(0), np.empty(0))
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            date, hour, short, rows, columns = (
                eccodes.codes_get(handle, key)
                for key in ("validityDate", "validityTime", "shortName", "Nj", "Ni")
            )
            text = f"{date}"
            when = np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}T{hour // 100:02d}", "h")
            values = eccodes.codes_get_values(handle).reshape(rows, columns)
            found.fields.setdefault(short, {})[when] = values
            found.latitudes = np.sort(eccodes.codes_get_array(handle, "distinctLatitudes"))[::-1]
            found.longitudes = eccodes.codes_get_array(handle, "distinctLongitudes")
            eccodes.codes_release(handle)
    return found
