"""A world as a whole: repeatable, resumable, kept, and plausible."""

import ast
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from firesat.errors import ConfigError, CorruptFileError
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.law import clock
from firesat.sandbox.law import season as season_module
from firesat.sandbox.law.advance import advance, realise
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import create_landscape
from firesat.sandbox.law.noise import stream
from firesat.sandbox.law.season import Season
from firesat.sandbox.law.state import FIRES, State, first_state
from firesat.sandbox.law.weather import next_day
from firesat.sandbox.law.years import make_setting, scarred
from firesat.sandbox.world import World

TINY = WorldConfig(seed=3, region=(20_000.0, 630_000.0, 32_000.0, 642_000.0), seasons=(2021, 2022))


@pytest.fixture(scope="module")
def tiny() -> World:
    told: list[str] = []
    world = World.create(TINY, told.append)
    assert [words.split(": ")[0] for words in told] == ["sandbox"] * 3
    return world


@pytest.fixture(scope="module")
def season(small_world: World) -> Season:
    return small_world.seasons[0]


def busiest(season: Season) -> int:
    """The day with most burning cells."""
    return int(np.diff(season.active.offsets).argmax())


def assert_same_state(one: State, two: State) -> None:
    for field in fields(State):
        if field.name not in ("setting", "sky", "fires"):
            left, right = getattr(one, field.name), getattr(two, field.name)
            np.testing.assert_array_equal(left, right, err_msg=field.name)
    for name in FIRES.names:
        np.testing.assert_array_equal(one.fires[name], two.fires[name], err_msg=name)
    for name in ("slow", "fronts", "eddies"):
        np.testing.assert_array_equal(getattr(one.sky, name), getattr(two.sky, name))


def test_the_same_settings_give_the_same_world(tiny: World) -> None:
    again = World.create(replace(TINY, seasons=(2021,)))
    one, two = tiny.seasons[0], again.seasons[0]
    np.testing.assert_array_equal(one.burn_hour, two.burn_hour)
    np.testing.assert_array_equal(one.moisture, two.moisture)
    np.testing.assert_array_equal(one.records, two.records)
    np.testing.assert_array_equal(one.weather["rain"], two.weather["rain"])


def test_another_seed_gives_another_world(tiny: World) -> None:
    other = create_landscape(tiny.place, TINY.seed + 1, 2021)
    assert (other.cover != tiny.landscape.cover).mean() > 0.3
    setting = make_setting(replace(TINY, seed=TINY.seed + 1), tiny.place, other, 2021)
    assert setting.air.climate != tiny.seasons[0].setting.air.climate
    _, weather = realise(first_state(setting))
    assert not np.array_equal(weather.temperature, tiny.seasons[0].weather_day(0).temperature)


def test_a_saved_state_goes_on_as_history_did(season: Season) -> None:
    first = max(busiest(season) - 3, 0)
    state = season.state(first)
    assert len(state.active)
    for day in range(first + 1, first + 7):
        state, weather = realise(state)
        assert_same_state(state, season.state(day))
        np.testing.assert_array_equal(weather.rain, season.weather_day(day - 1).rain)


def test_given_weather_and_randomness_decide_a_day(season: Season) -> None:
    state, weather = season.state(busiest(season)), season.weather_day(busiest(season))
    before = state.burn_hour.copy()
    one, two, other = (advance(state, weather, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert_same_state(one, two)
    assert not np.array_equal(one.burn_hour, other.burn_hour, equal_nan=True)
    np.testing.assert_array_equal(state.burn_hour, before)


def test_fresh_weather_gives_another_future(season: Season) -> None:
    day = busiest(season)
    state = season.state(day)
    drawn = next_day(state.setting.air, state.sky, state.hour, np.random.default_rng(99))
    assert not np.array_equal(drawn.temperature, season.weather_day(day).temperature)
    after = advance(state, drawn, np.random.default_rng(1))
    assert after.hour == state.hour + 24
    assert np.isfinite(after.burn_hour).sum() >= np.isfinite(state.burn_hour).sum()


def test_rain_of_a_day_stops_all_spread(season: Season) -> None:
    day = busiest(season)
    state, weather = season.state(day), season.weather_day(day)
    soaked = replace(weather, rain=np.full_like(weather.rain, 3.0))
    dry = replace(weather, rain=np.zeros_like(weather.rain))
    counts = [
        np.isfinite(advance(state, given, np.random.default_rng(1)).burn_hour).sum()
        - np.isfinite(state.burn_hour).sum()
        for given in (soaked, dry)
    ]
    assert counts[0] == 0
    assert counts[1] > 0
    left = [len(advance(state, given, np.random.default_rng(1)).active) for given in (soaked, dry)]
    assert left[0] < 0.2 * left[1]


def test_burnt_cells_were_reached_from_earlier_ones_of_their_fire(season: Season) -> None:
    starts = dict(zip(season.records["id"], season.records["cell"], strict=True))
    burnt = np.argwhere(season.fire_id > 0)
    assert len(burnt) > 200
    hours = np.pad(season.burn_hour, 2, constant_values=np.nan)
    fires = np.pad(season.fire_id, 2)
    columns = season.fire_id.shape[1]
    begun = 0
    for row, column in burnt:
        here = np.s_[row : row + 5, column : column + 5]
        fire = season.fire_id[row, column]
        if starts[fire] == row * columns + column:
            begun += 1
            continue
        same = fires[here] == fire
        assert (hours[here][same] < season.burn_hour[row, column]).any()
    assert begun == len(np.unique(season.fire_id[season.fire_id > 0]))


def test_no_fire_burns_water_or_begins_outside_the_season(small_world: World) -> None:
    season = small_world.seasons[0]
    dead = np.isin(season.setting.landscape.cover, (Cover.WATER, Cover.ROCK, Cover.BUILT))
    assert not (season.fire_id[dead] > 0).any()
    fires = season.fires
    assert (fires["start"] >= pd.Timestamp("2023-05-01T12:00Z")).all()
    assert (fires["start"] < pd.Timestamp("2023-10-02T12:00Z")).all()
    assert (fires["end"] > fires["start"]).all()
    assert np.nanmin(season.burn_hour) >= 12


def test_large_fires_are_no_rectangles_and_take_days(season: Season) -> None:
    largest = int(season.fires.sort_values("cells")["id"].iloc[-1])
    shape = season.fire_id == largest
    rows, columns = np.nonzero(shape)
    assert len(rows) > 150
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert len(rows) < 0.8 * box
    edges = sum(np.abs(np.diff(shape.astype(int), axis=axis)).sum() for axis in (0, 1))
    circle = 4 / np.pi * 2 * np.sqrt(np.pi * len(rows))  # a digital disc's edges
    assert edges > 1.3 * circle  # a ragged outline
    assert 0.6 < np.abs(np.diff(shape.astype(int), axis=0)).sum() / (edges / 2) < 1.4
    days = np.floor((season.burn_hour[shape] - 12) / 24)
    assert len(np.unique(days)) >= 3


def test_most_fires_are_small_and_few_hold_the_area(small_world: World) -> None:
    fires = small_world.seasons[0].fires.query("cells > 0")
    assert len(fires) > 15
    assert (fires["area_ha"] < 50).mean() > 0.6
    assert fires["area_ha"].nlargest(3).sum() > 0.6 * fires["area_ha"].sum()
    assert set(small_world.seasons[0].fires["cause"]) == {"lightning", "human"}


def test_no_activity_means_no_fire(tiny: World) -> None:
    setting = make_setting(replace(TINY, fire_activity=0.0), tiny.place, tiny.landscape, 2021)
    quiet = season_module.simulate_season(setting)
    assert len(quiet.fires) == 0
    assert np.isnan(quiet.burn_hour).all()


def test_scars_lie_in_the_next_years_land(small_world: World) -> None:
    season = small_world.seasons[0]
    after = scarred(small_world.landscape, season)
    burnt = season.fire_id > 0
    assert (after.burn_year[burnt] == 2023).all()
    forest = burnt & (small_world.landscape.cover == Cover.CONIFER)
    assert (after.cover[forest] == Cover.SCAR).all()
    np.testing.assert_array_equal(after.fuel_map, small_world.landscape.fuel_map)
    np.testing.assert_array_equal(after.cover[~burnt], small_world.landscape.cover[~burnt])


def test_the_summary_adds_up(small_world: World) -> None:
    row = small_world.summary().loc[2023]
    season = small_world.seasons[0]
    assert row["fires"] == len(season.fires)
    burnt = season.cell_hectares[season.fire_id > 0].sum()
    spots = season.fires.query("cells == 0")["area_ha"].sum()
    assert row["burned_ha"] == pytest.approx(burnt + spots)
    assert row["burned_fraction"] == pytest.approx(row["burned_ha"] / small_world.burnable)
    assert row["largest_ha"] == season.fires["area_ha"].max()


def test_a_world_is_read_back_as_it_was_saved(small_world: World, tmp_path: Path) -> None:
    small_world.save(tmp_path / "world.npz")
    again = World.load(tmp_path / "world.npz")
    assert again.config == small_world.config
    assert [path.name for path in tmp_path.iterdir()] == ["world.npz"]
    one, two = small_world.seasons[0], again.seasons[0]
    day = busiest(one)
    assert_same_state(one.state(day), two.state(day))
    assert_same_state(realise(two.state(day))[0], one.state(day + 1))
    pd.testing.assert_frame_equal(one.fires, two.fires)


def test_what_is_no_world_is_refused(tmp_path: Path, small_world: World) -> None:
    broken = tmp_path / "world.npz"
    broken.write_bytes(b"<html>")
    with pytest.raises(CorruptFileError, match=r"delete it"):
        World.load(broken)
    np.savez(broken, config=np.array("{}"))
    with pytest.raises(CorruptFileError, match=r"not a world of this version"):
        World.load(broken)
    with pytest.raises(ConfigError, match=r"\.npz"):
        small_world.save(tmp_path / "world.zip")


def test_years_that_were_not_made_are_named(small_world: World) -> None:
    with pytest.raises(ConfigError, match=r"no 1999: its seasons are \(2023,\)"):
        small_world.season(1999)
    assert small_world.nearest_season(1999).year == 2023


def test_days_and_hours_fit_together() -> None:
    moment = clock.from_hours(2023, clock.FIRST_HOUR)
    assert moment.isoformat() == "2023-03-31T12:00:00+00:00"
    assert clock.to_hours(moment) == clock.FIRST_HOUR
    assert clock.from_hours(2023, clock.LAST_HOUR).isoformat() == "2023-11-01T12:00:00+00:00"
    assert clock.day_index(moment.date()) == 0
    assert clock.day_index(clock.from_hours(2023, clock.LAST_HOUR).date()) == clock.DAYS - 1
    assert stream(1, 2, 3).random() != stream(1, 2, 4).random()


def test_the_law_knows_no_fire_weather_index() -> None:
    law = Path(season_module.__file__).parent
    names = []
    for path in law.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
    assert len(names) > 100
    assert not [name for name in names if "fwi" in name]
