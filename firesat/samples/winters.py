"""Which fires of a cube are one with those of the year before."""

import numpy as np

from firesat.cube import groups, open_cube
from firesat.errors import SampleError
from firesat.grid import Grid
from firesat.samples.pieces import Piece, take
from firesat.samples.reader import Reader
from firesat.samples.settings import SampleSettings
from firesat.splits import Fire, Groups


def fire_groups(reader: Reader, settings: SampleSettings, grid: Grid) -> Groups:
    """Find the fires of a region that overwintered.

    Parameters
    ----------
    reader : Reader
        Of the cube.
    settings : SampleSettings
        With the rule.
    grid : Grid
        Of the cube.

    Returns
    -------
    Groups
        Of all years of the cube.

    Raises
    ------
    SampleError
        If the cube has no labels.
    """
    if "labels" not in groups(reader.cube_path):
        raise SampleError(f"{reader.cube_path} has no labels: run firesat derive")
    labels = open_cube(reader.cube_path, "labels")
    years = labels["time"].values.astype("datetime64[Y]").astype(int) + 1970
    links: set[tuple[Fire, Fire]] = set()
    box = grid.region_geobox(100)
    for tile in grid.tiles():
        piece = take(labels, box & grid.tile_geobox(tile, 100), settings.overwintering.metres)
        for step in np.flatnonzero(np.diff(years) == 1).tolist():
            if _written(piece, step) and _written(piece, step + 1):
                last, this = (piece.data.isel(time=s).load() for s in (step, step + 1))
                links |= settings.overwintering.links(last, this, int(years[step + 1]))
    return Groups(links)


def _written(piece: Piece, step: int) -> bool:
    """Whether a season has labels here."""
    return bool(piece.touched(piece.written())[step])
