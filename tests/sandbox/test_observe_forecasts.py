"""What the sandbox's forecasts know of the future, and what they do not."""

import numpy as np
import pytest

from firesat.errors import ConfigError
from firesat.sandbox.observe import era5, forecasts
from firesat.sandbox.world import World

LATITUDES = np.array([55.0, 54.9, 54.8])
LONGITUDES = np.array([-94.8, -94.7, -94.6, -94.5])
PLACES = (LATITUDES, LONGITUDES)
RUNS = np.datetime64("2023-05-20T00", "h") + np.arange(0, 118 * 24, 120) * np.timedelta64(1, "h")
LEADS = np.arange(0, 241, 3)
HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def runs(small_world: World) -> dict[str, np.ndarray]:
    """Forecast and truth of the noon temperature by run and lead day, and rain sums."""
    made = {name: [] for name in ("forecast", "truth", "rain", "fell")}
    for run in RUNS:
        found = forecasts.forecast(small_world, "gdps", run, LEADS, PLACES)
        valid = run + LEADS * HOUR
        truth = era5.hours(small_world, ["t2m", "tp"], valid, *PLACES)
        noon = (LEADS % 24 == 18) & (LEADS < 240)
        made["forecast"].append(found["t2m"][noon].mean((1, 2)))
        made["truth"].append(truth["t2m"][noon].mean((1, 2)))
        daily = np.diff(found["tp"][LEADS % 24 == 0], axis=0)
        made["rain"].append(daily.mean((1, 2)))
        made["fell"].append(1000 * truth["tp"][(LEADS % 24 == 0) & (LEADS > 0)].mean((1, 2)))
    return {name: np.array(values) for name, values in made.items()}


def test_errors_grow_with_the_lead(runs: dict[str, np.ndarray]) -> None:
    skill = forecasts.SKILLS["gdps"]
    error = (runs["forecast"] - skill.warm - runs["truth"]).std(axis=0)
    assert error[0] < 0.6
    assert error[0] < error[3] < error[6]
    assert error[8] > 5 * error[0]
    wet = np.corrcoef(runs["rain"][:, 0], runs["fell"][:, 0])[0, 1]
    late = np.corrcoef(runs["rain"][:, 8], runs["fell"][:, 8])[0, 1]
    assert wet > 0.9
    assert late < wet - 0.2


def test_steady_errors_are_the_models_own(runs: dict[str, np.ndarray]) -> None:
    skill = forecasts.SKILLS["gdps"]
    difference = (runs["forecast"] - runs["truth"])[:, :2].mean()
    assert difference == pytest.approx(skill.warm, abs=0.35)
    assert runs["rain"][:, 0].sum() / runs["fell"][:, 0].sum() == pytest.approx(skill.wet, rel=0.1)


def test_what_is_left_of_the_future_is_all_that_a_forecast_knows_of_it(small_world: World) -> None:
    # Two truths that part after the run: forecasts differ by the share that is known, no more.
    run = RUNS[10]
    before = forecasts.forecast(small_world, "gdps", run, LEADS, PLACES)["t2m"]
    season = small_world.nearest_season(2023)
    index = era5._index(run + LEADS * HOUR, 2023)
    kept = season.weather["temperature"].copy()
    try:
        season.weather["temperature"][index[0] + 1 :] += 5
        after = forecasts.forecast(small_world, "gdps", run, LEADS, PLACES)["t2m"]
    finally:
        season.weather["temperature"][:] = kept
    share = forecasts.known_share(LEADS, "gdps")
    np.testing.assert_allclose((after - before).mean((1, 2))[1:], 5 * share[1:], atol=0.02)
    assert share[LEADS == 36] == pytest.approx(0.92, abs=0.01)
    assert share[LEADS == 216] == pytest.approx(0.3, abs=0.01)


def test_a_run_is_the_same_every_time_and_no_two_runs_are_wrong_alike(small_world: World) -> None:
    one, again = (
        forecasts.forecast(small_world, "gdps", RUNS[3], LEADS, PLACES)["t2m"] for _ in range(2)
    )
    np.testing.assert_array_equal(one, again)
    other = forecasts.forecast(small_world, "ecmwf", RUNS[3], LEADS, PLACES)["t2m"]
    assert np.abs(one - other)[-1].max() > 0.5
    days = {forecasts._days_back(small_world, "gdps", run) for run in RUNS}
    assert len(days) > 8


def test_errors_are_smooth_in_space_and_go_on_from_lead_to_lead(small_world: World) -> None:
    errors, steps, spread = [], [], []
    for run in RUNS:
        found = forecasts.forecast(small_world, "gdps", run, LEADS, PLACES)["t2m"]
        truth = era5.hours(small_world, ["t2m"], run + LEADS * HOUR, *PLACES)["t2m"]
        error = (found - truth)[LEADS >= 120]
        errors.append(error)
        steps.append(np.abs(np.diff(error, axis=0)).mean())
        spread.append(error.std(axis=(1, 2)).mean())
    overall = np.concatenate(errors).std()
    assert np.mean(steps) < 0.6 * overall
    assert np.mean(spread) < 0.5 * overall


def test_leads_that_models_do_not_have_are_refused(small_world: World) -> None:
    for leads in ([1], [-3], [387]):
        with pytest.raises(ConfigError, match="forecasts have no leads"):
            forecasts.forecast(small_world, "gdps", RUNS[0], np.array(leads), PLACES)
