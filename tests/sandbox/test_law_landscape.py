"""The land and the map of it that is served."""

import numpy as np
import pytest

from firesat.sandbox.config import WorldConfig
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import create_landscape
from firesat.sandbox.law.place import Place
from firesat.sandbox.world import World


@pytest.mark.parametrize("seed", [1, 2])
def test_the_served_map_is_wrong_in_15_to_20_percent(seed: int) -> None:
    place = Place(region=(0.0, 600_000.0, 20_000.0, 620_000.0), crs="EPSG:3979")
    land = create_landscape(place, seed, 2021)
    assert 0.15 <= (land.fuel_map != land.cover).mean() <= 0.20


def test_the_served_map_knows_no_recent_fire(small_world: World) -> None:
    land = small_world.landscape
    recent = land.burn_year >= small_world.config.seasons[0] - 9
    assert recent.any()
    assert (land.fuel_map[recent] == Cover.SCAR).mean() < 0.1
    assert (land.cover[recent & ~np.isin(land.cover, (6, 9))] == Cover.SCAR).all()


def test_lakes_are_level_and_lie_low(small_world: World) -> None:
    land = small_world.landscape
    water = land.cover == Cover.WATER
    assert 0.04 < water.mean() < 0.25
    assert land.elevation[water].mean() < land.elevation[~water].mean()
    level_below = np.diff(land.elevation, axis=0)[water[1:] & water[:-1]]
    assert (level_below == 0).all()


def test_no_cover_is_everywhere_and_none_is_lost(small_world: World) -> None:
    share = np.bincount(small_world.landscape.cover.ravel(), minlength=len(Cover)) / 40_000
    assert share.max() < 0.7
    assert (share[[Cover.CONIFER, Cover.MIXED, Cover.WETLAND, Cover.GRASS]] > 0.005).all()


def test_people_are_where_the_roads_are(small_world: World) -> None:
    land = small_world.landscape
    near, far = land.people[land.road_distance < 300], land.people[land.road_distance > 4000]
    assert near.mean() > 3 * far.mean()


def test_weather_cells_reach_30_km_beyond_the_region() -> None:
    place = Place(region=WorldConfig.region, crs="EPSG:3979")
    assert place.weather_x[0] <= place.region[0] - 27_500
    assert place.weather_y[0] >= place.region[3] + 27_500
    ramp = np.broadcast_to(place.weather_x, place.weather_shape).astype(np.float32)
    np.testing.assert_allclose(place.from_weather(ramp)[0], place.axis(1000.0)[1], rtol=1e-5)
