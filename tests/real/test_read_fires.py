"""Real perimeters and fire lists: areas, dates and dirty rows."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from firesat.blocks import Block
from firesat.errors import CorruptFileError
from firesat.grid import cell_area, geobox
from firesat.project import read_yaml
from firesat.sources._drawing import draw_fires
from firesat.sources._perimeters import Columns
from firesat.sources.files import LocalVectors
from firesat.sources.fires import Nbac
from tests.sources.build import build_source

PERIMETERS = "labels/bcws_2026/fire-perimeters.json"
NBAC_2023 = "labels/firedms/NBAC-2023-points-4326-v4.csv"


@pytest.fixture(scope="module")
def bc() -> LocalVectors:
    built = build_source(
        read_yaml(Path(__file__).parents[2] / "configs/real/sources/bc_perimeters.yaml")
    )
    assert isinstance(built, LocalVectors)
    return built


def block_around(shape: shapely.Geometry) -> Block:
    """The 100 m cells of whole 10 km around a shape of EPSG:3979."""
    x0, y0, x1, y1 = shape.bounds
    low = [np.floor(edge / 10_000 - 0.2) * 10_000 for edge in (x0, y0)]
    high = [np.ceil(edge / 10_000 + 0.2) * 10_000 for edge in (x1, y1)]
    extent = (*low, *high)
    return Block(
        group="perimeters",
        index=(0, 0, 0),
        times=(np.datetime64("2026-01-01", "s"),),
        geobox=geobox(extent, "EPSG:3979", 100),
        extent=extent,
    )


def test_every_perimeter_is_read_with_its_date(real_data: Path, bc: LocalVectors) -> None:
    features = json.loads((real_data / PERIMETERS).read_text())["features"]
    table = bc.read(real_data / PERIMETERS)
    names = {feature["properties"]["FIRE_NUM"] for feature in features}
    assert table.sizes["fire"] == len(names)
    written = [f["properties"].get("ignition_date") for f in features]
    dates = pd.to_datetime([text for text in written if text], format="%B %d, %Y")
    days = table["agency_start"].values
    assert np.nanmin(days) == (dates.min() - pd.Timestamp(0)).days
    assert np.nanmax(days) == (dates.max() - pd.Timestamp(0)).days
    assert shapely.is_valid(shapely.from_wkb(table["geometry"].values)).all()


def test_drawn_hectares_are_the_official_ones(real_data: Path, bc: LocalVectors) -> None:
    frame = gpd.read_file(real_data / PERIMETERS).to_crs("EPSG:3979")
    table = bc.read(real_data / PERIMETERS)
    large = frame[frame["CURRENT_SZ"] > 3000].head(3)
    assert len(large) == 3
    for _, fire in large.iterrows():
        block = block_around(fire.geometry)
        # The one fire alone: its neighbours lie in the same box.
        alone = table.isel(fire=_row_of(table, fire.geometry))
        arrays = draw_fires([alone], block)
        hectares = float((arrays["fraction"][0] * cell_area(block.geobox)).sum()) / 1e4
        assert hectares == pytest.approx(fire["CURRENT_SZ"], rel=0.01)
        marked = arrays["fire_id"][0] > 0
        assert (arrays["fraction"][0][~marked] == 0).all()


def _row_of(table: object, shape: shapely.Geometry) -> list[int]:
    """The row of a fire, by its centre."""
    shapes = gpd.GeoSeries(
        shapely.from_wkb(table["geometry"].values), crs=table.attrs["crs_wkt"]
    ).to_crs("EPSG:3979")
    return [int(shapes.distance(shape.representative_point()).argmin())]


def test_points_have_dates_but_burn_nothing(real_data: Path) -> None:
    raw = pd.read_csv(real_data / NBAC_2023)
    table = Nbac().read(real_data / NBAC_2023)
    prescribed = raw["PRESCRIBED"].astype("str").str.lower() == "true"
    assert table.sizes["fire"] == len(set(zip(raw["GID"], prescribed, strict=True)))
    dated = raw.dropna(subset=["HS_SDATE"]).groupby("GID")["HS_SDATE"].min()
    starts, ends = table["agency_start"].values, table["agency_end"].values
    assert int(np.isfinite(table["hotspot_start"].values).sum()) >= len(dated)
    first = (pd.to_datetime(dated.min(), format="%Y/%m/%d") - pd.Timestamp(0)).days
    assert np.nanmin(table["hotspot_start"].values) == first
    both = np.isfinite(starts) & np.isfinite(ends)
    assert (ends >= starts)[both].mean() > 0.99
    places = shapely.from_wkb(table["geometry"].values)
    assert shapely.total_bounds(places) == pytest.approx(
        [raw["X"].min(), raw["Y"].min(), raw["X"].max(), raw["Y"].max()]
    )
    with pytest.raises(CorruptFileError, match="points or lines"):
        draw_fires([table], block_around(shapely.box(0, 600_000, 10_000, 610_000)))


def test_the_status_list_of_all_canada_is_one_row_per_fire(real_data: Path) -> None:
    name = "labels/ciffc_logistic_20230505_20250821.csv"
    raw = pd.read_csv(real_data / name)
    source = LocalVectors(
        files={}, columns=Columns(fire="field_agency_fire_id", agency_start="field_status_date")
    )
    table = source.read(real_data / name)
    assert table.sizes["fire"] == raw["field_agency_fire_id"].nunique()  # 932 snapshots less
    real = raw["field_status_date"][~raw["field_status_date"].str.startswith("0001")]
    assert len(real) == len(raw) - 1  # one row says the year 1
    first = np.datetime64(min(real)[:10]) - np.datetime64("1970-01-01")
    assert np.nanmin(table["agency_start"].values) == first.astype(int)


def test_the_burned_raster_of_a_real_fire_agrees_with_its_perimeter(
    real_data: Path, bc: LocalVectors
) -> None:
    import rasterio

    name = "sentinel2/bc_C50929/C50929_hint_bcws_perimeter.bin"
    with rasterio.open(real_data / name) as raster:
        burned = raster.read(1) == 1
        cells = abs(raster.transform.a * raster.transform.e)
    assert burned.sum() * cells / 1e4 == pytest.approx(5476, rel=0.01)  # hectares
    frame = gpd.read_file(real_data / PERIMETERS)
    shape = frame[frame["FIRE_NUM"] == "C50929"].to_crs("EPSG:3979").geometry.iloc[0]
    block = block_around(shape)
    table = bc.read(real_data / PERIMETERS)
    arrays = draw_fires([table.isel(fire=_row_of(table, shape))], block)
    hectares = float((arrays["fraction"][0] * cell_area(block.geobox)).sum()) / 1e4
    assert hectares == pytest.approx(6080.6, rel=0.005)
