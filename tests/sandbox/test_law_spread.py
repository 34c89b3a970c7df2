"""Spread on made-up ground: wind, slope, rain, streams, directions."""

import numpy as np
import pytest

from firesat.sandbox.law.spread import (
    Burn,
    Fuelbed,
    Push,
    Starts,
    damping,
    edge_rate,
    has_fuel_around,
    spread_day,
    wind_shape,
)

SIZE = 100
MIDDLE = SIZE // 2
NOON = 12.0  # a day's first hour


def bed(rate: float = 400.0) -> Fuelbed:
    even = np.ones((SIZE, SIZE), dtype=np.float32)
    return Fuelbed(rate=rate * even, elevation=0 * even, site=0.5 * even)


def push(u: float = 0.0, v: float = 0.0, litter: float = 8.0) -> Push:
    shape = (24, SIZE // 10, SIZE // 10)
    head, squeeze = wind_shape(np.float32(u), np.float32(v))
    speed = max(np.hypot(u, v), 1e-3)
    even = np.ones(shape, dtype=np.float32)
    damp = damping(np.full((24, 3, *shape[1:]), litter, dtype=np.float32))
    return Push(
        damp=damp,
        head=head * even,
        squeeze=squeeze * even,
        east=np.float32(u / speed) * even,
        north=np.float32(v / speed) * even,
    )


def burn(control: float = np.inf) -> Burn:
    return Burn(
        hour=np.full((SIZE, SIZE), np.nan, dtype=np.float32),
        fire=np.zeros((SIZE, SIZE), dtype=np.int32),
        progress=np.zeros((SIZE * SIZE, 16), dtype=np.float32),
        pace=np.zeros((SIZE * SIZE, 16), dtype=np.float32),
        active=np.zeros(SIZE * SIZE, dtype=np.int64),
        speed=np.ones(2, dtype=np.float32),
        control=np.array([np.inf, control]),
    )


def starts(hour: float = NOON + 0.5, row: int = MIDDLE, column: int = MIDDLE) -> Starts:
    return Starts(hour=np.array([hour]), cell=np.array([row * SIZE + column]), fire=np.array([1]))


def run(ground: Fuelbed, wind: Push, fires: Burn | None = None, **start: float) -> np.ndarray:
    """Hours at which cells burnt."""
    fires = fires or burn()
    spread_day(ground, wind, fires, starts(**start), NOON, 0)
    return fires.hour


def extent(hours: np.ndarray) -> tuple[int, int, int, int]:
    """Cells burnt to the north, south, west and east of the start."""
    rows, columns = np.nonzero(~np.isnan(hours))
    return (
        MIDDLE - rows.min(),
        rows.max() - MIDDLE,
        MIDDLE - columns.min(),
        columns.max() - MIDDLE,
    )


@pytest.mark.parametrize(
    ("u", "v", "longest"), [(6.0, 0.0, 3), (-6.0, 0.0, 2), (0.0, 6.0, 0), (0.0, -6.0, 1)]
)
def test_fire_runs_with_the_wind(u: float, v: float, longest: int) -> None:
    reach = extent(run(bed(60.0), push(u, v)))
    backing = reach[longest ^ 1]
    assert reach[longest] == max(reach)
    assert reach[longest] > 3 * backing


def test_fire_without_wind_spreads_evenly_in_all_directions() -> None:
    hours = run(bed(), push())
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = 100 * np.hypot(rows - MIDDLE, columns - MIDDLE)
    away = (distance > 800) & (distance < 2500) & ~np.isnan(hours)
    rate = distance[away] / (hours[away] - NOON - 0.5)
    # 16 directions overrate the way by at most 1 / cos(13.3 degrees) = 2.8 %, and never underrate
    assert rate.max() / rate.min() < 1.04
    expected = 400 * float(damping(np.float32(8.0)))
    assert rate.max() == pytest.approx(expected, rel=0.02)


def test_hours_are_cut_without_losing_time() -> None:
    slow = run(bed(), push())[MIDDLE, MIDDLE : MIDDLE + 20]
    gaps = np.diff(slow)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-3)


def test_fire_climbs_faster_than_it_descends() -> None:
    flat = bed(100.0)
    slope = 20.0 * np.arange(SIZE, dtype=np.float32)[None, :] * np.ones((SIZE, 1), np.float32)
    *_, west, east = extent(run(flat._replace(elevation=slope), push()))
    assert east > 1.5 * west


def test_rain_stops_spread_and_fire_goes_on_after_it() -> None:
    wet = push()
    wet.head[3:9] = 0.0
    hours = run(bed(), wet)
    burnt = hours[~np.isnan(hours)]
    assert not ((burnt > NOON + 3) & (burnt < NOON + 9)).any()
    assert (burnt > NOON + 9).sum() > (burnt < NOON + 3).sum()


def test_wet_litter_stops_spread() -> None:
    assert (~np.isnan(run(bed(), push(litter=26.0)))).sum() == 1
    assert (~np.isnan(run(bed(), push(litter=6.0)))).sum() > 1000


def test_a_river_stops_fire_and_a_gap_in_it_does_not() -> None:
    river = bed()
    river.rate[:, MIDDLE + 5] = 0.0
    hours = run(river, push(4.0))
    assert np.isnan(hours[:, MIDDLE + 6 :]).all()
    river.rate[MIDDLE, MIDDLE + 5] = 400.0
    assert (~np.isnan(run(river, push(4.0))[:, MIDDLE + 6 :])).sum() > 50


def test_a_thin_diagonal_stream_is_not_leapt() -> None:
    stream = bed()
    along = np.arange(SIZE - 6)
    stream.rate[along, along + 6] = 0.0
    stream.rate[along, along + 5] = 0.0
    hours = run(stream, push())
    rows, columns = np.mgrid[:SIZE, :SIZE]
    beyond = (columns > rows + 6) & (rows < SIZE - 12)
    assert np.isnan(hours[beyond]).all()


def test_a_controlled_fire_stands_still() -> None:
    hours = run(bed(), push(), burn(control=NOON + 4))
    assert np.nanmax(hours) <= NOON + 4
    assert (~np.isnan(hours)).sum() > 5


def test_every_burnt_cell_was_reached_from_an_earlier_one() -> None:
    rng = np.random.default_rng(1)
    rough = bed()
    rough.rate[:] *= rng.lognormal(0, 0.6, rough.rate.shape).astype(np.float32)
    rough.rate[rng.random(rough.rate.shape) < 0.2] = 0
    hours = run(rough, push(3.0, 2.0))
    rows, columns = np.nonzero(~np.isnan(hours))
    assert len(rows) > 500
    padded = np.pad(hours, 2, constant_values=np.nan)
    for row, column in zip(rows, columns, strict=True):
        if (row, column) != (MIDDLE, MIDDLE):
            around = padded[row : row + 5, column : column + 5]
            assert np.nanmin(around) < hours[row, column]


def test_the_compiled_rate_is_the_written_one() -> None:
    ground, wind, fires = bed(), push(3.0, -2.0), burn()
    spread_day(ground, wind, fires, starts(), NOON, 0)
    cell = int(fires.active[200])
    for edge in range(16):
        compiled = edge_rate(ground, wind, fires, cell, edge, NOON + 5)
        written = edge_rate.py_func(ground, wind, fires, cell, edge, NOON + 5)
        assert compiled == pytest.approx(written, rel=1e-4)


def test_cells_that_burn_forget_nothing_between_days() -> None:
    whole, halves = burn(), burn()
    quick = bed(150.0)
    spread_day(quick, push(), whole, starts(), NOON, 0)
    first = push()
    half = Push(*(np.ascontiguousarray(field[:12]) for field in first))
    count = spread_day(quick, half, halves, starts(), NOON, 0)
    # the second half of the day, with the cells that were burning
    late = Starts(*(np.empty(0, dtype=field.dtype) for field in starts()))
    spread_day(quick, half, halves, late, NOON + 12, count)
    np.testing.assert_allclose(whole.hour, halves.hour, rtol=1e-6)


def test_cells_in_the_middle_of_a_scar_have_nothing_left() -> None:
    fires = burn()
    fires.hour[40:60, 40:60] = NOON
    inside, edge = 50 * SIZE + 50, 40 * SIZE + 50
    assert has_fuel_around(bed(), fires, np.array([inside, edge])).tolist() == [False, True]
    assert has_fuel_around.py_func(bed(), fires, np.array([0])).tolist() == [True]
