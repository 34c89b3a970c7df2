"""Series of the Fire Weather Index System: compiled against read, any shape, resumed at any day."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firesat import fwi
from firesat.errors import ConfigError
from firesat.fwi import _arithmetic, days

CODES = ("ffmc", "dmc", "dc", "isi", "bui", "fwi", "dsr")
NOON = ("temp", "rh", "ws", "prec")
Floats = NDArray[np.float64]

# compiling takes longer than hypothesis lets an example take
unhurried = settings(deadline=None, max_examples=60)


def random_weather(shape: tuple[int, ...], seed: int = 0) -> dict[str, Floats]:
    """Noon weather of every kind, from frost to storm."""
    rng = np.random.default_rng(seed)
    return {
        "temp": rng.uniform(-20, 42, shape),
        "rh": rng.uniform(0, 104, shape),
        "ws": rng.gamma(2, 9, shape),
        "prec": np.where(rng.random(shape) < 0.4, rng.gamma(0.5, 12, shape), 0.0),
    }


def months(count: int, first: str = "2021-03-20") -> NDArray[np.int64]:
    dates = np.datetime64(first, "D") + np.arange(count)
    return np.asarray(dates.astype("datetime64[M]").astype(int) % 12 + 1)


def read(weather: dict[str, Floats], month: NDArray[np.int64], latitude: Floats) -> fwi.Codes:
    """A series by the equations of one code at a time."""
    state = fwi.start(weather["temp"].shape[1:])
    fine, duff, drought = state.ffmc, state.dmc, state.dc
    found: dict[str, list[Floats]] = {name: [] for name in CODES}
    for day, number in enumerate(month):
        temp, rh, ws, prec = (weather[name][day] for name in NOON)
        rh = np.where(rh >= 100.0, 99.9999, rh)
        place = {"month": int(number), "latitude": latitude}
        fine = fwi.ffmc(fine, temp=temp, rh=rh, ws=ws, prec=prec)
        duff = fwi.dmc(duff, temp=temp, rh=rh, prec=prec, **place)
        drought = fwi.dc(drought, temp=temp, prec=prec, **place)
        spread, buildup = fwi.isi(fine, ws), fwi.bui(duff, drought)
        index = fwi.fwi(spread, buildup)
        values = (fine, duff, drought, spread, buildup, index, fwi.dsr(index))
        for name, value in zip(CODES, values, strict=True):
            found[name].append(value)
    return fwi.Codes(**{name: np.stack(values) for name, values in found.items()})


def test_the_compiled_equations_are_the_written_ones() -> None:
    latitude = np.linspace(-60, 75, 700)
    weather, month = random_weather((200, 700)), months(200)
    compiled, _ = fwi.series(fwi.start((700,)), **weather, month=month, latitude=latitude)
    written = read(weather, month, latitude)
    for name in CODES:
        np.testing.assert_allclose(
            getattr(compiled, name), getattr(written, name), rtol=1e-11, atol=1e-11
        )


def compiled_on(function: Any, values: Floats) -> Floats:
    """An inlined function over an array."""

    @numba.njit
    def loop(values: Floats, out: Floats) -> None:
        for i in range(len(values)):
            out[i] = function(values[i])

    out = np.empty_like(values)
    loop(values, out)
    return out


def test_exponential_and_logarithm_are_right_to_two_units_of_the_last_digit() -> None:
    rng = np.random.default_rng(1)
    exponents = np.concatenate([rng.uniform(-690, 690, 20_000), rng.normal(0, 1, 20_000), [0.0]])
    found, wanted = compiled_on(_arithmetic.exp, exponents), np.exp(exponents)
    assert (np.abs(found - wanted) <= 2 * np.spacing(wanted)).all()
    numbers = np.concatenate([np.exp(exponents), 1 + rng.normal(0, 1e-6, 1000), [1.0]])
    found, wanted = compiled_on(_arithmetic.log, numbers), np.log(numbers)
    assert (np.abs(found - wanted) <= 2 * np.spacing(np.abs(wanted))).all()


def test_exponential_and_logarithm_end_well() -> None:
    edges = np.array([np.nan, -np.inf, -800.0])
    np.testing.assert_allclose(compiled_on(_arithmetic.exp, edges), [np.nan, 0, 0], atol=1e-300)
    edges = np.array([np.nan, -1.0, 0.0])
    np.testing.assert_array_equal(compiled_on(_arithmetic.log, edges), [np.nan, np.nan, -np.inf])


# Any shape ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [(), (1,), (127,), (128,), (129,), (3, 5), (2, 3, 4)])
def test_a_field_of_any_shape_gives_what_its_cells_give_alone(cells: tuple[int, ...]) -> None:
    weather, month = random_weather((9, *cells), seed=2), months(9)
    whole, after = fwi.series(fwi.start(cells), **weather, month=month, latitude=55.0)
    last = (-1,) * len(cells)
    alone = {name: values[(slice(None), *last)] for name, values in weather.items()}
    single, end = fwi.series(fwi.start(), **alone, month=month, latitude=55.0)
    for name in CODES:
        found = getattr(whole, name)
        assert found.shape == (9, *cells)
        assert found.dtype == np.float64
        assert found[(slice(None), *last)].tobytes() == getattr(single, name).tobytes()
    assert after.dc.shape == cells
    assert after.dc[last] == end.dc


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0), (4, 0, 2)])
def test_nothing_in_gives_nothing_out(shape: tuple[int, ...]) -> None:
    weather = {name: np.zeros(shape) for name in NOON}
    codes, after = fwi.series(fwi.start(shape[1:]), **weather, month=months(shape[0]))
    assert all(getattr(codes, name).shape == shape for name in CODES)
    assert after.ffmc.shape == shape[1:]
    assert (after.ffmc == 85.0).all()


def test_inputs_of_fewer_axes_count_for_all_cells() -> None:
    weather, month = random_weather((5, 3, 4), seed=3), months(5)
    weather["rh"] = weather["rh"][:, :1, :1]
    codes, _ = fwi.series(fwi.start(), **weather, month=month, latitude=[[50.0], [55.0], [60.0]])
    weather["rh"] = np.broadcast_to(weather["rh"], (5, 3, 4))
    full, _ = fwi.series(fwi.start((3, 4)), **weather, month=month, latitude=np.full((3, 4), 55.0))
    np.testing.assert_array_equal(codes.fwi, full.fwi)


def test_cells_shared_among_threads_are_the_cells_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    weather, month = random_weather((4, 1000), seed=4), months(4)
    one, _ = fwi.series(fwi.start((1000,)), **weather, month=month)
    monkeypatch.setattr(days, "_SHARE", 1000)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    many, after = fwi.series(fwi.start((1000,)), **weather, month=month)
    assert many.dsr.tobytes() == one.dsr.tobytes()
    assert after.missing.dtype == np.int32


def test_single_precision_weather_keeps_a_double_state() -> None:
    weather = {name: a.astype("float32") for name, a in random_weather((30, 50), seed=5).items()}
    codes, _ = fwi.series(fwi.start((50,)), **weather, month=months(30))
    double = {name: values.astype("float64") for name, values in weather.items()}
    wanted, _ = fwi.series(fwi.start((50,)), **double, month=months(30))
    assert codes.dc.tobytes() == wanted.dc.tobytes()


@pytest.mark.parametrize("wrong", [0, 13, 6.5])
def test_a_month_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(ConfigError, match="is no month"):
        fwi.step(fwi.start(), temp=20.0, rh=40.0, ws=10.0, prec=0.0, month=wrong)  # type: ignore[arg-type]


# Saved and resumed --------------------------------------------------------------------------------

COUNT = 90
SEASON = np.array([0] * 4 + [2] + [1] * 25 + [0] * 20 + [2] + [1] * 39, dtype="uint8")


def saved(state: fwi.State, path: Path) -> fwi.State:
    """The state after a visit to the disk."""
    np.savez(path, **vars(state))
    with np.load(path) as arrays:
        return fwi.State(**arrays)


def hard_days() -> dict[str, Floats]:
    """Weather with single gaps, and one that outlasts the rule of the test below."""
    weather = random_weather((COUNT, 7), seed=6)
    weather["temp"][13, 2] = weather["prec"][40, 3] = np.nan
    weather["rh"][60:75, 4] = np.nan
    return weather


@pytest.mark.parametrize("season", [None, SEASON[:, None]], ids=["always", "winter"])
def test_a_state_saved_on_any_day_continues_bit_for_bit(
    season: NDArray[np.uint8] | None, tmp_path: Path
) -> None:
    weather, month = hard_days(), months(COUNT)
    rules = fwi.Rules(overwinter=True, longest_gap=10)
    latitude = np.linspace(-50, 70, 7)

    def run(state: fwi.State, part: slice) -> tuple[fwi.Codes, fwi.State]:
        return fwi.series(
            state,
            **{name: values[part] for name, values in weather.items()},
            month=month[part],
            latitude=latitude,
            season=None if season is None else season[part],
            rules=rules,
        )

    whole, last = run(fwi.start((7,)), slice(None))
    for split in range(COUNT + 1):
        head, carried = run(fwi.start((7,)), slice(split))
        tail, end = run(saved(carried, tmp_path / "state.npz"), slice(split, None))
        for name in CODES:
            joined = np.concatenate([getattr(head, name), getattr(tail, name)])
            assert joined.tobytes() == getattr(whole, name).tobytes(), (split, name)
        for name, values in vars(last).items():
            assert getattr(end, name).tobytes() == values.tobytes(), (split, name)


def test_the_three_codes_alone_continue_a_season_without_gaps() -> None:
    weather, month = random_weather((20, 6), seed=7), months(20)
    whole, _ = fwi.series(fwi.start((6,)), **weather, month=month)
    head = {name: values[:11] for name, values in weather.items()}
    tail = {name: values[11:] for name, values in weather.items()}
    _, carried = fwi.series(fwi.start((6,)), **head, month=month[:11])
    back = fwi.State(ffmc=carried.ffmc, dmc=carried.dmc, dc=carried.dc)
    rest, _ = fwi.series(back, **tail, month=month[11:])
    assert rest.fwi.tobytes() == whole.fwi[11:].tobytes()


# Gaps in the weather ------------------------------------------------------------------------------

DRY_DAY = {"temp": 22.0, "rh": 35.0, "ws": 12.0, "prec": 0.0}


def dry(count: int) -> dict[str, Floats]:
    return {name: np.full(count, value) for name, value in DRY_DAY.items()}


@pytest.mark.parametrize("hole", ["rows of nothing", "skipped"])
@pytest.mark.parametrize(("length", "carried"), [(fwi.LONGEST_GAP, True), (53, False)])
def test_codes_are_carried_over_a_gap_of_52_days_and_no_longer(
    length: int, carried: bool, hole: str
) -> None:
    codes, state = fwi.series(fwi.start(), **dry(30), month=[7] * 30)
    if hole == "skipped":
        state = fwi.skip(state, length)
    else:
        nothing = dict.fromkeys(NOON, np.full(length, np.nan))
        gap, state = fwi.series(state, **nothing, month=[8] * length)
        assert np.isnan(gap.dc).all()
    after, _ = fwi.step(state, **DRY_DAY, month=8)
    before = codes.dc[-1] if carried else 15.0
    wanted = fwi.dc(before, temp=22.0, prec=0.0, month=8)
    assert after.dc == pytest.approx(float(wanted), rel=1e-12)


def test_two_gaps_with_weather_between_are_two_gaps() -> None:
    holed = dry(101)
    for name in NOON:
        holed[name][:50] = holed[name][51:100] = np.nan
    begin = fwi.State(ffmc=np.array(85.0), dmc=np.array(6.0), dc=np.array(300.0))
    codes, _ = fwi.series(begin, **holed, month=[7] * 101)
    assert codes.dc[100] > 300


def test_a_restart_uses_the_start_codes_of_the_rules() -> None:
    rules = fwi.Rules(ffmc=70.0, dmc=20.0, dc=250.0, longest_gap=0)
    one_missing = dry(3)
    one_missing["temp"][1] = np.nan
    codes, _ = fwi.series(fwi.start(), **one_missing, month=[7] * 3, rules=rules)
    wanted = fwi.dc(250.0, temp=22.0, prec=0.0, month=7)
    assert codes.dc[2] == pytest.approx(float(wanted), rel=1e-12)


def test_skipping_no_day_changes_nothing() -> None:
    state = fwi.start((2,))
    assert fwi.skip(state, 0) is state


# What every series keeps to -----------------------------------------------------------------------

noon = st.fixed_dictionaries(
    {
        "temp": st.floats(-40, 45),
        "rh": st.floats(0, 100),
        "ws": st.floats(0, 120),
        "prec": st.floats(0, 150),
    }
)
before = st.tuples(st.floats(0, 101), st.floats(0, 400), st.floats(0, 1200))


def day_after(
    state: tuple[float, float, float], weather: dict[str, float], month: int = 7
) -> dict[str, float]:
    fine, duff, drought = (np.array(value) for value in state)
    codes, _ = fwi.step(fwi.State(ffmc=fine, dmc=duff, dc=drought), **weather, month=month)
    return {name: float(getattr(codes, name)) for name in CODES}


@unhurried
@given(state=before, weather=noon, month=st.integers(1, 12))
def test_codes_stay_on_their_scales(
    state: tuple[float, float, float], weather: dict[str, float], month: int
) -> None:
    codes = day_after(state, weather, month)
    assert 0.0 <= codes["ffmc"] <= 101.0
    assert all(0.0 <= codes[name] < np.inf for name in CODES)
    assert codes["bui"] <= max(codes["dmc"], 0.8 * codes["dc"]) + 1e-9


@unhurried
@given(state=before, weather=noon, more=st.floats(0, 100))
def test_more_rain_never_makes_it_drier(
    state: tuple[float, float, float], weather: dict[str, float], more: float
) -> None:
    wetter = day_after(state, {**weather, "prec": weather["prec"] + more})
    drier = day_after(state, {**weather, "prec": 0.0})
    for name in ("ffmc", "dmc", "dc"):
        assert wetter[name] <= drier[name] * (1 + 1e-12) + 1e-9


@unhurried
@given(state=before, weather=noon, more=st.floats(0, 60))
def test_dryer_air_and_stronger_wind_never_lower_danger(
    state: tuple[float, float, float], weather: dict[str, float], more: float
) -> None:
    calm = {**weather, "prec": 0.0}
    dryer = {**calm, "rh": max(weather["rh"] - more, 0.0)}
    assert day_after(state, dryer)["dmc"] >= day_after(state, calm)["dmc"] - 1e-9
    first, second = day_after(state, calm), day_after(state, {**calm, "prec": 0.4})
    assert first["ffmc"] == second["ffmc"]  # rain up to 0.5 mm stays in the canopy
    codes = [fwi.isi(first["ffmc"], wind) for wind in (weather["ws"], weather["ws"] + more)]
    assert codes[1] >= codes[0]


@unhurried
@given(state=before, weather=noon, higher=st.floats(0, 200))
def test_a_drier_yesterday_never_gives_a_wetter_today(
    state: tuple[float, float, float], weather: dict[str, float], higher: float
) -> None:
    fine, duff, drought = state
    drier = (min(fine + higher, 101.0), duff + higher, drought + higher)
    today, dry_today = day_after(state, weather), day_after(drier, weather)
    assert dry_today["ffmc"] >= today["ffmc"] - 1e-6
    assert dry_today["dc"] >= today["dc"] - 1e-6
    if weather["prec"] <= 1.5:  # eq 13's slope jumps at DMC 33 and 65, so rain can cross over
        assert dry_today["dmc"] >= today["dmc"] - 1e-6


@unhurried
@given(buildup=st.floats(0, 500), spread=st.floats(0, 150), more=st.floats(0, 100))
def test_danger_grows_with_spread_and_fuel(buildup: float, spread: float, more: float) -> None:
    assert fwi.fwi(spread + more, buildup) >= fwi.fwi(spread, buildup) - 1e-9
    # the two branches of eq 28 meet at 80 with a step of half a percent
    assert fwi.fwi(spread, buildup + more) >= fwi.fwi(spread, buildup) * 0.99 - 1e-9


@pytest.fixture(autouse=True)
def quiet_floating_point() -> Iterator[None]:
    """No test may leave warnings of the equations to the caller."""
    with np.errstate(all="raise", under="ignore"):
        yield
