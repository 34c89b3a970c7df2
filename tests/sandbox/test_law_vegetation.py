"""Plants through the year, and what they mean for fire."""

import numpy as np
import pytest

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.fuel import Stand, cured_share, fill_rate, potential_rate
from firesat.sandbox.law.moisture import DEEP
from firesat.sandbox.law.vegetation import Phenology, Surface, grow, surface_at
from firesat.sandbox.world import World


def surface(**values: float) -> Surface:
    """One cell."""
    usual = {
        "leaf": 1.0,
        "curing": 0.3,
        "live": 1.0,
        "red": 0.0,
        "grey": 0.0,
        "regrowth": 1.0,
        "litter": 10.0,
        "duff": 0.4,
        "deep": 0.5,
    }
    return Surface(**{k: np.full((1, 1), v, np.float32) for k, v in (usual | values).items()})


def rate(cover: Cover, **values: float) -> float:
    stand = Stand(
        cover=np.full((1, 1), cover, dtype=np.uint8),
        density=np.full((1, 1), 0.6, dtype=np.float32),
        load=np.ones((1, 1), dtype=np.float32),
    )
    out, plain = np.zeros((2, 1, 1), dtype=np.float32)
    fill_rate(stand, surface(**values), out)
    fill_rate.py_func(stand, surface(**values), plain)
    np.testing.assert_allclose(out, plain, rtol=1e-5)
    return float(out[0, 0])


def on(world: World, doy: int, year: int = 2023, deep: float = 0.7) -> Surface:
    setting = world.season(year).setting
    moisture = world.season(year).moisture[0].copy()
    moisture[DEEP] = deep
    return surface_at(
        setting.landscape.site, setting.phenology, moisture, (year, 24.0 * (doy - 121))
    )


def test_leaves_come_in_june_and_go_in_autumn(small_world: World) -> None:
    may, july, october = (on(small_world, doy).leaf.mean() for doy in (125, 200, 290))
    assert may < 0.1
    assert july > 0.95
    assert october < 0.1


def test_grass_is_dead_in_spring_green_in_july_cured_in_autumn(small_world: World) -> None:
    may, july, october = (on(small_world, doy).curing.mean() for doy in (125, 190, 280))
    assert may > 0.9
    assert july < 0.2
    assert october > 0.9


def test_curing_dates_vary_within_the_region(small_world: World) -> None:
    august = on(small_world, 235).curing
    assert august.std() > 0.1


def test_drought_cures_early_and_dries_needles(small_world: World) -> None:
    wet, dry = (on(small_world, 225, deep=deep) for deep in (0.8, 0.2))
    assert dry.curing.mean() > wet.curing.mean() + 0.1
    assert dry.live.mean() < wet.live.mean() - 0.15


def test_needles_are_driest_before_the_flush(small_world: World) -> None:
    assert on(small_world, 147).live.mean() < on(small_world, 200).live.mean() - 0.1


@pytest.mark.parametrize("function", [grow, grow.py_func])
def test_struck_trees_turn_red_then_grey(function: object) -> None:
    years = np.array([[-9.0, 0.0, 1.0, 3.0, 6.0]], dtype=np.float32)
    flat = np.full_like(years, 147.0)
    plants = Phenology(flat, flat + 96, 0 * flat, years, 0 * flat + 0.8, 0 * flat + 1)
    out = np.empty((5, 1, 5), dtype=np.float32)
    function(plants, 0 * flat + 0.7, 230.0, out)
    red, grey = out[3, 0], out[4, 0]
    assert red[0] == grey[0] == 0
    assert red[2] > 0.75
    assert grey[2] < 0.01
    assert red[4] < 0.01
    assert grey[4] > 0.75


def test_nothing_burns_on_water_rock_and_in_settlements() -> None:
    assert [rate(cover) for cover in (Cover.WATER, Cover.ROCK, Cover.BUILT)] == [0, 0, 0]


def test_what_only_a_look_from_above_can_show_matters() -> None:
    assert rate(Cover.CONIFER, red=0.7) > 1.8 * rate(Cover.CONIFER)
    assert rate(Cover.CONIFER, live=0.8) > 1.5 * rate(Cover.CONIFER)
    assert rate(Cover.GRASS, curing=0.95) > 10 * rate(Cover.GRASS, curing=0.2)
    assert rate(Cover.DECIDUOUS, leaf=0.0) > 4 * rate(Cover.DECIDUOUS, leaf=1.0)
    assert rate(Cover.MIXED) < rate(Cover.CONIFER)
    assert rate(Cover.WETLAND, deep=0.2) > 2 * rate(Cover.WETLAND, deep=0.9)
    assert rate(Cover.SCAR, regrowth=0.2) < rate(Cover.SCAR, regrowth=1.0)
    assert rate(Cover.HARVEST) > rate(Cover.SCAR)


def test_grass_carries_fire_from_half_cured_on() -> None:
    assert cured_share(0.3) < 0.01
    assert cured_share(1.0) == pytest.approx(1.0, abs=0.02)
    assert cured_share.py_func(0.7) == pytest.approx(cured_share(0.7))


def test_a_fresh_scar_carries_no_fire(small_world: World) -> None:
    setting = small_world.seasons[0].setting
    rates = potential_rate(setting.landscape, on(small_world, 190), 2023)
    assert (rates[setting.landscape.burn_year >= 2021] == 0).all()
    assert (rates[setting.landscape.cover == Cover.CONIFER].mean()) > 20


def test_years_flush_and_cure_at_other_dates(small_world: World) -> None:
    from firesat.sandbox.law.years import make_setting

    place, land = small_world.place, small_world.landscape
    plants = [
        make_setting(small_world.config, place, land, year).phenology for year in (2021, 2022)
    ]
    assert abs(plants[0].greenup.mean() - plants[1].greenup.mean()) > 0.5
    pattern = np.corrcoef(plants[0].curing.ravel(), plants[1].curing.ravel())[0, 1]
    assert abs(pattern) < 0.7
