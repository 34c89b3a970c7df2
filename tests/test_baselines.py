"""Baselines find again what made the data."""

import numpy as np
import pytest
from scipy.special import expit

from firesat.baselines import (
    Climatology,
    FireWeather,
    Persistence,
    Rows,
    fit_logistic,
    keep,
    nearest_fire,
)
from firesat.errors import SampleError

DAY = np.datetime64("2022-07-01")
WEEK = np.timedelta64(8, "D")


def rows(n: int, rng: np.random.Generator, **columns: np.ndarray) -> Rows:
    made = {
        "distance": rng.uniform(0, 50, n),
        "age": rng.integers(1, 10, n).astype(float),
        "fwi": rng.gamma(2.0, 6.0, n),
        "fuel": rng.integers(1, 4, n),
        "burned": np.zeros(n, bool),
        "weight": np.ones(n),
    }
    return Rows(**{**made, **columns})


# ---- logistic regression --------------------------------------------------------------------


def test_newton_finds_the_coefficients_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, (40_000, 2))
    burned = rng.random(len(x)) < expit(-4.0 + 0.8 * x[:, 0] - 0.5 * x[:, 1])
    model = fit_logistic(x, burned, np.ones(len(x)), ridge=1e-6)
    slopes = model.coefficients[1:] / model.scale
    assert slopes == pytest.approx([0.8, -0.5], abs=0.05)
    assert model.coefficients[0] - slopes @ model.centre == pytest.approx(-4.0, abs=0.15)


def test_fitted_probabilities_sum_to_the_events_whatever_the_ridge() -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(5000, 3)), rng.uniform(1, 50, 5000)
    burned = rng.random(5000) < expit(-5 + x[:, 0])
    for ridge in (0.1, 1e6):
        fitted = fit_logistic(x, burned, weight, ridge).predict(x)
        assert weight @ fitted == pytest.approx(weight @ burned, rel=1e-5)


def test_a_strong_ridge_leaves_only_the_rate() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 2))
    burned = rng.random(4000) < expit(-3 + 2 * x[:, 0])
    fitted = fit_logistic(x, burned, np.ones(4000), ridge=1e9).predict(x)
    assert fitted == pytest.approx(np.full(4000, burned.mean()), rel=1e-3)


def test_separable_data_do_not_run_away() -> None:
    x = np.linspace(-1, 1, 200)[:, None]
    model = fit_logistic(x, x[:, 0] > 0, np.ones(200), ridge=1.0)
    assert np.isfinite(model.coefficients).all()
    assert 0.95 < model.predict(np.array([[1.0]]))[0] <= 0.99


@pytest.mark.parametrize(("burned", "word"), [(False, "nothing"), (True, "everything")])
def test_one_outcome_alone_cannot_be_fitted(burned: bool, word: str) -> None:
    with pytest.raises(SampleError, match=f"{word} burned"):
        fit_logistic(np.ones((10, 1)), np.full(10, burned), np.ones(10))


def test_sub_sampled_negatives_weighted_back_give_the_same_rates() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=300_000)
    burned = rng.random(len(x)) < expit(-6 + x)
    chosen, weight = keep(burned, 0.05, rng)
    assert burned[chosen].sum() == burned.sum()
    assert weight.sum() == pytest.approx(len(x), rel=0.02)
    whole = fit_logistic(x[:, None], burned, np.ones(len(x)))
    part = fit_logistic(x[chosen, None], burned[chosen], weight)
    at = np.array([[-1.0], [0.0], [2.0]])
    assert part.predict(at) == pytest.approx(whole.predict(at), rel=0.1)


# ---- persistence ----------------------------------------------------------------------------


def test_the_nearest_active_fire_gives_distance_and_age() -> None:
    latest = np.full((20, 30), np.inf)
    latest[5, 5], latest[5, 25], latest[18, 5] = 2.0, 7.0, 40.0
    distance, age = nearest_fire(latest, active_days=10)
    assert (distance[5, 5], age[5, 5]) == (0.0, 2.0)
    assert distance[5, 9] == pytest.approx(2.0)  # 4 cells of 500 m
    assert (distance[9, 25], age[9, 25]) == (pytest.approx(2.0), 7.0)
    assert age[18, 5] == 2.0  # an old hotspot is no active fire


def test_no_active_fire_is_far_away_and_old() -> None:
    distance, age = nearest_fire(np.full((4, 4), np.inf), active_days=10)
    assert (distance == 50.0).all()
    assert (age == 30.0).all()


def test_persistence_falls_with_distance_and_age_and_rises_with_fwi() -> None:
    rng = np.random.default_rng(4)
    made = rows(60_000, rng)
    logit = 1.0 - 2.0 * np.log(made.distance + 0.5) - 0.8 * np.log(made.age + 1)
    logit += 0.6 * np.log1p(made.fwi)
    burned = rng.random(len(logit)) < expit(logit)
    fitted = Persistence.fit(rows(60_000, rng, **{**made.__dict__, "burned": burned}))
    one = np.ones(3)
    by_distance = fitted.predict(np.array([0.5, 3.0, 20.0]), 2 * one, 15 * one)
    by_age = fitted.predict(one, np.array([1.0, 4.0, 9.0]), 15 * one)
    by_fwi = fitted.predict(one, 2 * one, np.array([2.0, 10.0, 40.0]))
    assert np.all(np.diff(by_distance) < 0)
    assert np.all(np.diff(by_age) < 0)
    assert np.all(np.diff(by_fwi) > 0)
    expected = expit(1.0 - 2.0 * np.log(1.5) - 0.8 * np.log(3) + 0.6 * np.log(16))
    assert by_age[0] > expected > by_age[1]


def test_unknown_fire_weather_gives_no_persistence() -> None:
    rng = np.random.default_rng(5)
    made = rows(500, rng, burned=rng.random(500) < 0.2)
    assert np.isnan(Persistence.fit(made).predict(np.ones(1), np.ones(1), np.array([np.nan])))[0]


# ---- fire weather by fuel -------------------------------------------------------------------


def test_each_fuel_has_its_own_line_and_a_new_one_the_common_line() -> None:
    rng = np.random.default_rng(6)
    made = rows(90_000, rng)
    level = np.array([0.0, -6.0, -4.0, -4.0])[made.fuel]
    slope = np.array([0.0, 0.2, 0.5, 1.5])[made.fuel]
    burned = rng.random(90_000) < expit(level + slope * np.log1p(made.fwi))
    fitted = FireWeather.fit(Rows(**{**made.__dict__, "burned": burned}), ridge=1.0)
    fwi = np.array([3.0, 30.0])
    for fuel in (1, 2, 3):
        inside = (made.fuel == fuel) & (np.abs(made.fwi - 10) < 3)
        rate = fitted.predict(made.fwi[inside], made.fuel[inside]).mean()
        assert rate == pytest.approx(burned[inside].mean(), rel=0.25, abs=1e-3)
    rise = [fitted.predict(fwi, np.full(2, fuel)) for fuel in (1, 2, 3, 99)]
    assert rise[2][1] / rise[2][0] > 3 * rise[0][1] / rise[0][0]
    assert rise[0][1] < rise[3][1] < rise[2][1]


def test_a_fuel_seen_twice_is_not_believed_to_be_special() -> None:
    rng = np.random.default_rng(7)
    fuel = np.full(20_000, 1)
    fuel[:2] = 2
    burned = rng.random(20_000) < 0.02
    burned[:2] = True
    made = rows(20_000, rng, fuel=fuel, burned=burned)
    fitted = FireWeather.fit(made)
    rare, common = (fitted.predict(np.array([10.0]), np.array([code]))[0] for code in (2, 1))
    assert common < rare < 0.5


def test_rows_without_fire_weather_are_left_out() -> None:
    rng = np.random.default_rng(8)
    part = rows(10, rng, fwi=np.where(np.arange(10) < 3, np.nan, 5.0))
    assert len(Rows.join([part, part]).fwi) == 14


# ---- climatology ----------------------------------------------------------------------------


def counted(kernel_km: float = 20.0, kernel_days: float = 15.0) -> Climatology:
    """A region of 12 x 12 coarse cells of 1 000 cells, of which the western half burns in July."""
    made = Climatology((12, 12), kernel_km=kernel_km, kernel_days=kernel_days)
    place = np.repeat(np.arange(144), 1000)
    west = place % 12 < 6
    fuel = np.tile([1, 2], len(place) // 2)
    for step in range(-6, 7):
        rate = 0.02 * west * (step in (-1, 0, 1)) * np.where(fuel == 2, 1.5, 0.5)
        burned = np.random.default_rng(step + 6).random(len(place)) < rate
        made.add(DAY + step * WEEK, place, fuel, burned)
    return made


def test_climatology_knows_place_and_season() -> None:
    made = counted()
    july, september = made.rate(DAY), made.rate(DAY + 7 * WEEK)
    assert july[6, 1] > 5 * july[6, 10]
    assert july[6, 1] > 5 * september[6, 1]
    assert made.rate(DAY + np.timedelta64(365, "D")) == pytest.approx(july, rel=0.05)


def test_climatology_of_wide_kernels_is_the_mean() -> None:
    made = counted(kernel_km=500.0, kernel_days=1000.0)
    burned = sum(part.sum() for part in made.burned.values())
    mean = burned / sum(part.sum() for part in made.seen.values())
    assert made.rate(DAY) == pytest.approx(np.full((12, 12), mean), rel=0.05)


def test_fuel_classes_multiply_the_usual_rate() -> None:
    low, high = (counted().factors()[code] for code in (1, 2))
    assert (low, high) == (pytest.approx(0.5, abs=0.1), pytest.approx(1.5, abs=0.1))


def test_climatology_of_its_own_days_expects_what_burned() -> None:
    made = counted()
    position = np.arange(12.0)
    expected = 0.0
    for day in made.seen:
        for code in (1, 2):
            fuel = np.full((12, 12), code)
            expected += 500 * made.predict(day, position, position, fuel).sum()
    assert expected == pytest.approx(sum(part.sum() for part in made.burned.values()), rel=0.05)


def test_maps_are_interpolated_between_coarse_cells() -> None:
    made = counted()
    fuel = np.full((1, 3), 99)  # a class never seen has factor 1
    left, between, right = made.predict(DAY, np.array([6.0]), np.array([5.0, 5.5, 6.0]), fuel)[0]
    assert between == pytest.approx((left + right) / 2)
    assert left == pytest.approx(made.rate(DAY)[6, 5])


def test_days_around_new_year_are_neighbours() -> None:
    made = Climatology((1, 1))
    place, burned = np.zeros(10_000, np.int64), np.arange(10_000) < 500
    made.add(np.datetime64("2021-12-30"), place, place, burned)
    made.add(np.datetime64("2021-06-30"), place, place, np.zeros(10_000, bool))
    january, june = (made.rate(np.datetime64(day))[0, 0] for day in ("2022-01-03", "2022-06-28"))
    assert january > 5 * june


def test_a_season_without_fire_has_no_climatology() -> None:
    made = Climatology((1, 1))
    place = np.zeros(100, np.int64)
    made.add(DAY, place, place, np.zeros(100, bool))
    with pytest.raises(SampleError, match="nothing burned"):
        made.rate(DAY)
