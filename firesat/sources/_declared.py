"""How much a file may declare to hold: refused by its header, before memory is asked for."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Interleaving

from firesat.errors import CorruptFileError

SLACK = 256 << 20
"""Bytes that any file may declare, however small it is."""

RATIO = 64
"""Bytes declared for each byte of the file: fields of weather and pixels pack 2 to 20 to one."""


def refuse_larger(path: Path, declared: float, what: str, *, slack: int = SLACK) -> None:
    """Refuse a file that would unpack to far more than such files do.

    Parameters
    ----------
    path : Path
        The file.
    declared : float
        Bytes that its header promises.
    what : str
        That has these bytes, in the plural.
    slack : int
        Bytes that it may have in any case.

    Raises
    ------
    CorruptFileError
        If it declares more than `slack` and `RATIO` times its own size.
    """
    size = path.stat().st_size
    if declared > slack + RATIO * size:
        raise CorruptFileError(
            f"{path} declares {what} of {declared / (1 << 20):,.0f} MiB in {size:,} bytes, which "
            "no such file holds: not opened; delete it and run the command again"
        )


def refuse_raster(
    raster: rasterio.DatasetReader, path: Path, *, pixels: float | None = None, slack: int = SLACK
) -> None:
    """Refuse a raster by the size of its bands, and of the blocks that are unpacked whole.

    Parameters
    ----------
    raster : rasterio.DatasetReader
        Open, nothing read.
    path : Path
        The file.
    pixels : float, optional
        How many are to be read of each band; None = all.
    slack : int
        Bytes that it may have in any case.

    Raises
    ------
    CorruptFileError
        As :func:`refuse_larger`.
    """
    size = max(np.dtype(kind).itemsize for kind in raster.dtypes)
    wanted = float(raster.width) * raster.height if pixels is None else pixels
    refuse_larger(path, wanted * raster.count * size, "bands", slack=slack)
    together = raster.count if raster.interleaving is Interleaving.pixel else 1
    block = max(float(rows) * columns for rows, columns in raster.block_shapes)
    refuse_larger(path, block * together * size, "blocks", slack=slack)
