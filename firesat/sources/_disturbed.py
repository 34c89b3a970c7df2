"""Fires and cuts of past years around a region, cut from large files once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.coverage import burned_fraction
from firesat.errors import CorruptFileError
from firesat.grid import crs_of
from firesat.sources._from_vectors import features_near
from firesat.sources._refused import first_reasons
from firesat.sources._year_columns import year_columns, years_of

HALF = 0.5  # share of a cell from which it counts as disturbed: as labels do


def cut_years(path: Path, target: Path, region: GeoBox) -> None:
    """Copy the features that touch a region, with the year of each.

    Parameters
    ----------
    path : Path
        Vector file, or a zip of one.
    target : Path
        Parquet to write, in the region's CRS; what was left out is said in its metadata.
    region : GeoBox
        Cells in metres.

    Raises
    ------
    CorruptFileError
        If the file is damaged, lies elsewhere as a whole, lacks a column of the year, or holds
        points or lines.
    GridError
        If it has no CRS, or not that of its coordinates.
    """
    columns = year_columns(path)
    frame, shapes = features_near(path, region, 0.0, columns)
    if len(shapes) and not (shapely.get_dimensions(shapes) == 2).any():
        raise CorruptFileError(
            f"{path} holds points or lines, which cover no ground: give polygons"
        )
    years = years_of(pd.DataFrame(frame), columns)
    checks = {"no year": years.isna(), "points or lines": shapely.get_dimensions(shapes) != 2}
    sound, refused = first_reasons(checks, path.name, len(frame), frame.index.to_numpy())
    table = pa.table(
        {"year": years[sound].astype("int64"), "geometry": shapely.to_wkb(shapes[sound])},
        metadata={"crs_wkt": crs_of(region).to_wkt(), "left_out": str(refused)},
    )
    pq.write_table(table, target)


def read_years(path: Path) -> xr.Dataset:
    """Read what :func:`cut_years` wrote.

    Parameters
    ----------
    path : Path
        Parquet.

    Returns
    -------
    xr.Dataset
        Along dim ``feature``: ``geometry`` (WKB) and ``year``; attributes ``crs_wkt`` and
        ``left_out``.

    Raises
    ------
    CorruptFileError
        If it is damaged.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(f"{path} cannot be read ({error}): delete it") from error
    said = {key.decode(): text.decode() for key, text in table.schema.metadata.items()}
    return xr.Dataset(
        {
            "geometry": ("feature", table["geometry"].to_numpy()),
            "year": ("feature", table["year"].to_numpy()),
        },
        attrs={name: said[name] for name in ("crs_wkt", "left_out")},
    )


def last_years(table: xr.Dataset, region: GeoBox, first: int, last: int) -> NDArray[np.int16]:
    """Tell when each cell was last disturbed.

    Parameters
    ----------
    table : xr.Dataset
        Of :func:`read_years`, in the CRS of `region`.
    region : GeoBox
        Cells.
    first, last : int
        Years that count, both included.

    Returns
    -------
    ndarray of int16, shape (Y, X)
        Latest year in which features covered at least half of the cell; 0 = none.
    """
    shapes, years = shapely.from_wkb(table["geometry"].values), table["year"].values
    found = np.zeros(region.shape, dtype=np.int16)
    for year in np.unique(years[(years >= first) & (years <= last)]):
        found[burned_fraction(shapes[years == year], region) >= HALF] = year
    return found
