"""MODIS under the map: cut out of its tile, wherever in it the map lies."""

from typing import Any

import numpy as np
import pytest

from firesat.benchmark.footprint import SIDE, cut_out, lon_lat
from tests.canadafiresat_files import grid

LON, LAT = -110.0, 55.0


def sample_at(lon: float, lat: float) -> Any:
    return np.moveaxis(grid(264, 10, lon, lat), -1, 0)


def flipped(places: Any) -> Any:
    return places[..., ::-1]


@pytest.mark.parametrize("order", [lambda p: p, flipped, lambda p: np.moveaxis(p, -1, 0)])
@pytest.mark.parametrize(("side", "metres"), [(32, 500.0), (16, 1000.0)])
@pytest.mark.parametrize("east", [0.0, 0.05])
def test_the_map_finds_its_own_place_in_the_tile(
    order: Any, side: int, metres: float, east: float
) -> None:
    places = grid(side, metres, LON, LAT)
    tile = np.moveaxis(places, -1, 0).astype("f8")  # values are the places themselves
    found = cut_out(tile, order(places), sample_at(LON + east, LAT))
    # the 5 x 5 cells of 520 m of the inner 2600 m, from the centre outwards
    offset = 520 * (np.arange(SIDE) - 2)
    wanted = LON + east + offset / (111_320 * np.cos(np.deg2rad(LAT)))
    assert found.shape == (2, SIDE, SIDE)
    metre = 1 / 111_320
    np.testing.assert_allclose(found[0], np.broadcast_to(wanted, (5, 5)), atol=3 * metre)
    np.testing.assert_allclose(found[1][:, 0], LAT - offset * metre, atol=3 * metre)


def test_missing_pixels_do_not_spread_and_are_not_filled() -> None:
    places = grid(32, 500.0, LON, LAT)
    tile = np.ones((32, 32), "f4")
    tile[:16] = np.nan  # north of the middle: the map's rows 0 and 1, and half of row 2's weight
    found = cut_out(tile, places, sample_at(LON, LAT))
    np.testing.assert_array_equal(np.isnan(found[:, 0]), [True, True, False, False, False])
    np.testing.assert_array_equal(found[2:], 1)


def test_a_map_beside_its_tile_has_nothing() -> None:
    found = cut_out(np.ones((32, 32)), grid(32, 500.0, LON, LAT), sample_at(LON + 1, LAT))
    assert np.isnan(found).all()


def test_places_that_are_none_are_refused() -> None:
    good = grid(32, 500.0, LON, LAT)
    with pytest.raises(ValueError, match="no longitudes and latitudes of Canada"):
        lon_lat(grid(32, 500.0, 10.0, 55.0))
    with pytest.raises(ValueError, match="no numbers"):
        lon_lat(np.where(good < 0, np.nan, good))
    bent = good.copy()
    bent[:16, :, 0] += 0.1
    with pytest.raises(ValueError, match="no regular grid"):
        cut_out(np.ones((32, 32)), bent, sample_at(LON, LAT))
