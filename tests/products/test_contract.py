"""Every product of configs/product/ writes files that a GIS opens; new ones are found here too."""

from pathlib import Path

import pytest
import rasterio
import yaml
from odc.geo.geobox import GeoBox
from rio_cogeo import cog_validate

from firesat.products.base import Asset, Issue, Product
from firesat.products.strips import Spool
from firesat.project import ALLOWED, import_class

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "product"
TAGS = {
    "reference_time": "2023-07-05T12:00:00Z",
    "valid_time_start": "2023-07-05T12:00:00Z",
    "valid_time_end": "2023-07-13T12:00:00Z",
    "horizon": "P8D",
    "model": "firesat_models.tiny.Tiny",
    "checkpoint_sha256": "ab" * 32,
    "regime": "protocol",
    "firesat_version": "0.1.0",
    "TIFFTAG_DATETIME": "2023:07:05 12:00:00",
    "TIFFTAG_SOFTWARE": "firesat 0.1.0",
    "AREA_OR_POINT": "Area",
}


@pytest.fixture(scope="module", params=sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def product(request: pytest.FixtureRequest) -> Product:
    content = yaml.safe_load(request.param.read_text())
    return import_class(content["class_path"], ALLOWED)(**content.get("init_args", {}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def assets(
    product: Product, spool: Spool, cells: GeoBox, issue: Issue, folder: Path
) -> list[Asset]:
    return product.write(spool, cells, issue, folder / type(product).__name__)


def rasters(assets: list[Asset]) -> list[Path]:
    found = [asset.path for asset in assets if asset.path.suffix == ".tif"]
    assert found, "a product without a raster needs its own contract"
    return found


def test_there_are_products() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} >= {"leads", "probability", "quality"}


def test_it_writes_what_it_announced_and_nothing_else(
    product: Product, issue: Issue, assets: list[Asset], folder: Path
) -> None:
    out = folder / type(product).__name__
    announced = [out / name for name in product.files(issue)]
    assert [asset.path for asset in assets] == announced
    written = {path for path in out.rglob("*") if path.is_file()}
    assert written == set(announced)
    assert all(asset.title and asset.roles for asset in assets)


def test_it_opens_on_the_cells_with_finite_nodata(assets: list[Asset], cells: GeoBox) -> None:
    for path in rasters(assets):
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == 3979
            assert file.transform == cells.affine
            assert file.shape == tuple(cells.shape)
            assert all(file.descriptions)
            assert file.nodata is None or file.nodata in (-9999, 255)
            assert file.block_shapes[0] == (512, 512)


def test_it_says_what_it_is(assets: list[Asset]) -> None:
    for path in rasters(assets):
        with rasterio.open(path) as file:
            tags = file.tags()
        assert {key: tags[key] for key in TAGS} == TAGS
        assert tags["notice"].startswith(
            "Experimental statistical forecast, 5 July 2023 12:00 UTC (06:00 UTC-6) to 13 July"
        )
        assert "Not an official fire danger rating" in tags["notice"]
        assert tags["notice_fr"].startswith("Prévision statistique expérimentale, 5 juillet 2023")
        assert "indice officiel de danger d'incendie" in tags["notice_fr"]


def test_it_is_a_valid_cloud_optimized_geotiff(assets: list[Asset]) -> None:
    for path in rasters(assets):
        assert cog_validate(path, strict=True) == (True, [], [])
        with rasterio.open(path) as file:
            structure = file.tags(ns="IMAGE_STRUCTURE")
            assert structure["LAYOUT"] == "COG"
            assert structure["COMPRESSION"] == "DEFLATE"
            assert file.overviews(1)
            assert set(file.tags(1)) >= {"STATISTICS_MINIMUM", "STATISTICS_VALID_PERCENT"}


def test_writing_it_again_gives_the_same_bytes(
    product: Product, spool: Spool, cells: GeoBox, issue: Issue, assets: list[Asset], tmp_path: Path
) -> None:
    again = product.write(spool, cells, issue, tmp_path / "again")
    for first, second in zip(assets, again, strict=True):
        assert first.path.read_bytes() == second.path.read_bytes()
