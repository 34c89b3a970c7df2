"""The item describes what lies beside it, and needs no network to be valid."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from pystac.validation import JsonSchemaSTACValidator
from shapely.geometry import Polygon

from firesat.products.base import Issue
from firesat.products.probability import Probability
from firesat.products.stac import write_item
from firesat.products.strips import Spool


@pytest.fixture(scope="module")
def folder(
    spool: Spool, cells: GeoBox, issue: Issue, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    made = tmp_path_factory.mktemp("forecast")
    assets = Probability().write(spool, cells, issue, made)
    write_item(made, issue, cells, assets, datetime(2023, 7, 5, 13, tzinfo=UTC))
    return made


@pytest.fixture(scope="module")
def item(folder: Path) -> dict:
    return json.loads((folder / "firesat_2023-07-05_p8d.json").read_text())


def test_it_is_valid_by_the_core_schema(item: dict) -> None:
    JsonSchemaSTACValidator().validate_core(item, pystac.STACObjectType.ITEM, "1.1.0")
    read = pystac.Item.from_dict(item)
    assert read.id == "firesat_2023-07-05_p8d"


def test_it_says_when_the_forecast_holds(item: dict) -> None:
    told = item["properties"]
    assert told["datetime"] == told["start_datetime"] == "2023-07-05T12:00:00Z"
    assert told["end_datetime"] == told["expires"] == "2023-07-13T12:00:00Z"
    assert told["forecast:reference_datetime"] == "2023-07-05T12:00:00Z"
    assert told["forecast:horizon"] == told["forecast:duration"] == "P8D"
    assert told["created"] == "2023-07-05T13:00:00Z"
    assert told["firesat:regime"] == "protocol"
    assert "Not an official fire danger rating" in told["description"]
    assert "Ne remplace ni l'indice officiel" in told["description"]


def test_it_says_where(item: dict, cells: GeoBox) -> None:
    told = item["properties"]
    assert told["proj:code"] == "EPSG:3979"
    assert told["proj:shape"] == [600, 600]
    assert told["proj:transform"] == [100, 0, 10_000, 0, -100, 680_000]
    assert told["proj:bbox"] == [10_000, 620_000, 70_000, 680_000]
    ring = Polygon(item["geometry"]["coordinates"][0])
    assert ring.exterior.is_ccw  # RFC 7946
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:3979", always_xy=True)
    back = Polygon(zip(*to_metres.transform(*ring.exterior.xy), strict=True))
    assert back.area == pytest.approx(60_000.0**2, rel=1e-6)
    assert item["bbox"] == pytest.approx(ring.bounds)
    assert -95.5 < item["bbox"][0] < item["bbox"][2] < -93


def test_every_file_is_there_with_its_checksum(item: dict, folder: Path) -> None:
    assert set(item["assets"]) == {"forecast", "forecast-qml", "mask", "mask-qml"}
    for asset in item["assets"].values():
        path = folder / asset["href"]
        assert asset["file:size"] == path.stat().st_size
        assert asset["file:checksum"] == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert item["assets"]["forecast"]["type"].endswith("profile=cloud-optimized")


def test_bands_and_statistics_are_those_of_the_file(item: dict, folder: Path) -> None:
    bands = item["assets"]["forecast"]["bands"]
    assert [band["name"] for band in bands] == ["p_fire", "p_growth", "p_new"]
    with rasterio.open(folder / "firesat_2023-07-05_p8d.tif") as file:
        stored = file.read(1, masked=True).compressed().astype(np.float64)
    assert bands[0]["statistics"]["mean"] == pytest.approx(stored.mean(), rel=1e-12)
    assert bands[0]["statistics"]["maximum"] == stored.max()
    assert (bands[0]["nodata"], bands[0]["unit"], bands[0]["data_type"]) == (-9999, "1", "float32")
    classes = item["assets"]["mask"]["classification:classes"]
    assert [(c["value"], c["name"]) for c in classes[:2]] == [(0, "forecast"), (1, "cannot_burn")]


def test_the_catalog_lists_the_item_and_can_be_walked(folder: Path) -> None:
    content = json.loads((folder / "catalog.json").read_text())
    JsonSchemaSTACValidator().validate_core(content, pystac.STACObjectType.CATALOG, "1.1.0")
    catalog = pystac.Catalog.from_file(folder / "catalog.json")
    (found,) = catalog.get_items()
    assert found.id == "firesat_2023-07-05_p8d"
    assert found.get_root() is catalog
    assert Path(found.assets["mask"].get_absolute_href() or "").is_file()


def test_a_crs_without_an_epsg_code_keeps_its_own_name(
    folder: Path, cells: GeoBox, issue: Issue, tmp_path: Path
) -> None:
    equal_area = GeoBox(cells.shape, cells.affine, "ESRI:102001")
    path = write_item(tmp_path, issue, equal_area, [], datetime(2023, 7, 5, 13, tzinfo=UTC))
    assert json.loads(path.read_text())["properties"]["proj:code"] == "ESRI:102001"
