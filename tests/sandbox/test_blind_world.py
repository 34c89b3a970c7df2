"""A world whose Sentinel-2 shows nothing of what burns."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from firesat.sandbox.observe import modis, sentinel2
from firesat.sandbox.world import World
from tests.sandbox.conftest import SMALL

YEAR = SMALL.seasons[0]
SUMMER = datetime(YEAR, 7, 1, tzinfo=UTC), datetime(YEAR, 7, 20, tzinfo=UTC)


def blinded(world: World) -> World:
    """The same law and the same history, with Sentinel-2 blind."""
    return World(
        config=replace(world.config, s2_blind=True),
        landscape=world.landscape,
        seasons=world.seasons,
    )


def another(world: World) -> World:
    """A world with the same served maps and everything hidden from another."""
    season, rng = world.seasons[0], np.random.default_rng(1)
    setting = season.setting
    land, plants = setting.landscape, setting.phenology
    changed = replace(
        land,
        density=rng.permuted(land.density),
        load=rng.permuted(land.load),
        site=rng.permuted(land.site),
        severity=rng.permuted(land.severity),
        burn_year=rng.permuted(land.burn_year),
        attack_year=rng.permuted(land.attack_year),
        # water is served as it is, the rest of the cover only as the map has it
        cover=np.where(land.cover == 0, 0, 1 + land.cover % 9).astype(np.uint8),
    )
    hidden = replace(
        season,
        setting=replace(
            setting,
            landscape=changed,
            phenology=type(plants)(*(rng.permuted(field) for field in plants)),
        ),
        weather={name: rng.permuted(values) for name, values in season.weather.items()},
        moisture=rng.permuted(season.moisture),
        snow=rng.permuted(season.snow),
        burn_hour=rng.permuted(season.burn_hour),
    )
    return replace(world, seasons=(hidden,))


@pytest.fixture(scope="module")
def blind(small_world: World) -> World:
    return blinded(small_world)


def pictures(world: World) -> list[np.ndarray]:
    return [sentinel2.reflectance(world, p)[0] for p in sentinel2.acquisitions(world, *SUMMER)]


def test_spectra_are_the_same_whatever_is_hidden(blind: World) -> None:
    one, two = blind, another(blind)
    assert sentinel2.acquisitions(one, *SUMMER) == sentinel2.acquisitions(two, *SUMMER)
    for left, right in zip(pictures(one), pictures(two), strict=True):
        np.testing.assert_array_equal(left, right)


def test_where_sentinel2_sees_the_hidden_changes_its_spectra(small_world: World) -> None:
    for left, right in zip(pictures(small_world), pictures(another(small_world)), strict=True):
        assert (left != right).mean() > 0.5  # the swath and its clouds do not cover all


def test_spectra_follow_the_served_maps_and_vary_within_their_classes(blind: World) -> None:
    """A blind spectrum is no constant: it tells classes of the map apart, and cells of a class."""
    clear = pictures(blind)
    least = np.min([picture[7] for picture in clear], axis=0)  # clouds are brighter
    map_ = blind.landscape.fuel_map
    means = [least[map_ == code].mean() for code in np.unique(map_) if (map_ == code).sum() > 100]
    assert np.std(means) > 0.02
    assert least[map_ == 1].std() > 0.005


def test_nothing_else_of_the_world_changes(small_world: World, blind: World) -> None:
    assert blind.seasons is small_world.seasons
    assert small_world.pictured[YEAR] is small_world.season(YEAR)
    assert np.isnan(blind.pictured[YEAR].burn_hour).all()
    seen, same = (modis.composite(w, "MOD13A1", SUMMER[0].date()) for w in (small_world, blind))
    for name, values in seen.items():
        np.testing.assert_array_equal(values, same[name])


def test_a_blind_world_happens_as_the_seeing_one_does_and_is_kept(
    tmp_path: Path, small_world: World
) -> None:
    made = World.create(replace(SMALL, s2_blind=True))
    np.testing.assert_array_equal(made.seasons[0].burn_hour, small_world.seasons[0].burn_hour)
    np.testing.assert_array_equal(made.seasons[0].fire_id, small_world.seasons[0].fire_id)
    made.save(tmp_path / "world.npz")
    again = World.load(tmp_path / "world.npz")
    assert again.config.s2_blind
    np.testing.assert_array_equal(pictures(again)[0], pictures(made)[0])
