"""What agencies would publish: perimeters, hotspots, static layers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer
from rasterio.features import rasterize

from firesat.sandbox.law import clock
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.observe import nrcan, static
from firesat.sandbox.world import World

SCHEMA = {
    *("YEAR", "NFIREID", "GID", "BASRC", "FIREMAPS", "FIREMAPM", "FIRECAUS", "HS_SDATE"),
    *("HS_EDATE", "AG_SDATE", "AG_EDATE", "CAPDATE", "POLY_HA", "ADJ_HA", "ADJ_FLAG"),
    *("ADMIN_NAME", "ADMIN_DIV", "PRESCRIBED", "VERSION"),
}
SEASON = datetime(2023, 4, 1, tzinfo=UTC), datetime(2023, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def hotspots(small_world: World) -> pd.DataFrame:
    return nrcan.hotspots(small_world, *SEASON)


def test_perimeters_have_the_composites_columns(small_world: World) -> None:
    found = nrcan.perimeters(small_world, 2023)
    assert set(found.columns) >= SCHEMA
    assert found.crs.to_epsg() == 3978
    assert found.geometry.is_valid.all()
    assert found["GID"].is_unique
    assert set(found["FIRECAUS"]) <= {"Natural", "Human", "Undetermined"}
    assert (found["PRESCRIBED"] == "true").sum() == nrcan.PRESCRIBED_BURNS


def test_perimeters_cover_what_burnt(small_world: World) -> None:
    season = small_world.seasons[0]
    found = nrcan.perimeters(small_world, 2023)
    wild = found[found["PRESCRIBED"] != "true"].to_crs(small_world.config.crs)
    drawn = rasterize(
        wild.geometry, season.fire_id.shape, transform=small_world.geobox.affine, dtype="uint8"
    )
    burnt = season.fire_id > 0
    assert (drawn[burnt] == 1).mean() > 0.9
    assert (burnt[drawn == 1]).mean() > 0.9
    assert wild.area.sum() / 1e4 == pytest.approx(burnt.sum(), rel=0.1)
    mapped = (season.fires["cells"] > 0).sum()
    assert 0.8 * mapped <= len(wild) <= mapped


def test_every_fire_has_a_date_and_most_are_right(small_world: World) -> None:
    found = nrcan.perimeters(small_world, 2023)
    dated = found["HS_SDATE"].fillna(found["AG_SDATE"])
    assert dated.notna().all()
    assert found["HS_SDATE"].isna().any()
    season = small_world.seasons[0]
    starts = season.fires.query("cells > 0")["start"].dt.tz_localize(None)
    true_days = set((starts - pd.Timedelta(hours=12)).dt.normalize())
    wild = found["PRESCRIBED"] != "true"
    assert dated[wild].isin(true_days).mean() > 0.8
    both = found.dropna(subset=["HS_SDATE", "HS_EDATE"])
    assert (both["HS_EDATE"] >= both["HS_SDATE"]).all()


def test_hotspots_lie_near_what_burns_some_hours_after_it_caught_fire(
    small_world: World, hotspots: pd.DataFrame
) -> None:
    season = small_world.seasons[0]
    assert len(hotspots) > 50
    to_metres = Transformer.from_crs("EPSG:4326", small_world.config.crs, always_xy=True)
    x, y = to_metres.transform(hotspots["lon"], hotspots["lat"])
    row, column = np.argwhere(season.fire_id > 0).T
    x0, _, _, y1 = small_world.config.region
    hours = season.burn_hour[row, column]
    distances = []
    for u, v, when in zip(x, y, pd.to_datetime(hotspots["rep_date"], utc=True), strict=True):
        age = clock.to_hours(when.to_pydatetime()) - hours
        lately = (age >= 0) & (age < nrcan.SEEN_HOURS)
        assert lately.any()
        east = x0 + 100 * (column[lately] + 0.5) - u
        north = y1 - 100 * (row[lately] + 0.5) - v
        distances.append(np.hypot(east, north).min())
    assert np.quantile(distances, 0.9) < 500
    assert np.max(distances) > 50


def test_some_burning_cells_are_missed(small_world: World, hotspots: pd.DataFrame) -> None:
    season = small_world.seasons[0]
    visible = 0
    for when in pd.to_datetime(hotspots["rep_date"], utc=True).unique():
        age = clock.to_hours(when.to_pydatetime()) - season.burn_hour
        visible += int(((age >= 0) & (age < nrcan.SEEN_HOURS)).sum())
    assert len(hotspots) < 0.95 * visible


def test_hotspots_of_a_period_are_those_of_its_parts(
    small_world: World, hotspots: pd.DataFrame
) -> None:
    middle = SEASON[0] + timedelta(days=90)
    parts = [
        nrcan.hotspots(small_world, SEASON[0], middle),
        nrcan.hotspots(small_world, middle, SEASON[1]),
    ]
    joined = pd.concat([part for part in parts if len(part)], ignore_index=True)
    pd.testing.assert_frame_equal(joined, hotspots)
    nothing = nrcan.hotspots(small_world, *(moment.replace(year=2019) for moment in SEASON))
    assert len(nothing) == 0
    assert list(nothing.columns) == list(hotspots.columns)


def test_static_layers_are_what_maps_say(small_world: World) -> None:
    layers = static.layers(small_world)
    land = small_world.landscape
    assert {"elevation", "fuel", "water", "road_distance"} <= set(layers)
    assert {layer.shape for layer in layers.values()} == {small_world.place.shape}
    np.testing.assert_array_equal(layers["fuel"], land.fuel_map)
    assert (layers["fuel"] != land.cover).mean() > 0.15
    np.testing.assert_array_equal(layers["water"] == 1, land.cover == Cover.WATER)
    np.testing.assert_allclose(layers["road_distance"], land.road_distance / 1000)
