"""GeoTIFF and shapefiles as the providers write them."""

import io
import zipfile
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.io import MemoryFile
from shapely.geometry import box

from firesat.sandbox.encode.archive import encode_zip
from firesat.sandbox.encode.geotiff import encode_geotiff
from firesat.sandbox.encode.nbac import encode_shapefile


def test_a_geotiff_keeps_pixels_place_and_names() -> None:
    cells = GeoBox((3, 5), Affine(100, 0, 500_000, 0, -100, 6_100_000), "EPSG:32615")
    values = np.arange(30, dtype="uint16").reshape(2, 3, 5)
    body = encode_geotiff(values, cells, nodata=9, names=("a", "b"))
    with MemoryFile(body) as memory, memory.open() as file:
        np.testing.assert_array_equal(file.read(), values)
        assert (file.crs, file.transform) == (rasterio.crs.CRS.from_epsg(32615), cells.affine)
        assert (file.nodata, file.descriptions) == (9, ("a", "b"))
        assert file.compression == rasterio.enums.Compression.deflate
        assert file.interleaving == rasterio.enums.Interleaving.pixel


def fires(rows: int) -> gpd.GeoDataFrame:
    table = {
        "YEAR": [2023.0, 2023.0],
        "GID": ["2023_1", "2023_2"],
        "HS_SDATE": pd.to_datetime(["2023-06-25", None]),
        "AG_EDATE": pd.to_datetime([None, None]),
        "PRESCRIBED": ["true", None],
    }
    squares = [box(0, 0, 1e3, 1e3), box(5e3, 0, 6e3, 2e3)]
    return gpd.GeoDataFrame(table, geometry=squares, crs=3978).iloc[:rows]


def test_a_shapefile_has_dates_of_the_dbf_and_a_projection_without_code() -> None:
    body = encode_shapefile(fires(2), "NBAC_2023_20240530")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = {name.rpartition(".")[2] for name in archive.namelist()}
        projection = archive.read("NBAC_2023_20240530.prj").decode()
    assert {"shp", "shx", "dbf", "prj"} <= names
    assert "Lambert_Conformal_Conic" in projection
    assert "AUTHORITY" not in projection
    info = pyogrio.read_info(body)
    kinds = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert kinds["HS_SDATE"] == kinds["AG_EDATE"] == "datetime64[D]"
    found = gpd.read_file(io.BytesIO(body))
    assert found.HS_SDATE[0].date() == date(2023, 6, 25)
    assert found.HS_SDATE[1:].isna().all()
    assert found.area.tolist() == [1e6, 2e6]


def test_a_year_without_fires_is_a_readable_shapefile() -> None:
    found = gpd.read_file(io.BytesIO(encode_shapefile(fires(0), "NBAC_2020_20240530")))
    assert len(found) == 0
    assert "HS_SDATE" in found


def test_the_same_members_make_the_same_zip() -> None:
    assert encode_zip({"a.csv": b"1"}) == encode_zip({"a.csv": b"1"})
