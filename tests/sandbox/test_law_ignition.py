"""Sparks, embers, people and crews."""

from dataclasses import replace

import numpy as np
import pytest

from firesat.sandbox.law import ignition, suppression
from firesat.sandbox.law.ignition import Tinder
from firesat.sandbox.world import World


@pytest.fixture
def tinder(small_world: World) -> Tinder:
    """A dry day on which every cell can burn."""
    even = np.ones(small_world.place.shape, dtype=np.float32)
    hourly = np.ones((24, *small_world.place.km_shape), dtype=np.float32)
    return Tinder(
        rate=100 * even,
        duff=0.2 * even,
        curing=0.5 * even,
        burnt=even < 0,
        damp=0.3 * hourly,
        rain=0 * hourly,
    )


def flashes(world: World, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    x0, y0, x1, y1 = world.config.region
    return np.column_stack(
        [12 + rng.random(count), rng.uniform(x0, x1, count), rng.uniform(y0, y1, count)]
    )


def struck(world: World, tinder: Tinder, activity: float = 1.0) -> np.ndarray:
    where = world.place, world.landscape
    rng = np.random.default_rng(1)
    return ignition.strikes(*where, tinder, flashes(world, 5000), activity, rng)


def test_lightning_lives_on_in_dry_duff_only(small_world: World, tinder: Tinder) -> None:
    dry = len(struck(small_world, tinder))
    wet = len(struck(small_world, replace(tinder, duff=np.full_like(tinder.duff, 0.95))))
    assert dry > 500
    assert wet < 0.05 * dry
    burnt = replace(tinder, burnt=~tinder.burnt)
    assert len(struck(small_world, burnt)) == 0
    assert len(struck(small_world, tinder, 0.0)) == 0


def test_flashes_outside_the_region_are_nothing(small_world: World, tinder: Tinder) -> None:
    away = flashes(small_world, 500) + np.array([0, 50_000, 0])
    where = small_world.place, small_world.landscape
    assert len(ignition.strikes(*where, tinder, away, 1.0, np.random.default_rng(1))) == 0


def embers(count: int, hour: float = 0.0) -> np.ndarray:
    return np.column_stack([np.full(count, hour), np.arange(count) * 7.0])


def test_embers_flare_in_dry_litter_and_wait_in_wet(small_world: World, tinder: Tinder) -> None:
    rng = np.random.default_rng(2)
    flames, left = ignition.awaken(small_world.place, tinder, embers(2000), 12.0, rng)
    assert len(flames) > 1500
    assert ((flames[:, 0] >= 12) & (flames[:, 0] < 37)).all()
    wet = replace(tinder, damp=0 * tinder.damp)
    flames, left = ignition.awaken(small_world.place, wet, embers(2000), 12.0, rng)
    assert len(flames) == 0
    assert 1500 < len(left) < 2000


def test_embers_die_in_rain_and_after_ten_days(small_world: World, tinder: Tinder) -> None:
    rng = np.random.default_rng(2)
    rain = replace(tinder, damp=0 * tinder.damp, rain=2 + tinder.rain)
    assert len(ignition.awaken(small_world.place, rain, embers(2000), 12.0, rng)[1]) < 50
    calm = replace(tinder, damp=0 * tinder.damp)
    left = ignition.awaken(small_world.place, calm, embers(2000), 230.0, rng)[1]
    assert len(left) == 0


def test_an_ember_does_not_flare_before_it_was_struck(small_world: World, tinder: Tinder) -> None:
    rng = np.random.default_rng(2)
    flames, _ = ignition.awaken(small_world.place, tinder, embers(500, hour=30.0), 12.0, rng)
    assert len(flames) > 50
    assert flames[:, 0].min() >= 30.0


def test_people_start_more_fires_on_weekends_by_day_and_near_roads(
    small_world: World, tinder: Tinder
) -> None:
    place, land = small_world.place, small_world.landscape
    rng = np.random.default_rng(3)
    # 1 July 2023 was a Saturday, 5 July a Wednesday; hours since 1 May
    counts, cells = [], []
    for day in (61, 65):
        runs = [
            ignition.carelessness(place, land, tinder, (2023, 24.0 * day + 12), 30.0, rng)
            for _ in range(60)
        ]
        counts.append(sum(map(len, runs)))
        cells.append(np.concatenate(runs))
    assert counts[0] > 1.4 * counts[1]
    fires = np.concatenate(cells)
    distance = land.road_distance.ravel()[fires[:, 1].astype(int)]
    assert np.median(distance) < 0.5 * np.median(land.road_distance)
    local = (fires[:, 0] - 6) % 24
    assert ((local > 9) & (local < 21)).mean() > 0.7


def test_nobody_lights_wet_litter(small_world: World, tinder: Tinder) -> None:
    wet = replace(tinder, damp=0 * tinder.damp)
    where = small_world.place, small_world.landscape
    rng = np.random.default_rng(3)
    fires = ignition.carelessness(*where, wet, (2023, 1500.0), 30.0, rng)
    assert len(fires) == 0


def attack(rate: float, distance: float, busy: int = 0) -> suppression.Attack:
    many = np.ones(4000)
    return suppression.initial_attack(
        100 * many,
        (rate * many).astype(np.float32),
        (distance * many).astype(np.float32),
        busy,
        np.random.default_rng(4),
    )


def test_fast_remote_fires_escape_more_often_and_more_so_while_others_burn() -> None:
    slow, fast = attack(20, 500).escaped.mean(), attack(600, 500).escaped.mean()
    remote, busy = attack(600, 12_000).escaped.mean(), attack(600, 500, busy=4).escaped.mean()
    assert slow < 0.1 < fast < remote
    assert busy > fast
    assert (np.isinf(attack(600, 500).control) == attack(600, 500).escaped).all()


def test_caught_fires_are_held_within_days_and_some_leave_no_mark() -> None:
    met = attack(50, 1000)
    assert not (met.spots & met.escaped).any()
    assert 0.2 < met.spots.mean() < 0.7
    caught = ~met.escaped & ~met.spots
    assert (met.control[caught] > 102).all()
    assert np.median(met.control[caught]) < 100 + 24


def test_only_old_escaped_fires_are_mopped_up() -> None:
    escaped = np.array([True, True, False] * 3000)
    age = np.array([1.0, 20.0, 20.0] * 3000)
    done = suppression.mop_up(escaped, age, np.zeros(9000), np.random.default_rng(5))
    assert not done[0::3].any()
    assert 0.05 < done[1::3].mean() < 0.4
    assert not done[2::3].any()
