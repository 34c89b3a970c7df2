"""Shapefiles, zipped, as the National Burned Area Composite is delivered."""

import tempfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa

from firesat.sandbox.encode.archive import encode_zip

DATES = ("HS_SDATE", "HS_EDATE", "AG_SDATE", "AG_EDATE", "CAPDATE", "REP_DATE", "OUT_DATE")


def encode_shapefile(perimeters: gpd.GeoDataFrame, stem: str) -> bytes:
    """Write polygons as a zipped shapefile.

    Parameters
    ----------
    perimeters : geopandas.GeoDataFrame
        Polygons with a CRS; columns of `DATES` become dates of the DBF table.
    stem : str
        Name of the members, without ending.

    Returns
    -------
    bytes
        A zip of .shp, .shx, .dbf, .prj and .cpg; the .prj is ESRI's, without authority code.
    """
    frame = perimeters.copy()
    for name in frame.columns.intersection(pd.Index(DATES)):
        # The driver keeps dates only when they come as Arrow's date32; timestamps turn into text.
        days = pd.to_datetime(frame[name]).dt.date
        frame[name] = pd.Series(days, index=frame.index, dtype=pd.ArrowDtype(pa.date32()))
    with tempfile.TemporaryDirectory() as folder:
        frame.to_file(Path(folder) / f"{stem}.shp", engine="pyogrio", use_arrow=True)
        members = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return encode_zip(members)
