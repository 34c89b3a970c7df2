"""Fire seasons: when they start and end, and what the winter leaves of the drought."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firesat import fwi
from firesat.errors import ConfigError
from firesat.fwi.season import IN, OUT, STARTS

LA08 = fwi.Season(method="LA08")
Phases = NDArray[np.uint8]


def days(first: str, count: int) -> NDArray[np.datetime64]:
    return np.datetime64(first, "D") + np.arange(count)


def months(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return np.asarray(dates.astype("datetime64[M]").astype(int) % 12 + 1)


def by_temperature(tmax: list[float], month: int = 5, **thresholds: float) -> list[int]:
    found, _ = fwi.phases(
        fwi.SeasonState(), tmax=tmax, month=[month] * len(tmax), rule=fwi.Season(**thresholds)
    )
    return found.tolist()


def by_snow(snow: list[float], tmax: list[float] | None = None, month: int = 5) -> list[int]:
    heat = tmax or [20.0] * len(snow)
    found, _ = fwi.phases(
        fwi.SeasonState(), tmax=heat, month=[month] * len(snow), snow_depth=snow, rule=LA08
    )
    return found.tolist()


# By temperature -----------------------------------------------------------------------------------


def test_a_season_starts_after_three_days_above_12_degrees() -> None:
    assert by_temperature([12.1] * 3 + [0.0]) == [OUT, OUT, OUT, STARTS]
    assert by_temperature([12.1, 12.0, 12.1, 12.1, 12.1, 0.0])[-2:] == [OUT, STARTS]


def test_a_season_ends_with_the_day_after_three_below_5_degrees() -> None:
    found = by_temperature([20.0] * 4 + [4.9] * 3 + [20.0, 20.0])
    assert found == [OUT] * 3 + [STARTS] + [IN] * 4 + [OUT]
    assert by_temperature([20.0] * 4 + [4.9, 5.0, 4.9, 4.9, 20.0, 20.0])[4:] == [IN] * 6


def test_other_thresholds_move_both_ends() -> None:
    assert by_temperature([8.0] * 4, start=7.0) == [OUT, OUT, OUT, STARTS]
    assert by_temperature([20.0] * 4 + [8.0] * 4, end=9.0)[4:] == [IN, IN, IN, IN]
    assert by_temperature([20.0] * 4 + [8.0] * 5, end=9.0)[-1] == OUT


def test_a_day_of_unknown_temperature_breaks_the_row() -> None:
    nan = float("nan")
    assert STARTS not in by_temperature([20.0, 20.0, nan, 20.0, 20.0, 20.0])
    assert by_temperature([20.0, 20.0, nan, 20.0, 20.0, 20.0, 20.0])[-1] == STARTS
    assert by_temperature([20.0] * 4 + [0.0, 0.0, nan, 0.0, 0.0, 0.0])[4:] == [IN] * 6


def test_a_season_does_not_outlast_a_long_gap() -> None:
    nan = float("nan")
    open_still = by_temperature([20.0] * 4 + [nan] * fwi.LONGEST_GAP + [20.0] * 4)
    assert open_still[4:] == [IN] * (fwi.LONGEST_GAP + 4)
    closed = by_temperature([20.0] * 4 + [nan] * (fwi.LONGEST_GAP + 1) + [20.0] * 4)
    assert closed[-5:] == [OUT, OUT, OUT, OUT, STARTS]


# By snow ------------------------------------------------------------------------------------------


def test_a_season_starts_on_the_third_day_without_snow() -> None:
    assert by_snow([5.0, 0.0, 0.0, 0.0, 0.0]) == [OUT, OUT, OUT, STARTS, IN]


def test_nothing_is_decided_before_the_fourth_day() -> None:
    assert by_snow([0.0] * 5) == [OUT, OUT, OUT, STARTS, IN]


def test_a_season_ends_with_the_first_snow() -> None:
    assert by_snow([0.0] * 5 + [0.5, 0.0, 0.0, 0.0])[5:] == [IN, OUT, OUT, STARTS]


def test_frost_ends_a_season_in_december_only() -> None:
    frost = [20.0] * 5 + [0.0] * 3 + [20.0]
    assert by_snow([0.0] * 9, frost, month=12)[5:] == [IN, IN, IN, STARTS]
    assert by_snow([0.0] * 9, frost, month=11)[5:] == [IN] * 4


def test_a_season_that_would_end_on_its_first_day_does_not_start() -> None:
    assert by_snow([0.0] * 8, [0.0] * 8, month=12) == [OUT] * 8


def test_snow_must_be_known_where_it_decides() -> None:
    with pytest.raises(ConfigError, match="give snow_depth"):
        fwi.phases(fwi.SeasonState(), tmax=[20.0], month=[5], rule=LA08)


# Dates --------------------------------------------------------------------------------------------


def test_dates_are_those_of_the_first_and_the_last_day() -> None:
    found = fwi.fire_season(days("2021-04-28", 9), tmax=[20.0] * 4 + [0.0] * 4 + [20.0])
    assert [(str(date), kind) for date, kind in found] == [
        ("2021-05-01", "start"),
        ("2021-05-05", "end"),
    ]


def test_a_season_open_to_the_last_day_has_no_end() -> None:
    found = fwi.fire_season(days("2021-05-01", 10), tmax=[20.0] * 10)
    assert found == [(np.datetime64("2021-05-04"), "start")]
    ending = fwi.fire_season(days("2021-05-01", 8), tmax=[20.0] * 4 + [0.0] * 4)
    assert ending[-1] == (np.datetime64("2021-05-08"), "end")


def test_a_season_that_starts_again_on_the_day_after_its_end_is_two() -> None:
    dates = days("2021-11-20", 16)
    heat = [20.0] * 10 + [20.0, 0.0, 0.0, 0.0, 20.0, 20.0]
    found = fwi.fire_season(dates, tmax=heat, snow_depth=[0.0] * 16, rule=LA08)
    assert [(str(date)[5:], kind) for date, kind in found] == [
        ("11-23", "start"),
        ("12-03", "end"),
        ("12-04", "start"),
    ]


def test_a_start_on_4_january_is_one_on_new_year_unless_seasons_span_years() -> None:
    warm = {"tmax": [20.0] * 6}
    assert fwi.fire_season(days("2021-01-01", 6), **warm)[0][0] == np.datetime64("2021-01-01")
    spanning = fwi.fire_season(days("2021-01-01", 6), **warm, multi_year=True)
    assert spanning[0][0] == np.datetime64("2021-01-04")


# Codes over the winter ----------------------------------------------------------------------------

SUMMER = {"temp": 22.0, "rh": 35.0, "ws": 12.0, "prec": 0.0}


def year(rain: list[float], summer: int = 20) -> tuple[dict[str, Any], Phases]:
    """A dry summer, a winter of the given rain, and one day of the next summer."""
    count = summer + len(rain) + 1
    weather = {name: np.full(count, value) for name, value in SUMMER.items()}
    weather["prec"][summer:-1] = rain
    phase = np.array([STARTS, *[IN] * (summer - 1), *[OUT] * len(rain), STARTS], dtype="uint8")
    return {**weather, "month": np.full(count, 7)}, phase


def next_day(code: float) -> float:
    return float(fwi.dc(code, temp=22.0, prec=0.0, month=7))


def test_winter_rain_sets_the_drought_code_of_spring() -> None:
    weather, phase = year([20.0, 0.0, 30.0, -0.01])
    rules = fwi.Rules(overwinter=True, carry_over=0.9, wetting=0.6)
    codes, _ = fwi.series(fwi.start(), **weather, season=phase, rules=rules)
    # 800 a exp(-DC/400) + 3.94 b r, by hand
    water = 0.9 * 800 * np.exp(-codes.dc[19] / 400) + 3.94 * 0.6 * 50.0
    assert codes.dc[-1] == pytest.approx(next_day(400 * np.log(800 / water)), rel=1e-12)
    assert codes.dmc[-1] == pytest.approx(codes.dmc[0])  # only DC remembers
    assert np.isnan(codes.ffmc[20:24]).all()


def test_a_wet_winter_starts_from_15() -> None:
    weather, phase = year([400.0])
    codes, _ = fwi.series(fwi.start(), **weather, season=phase, rules=fwi.Rules(overwinter=True))
    assert codes.dc[-1] == pytest.approx(next_day(15.0), rel=1e-12)


def test_without_overwintering_every_season_starts_alike() -> None:
    weather, phase = year([1.0])
    codes, _ = fwi.series(fwi.start(), **weather, season=phase)
    assert codes.dc[-1] == codes.dc[0] == pytest.approx(next_day(15.0), rel=1e-12)


def test_a_winter_day_of_unknown_rain_leaves_the_standard_start() -> None:
    weather, phase = year([1.0, np.nan, 1.0])
    codes, _ = fwi.series(fwi.start(), **weather, season=phase, rules=fwi.Rules(overwinter=True))
    assert codes.dc[-1] == pytest.approx(next_day(15.0), rel=1e-12)


def test_a_first_season_has_no_winter_behind_it() -> None:
    weather, phase = year([0.0] * 5, summer=1)
    later = {name: values[1:] for name, values in weather.items()}
    codes, _ = fwi.series(fwi.start(), **later, season=phase[1:], rules=fwi.Rules(overwinter=True))
    assert codes.dc[-1] == pytest.approx(next_day(15.0), rel=1e-12)


def test_a_known_autumn_can_be_given() -> None:
    autumn = fwi.State(
        ffmc=np.array(85.0), dmc=np.array(6.0), dc=np.array(500.0), winter_rain=np.array(100.0)
    )
    weather = {name: np.array([value]) for name, value in SUMMER.items()}
    codes, after = fwi.series(
        autumn, **weather, month=[7], season=[True], rules=fwi.Rules(overwinter=True)
    )
    assert codes.dc[0] == pytest.approx(next_day(float(fwi.overwinter_dc(500.0, 100.0))), rel=1e-12)
    assert after.in_season
    assert np.isnan(after.winter_rain)


def test_a_season_without_weather_on_its_first_day_starts_with_the_second() -> None:
    weather, phase = year([], summer=3)
    weather["rh"][0] = np.nan
    codes, _ = fwi.series(fwi.start(), **weather, season=phase)
    assert np.isnan(codes.dc[0])
    assert codes.dc[1] == pytest.approx(next_day(15.0), rel=1e-12)


def test_two_years_stopped_on_any_day_are_the_same_two_years() -> None:
    rng = np.random.default_rng(0)
    dates = days("2019-01-01", 730)
    wave = 8 - 18 * np.cos(2 * np.pi * np.arange(730) / 365.25)
    weather = {
        "temp": wave[:, None] + rng.normal(0, 4, (730, 3)) + [0.0, 4.0, -6.0],
        "rh": rng.uniform(20, 100, (730, 3)),
        "ws": rng.gamma(2, 6, (730, 3)),
        "prec": np.where(rng.random((730, 3)) < 0.2, rng.gamma(1, 5, (730, 3)), 0.0),
    }
    weather["temp"][rng.random((730, 3)) < 0.01] = np.nan
    snow = np.where(wave[:, None] < 0, 10.0, 0.0) * np.ones(3)
    rules = fwi.Rules(overwinter=True)

    def run(carried: tuple[fwi.SeasonState, fwi.State], part: slice, rule: fwi.Season) -> Any:
        here = {name: values[part] for name, values in weather.items()}
        month = months(dates[part])
        phase, season = fwi.phases(
            carried[0], tmax=here["temp"] + 2, month=month, snow_depth=snow[part], rule=rule
        )
        codes, state = fwi.series(carried[1], **here, month=month, season=phase, rules=rules)
        return np.stack(list(vars(codes).values())), (season, state)

    for rule in (fwi.Season(), LA08):
        fresh = (fwi.SeasonState(), fwi.start((3,)))
        whole, (season, state) = run(fresh, slice(None), rule)
        open_days = ~np.isnan(whole[0])
        assert 300 < open_days[:, 0].sum() < 500
        for split in range(1, 730, 41):
            head, carried = run(fresh, slice(split), rule)
            tail, (last_season, last) = run(carried, slice(split, None), rule)
            assert np.concatenate([head, tail], axis=1).tobytes() == whole.tobytes(), split
            for found, wanted in ((last, state), (last_season, season)):
                for name, values in vars(wanted).items():
                    assert getattr(found, name).tobytes() == values.tobytes(), (split, name)
