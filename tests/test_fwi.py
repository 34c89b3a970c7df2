"""The Fire Weather Index System by hand, and where weather is missing or impossible."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firesat import fwi
from firesat.fwi.moisture import fine_moisture

CODES = [field.name for field in fields(fwi.Codes)]

# Van Wagner and Pickett (1985), Report 33, sample output: the first five days
SAMPLE = {
    "temp": [17.0, 20.0, 8.5, 6.5, 13.0],
    "rh": [42.0, 21.0, 40.0, 25.0, 34.0],
    "ws": [25.0, 25.0, 17.0, 6.0, 24.0],
    "prec": [0.0, 2.4, 0.0, 0.0, 0.0],
    "month": [4] * 5,
}
PUBLISHED = {
    "ffmc": [87.7, 86.2, 87.0, 88.8, 89.1],
    "dmc": [8.5, 10.4, 11.8, 13.2, 15.4],
    "dc": [19.0, 23.6, 26.1, 28.2, 31.5],
    "isi": [10.9, 8.8, 6.5, 4.9, 12.6],
    "bui": [8.5, 10.4, 11.7, 13.1, 15.3],
    "fwi": [10.1, 9.3, 7.6, 6.2, 14.8],
}
# a printed digit, and the constant that Report 33 rounds (0.12 FFMC, 0.24 FWI at most)
TOLERANCE = {"ffmc": 0.12, "dmc": 0.051, "dc": 0.051, "isi": 0.2, "bui": 0.051, "fwi": 0.24}


def state(ffmc: float, dmc: float, dc: float) -> fwi.State:
    return fwi.State(ffmc=np.array(ffmc), dmc=np.array(dmc), dc=np.array(dc))


def test_the_sample_of_the_first_program_comes_out() -> None:
    codes, _ = fwi.series(fwi.start(), **SAMPLE)
    for name, wanted in PUBLISHED.items():
        np.testing.assert_allclose(getattr(codes, name), wanted, rtol=0, atol=TOLERANCE[name])


def test_the_drought_code_by_hand() -> None:
    # July: V = 0.36 (20 + 2.8) + 6.4 = 14.608, D = 300 + 0.5 V
    assert fwi.dc(300.0, temp=20.0, prec=2.8, month=7) == pytest.approx(307.304)
    # rain of 10 mm: rd = 7.03, Q0 = 800 exp(-0.75), Dr = 400 ln(800 / (Q0 + 3.937 rd))
    soaked = 400 * np.log(800 / (800 * np.exp(-0.75) + 3.937 * 7.03))
    assert fwi.dc(300.0, temp=20.0, prec=10.0, month=7) == pytest.approx(soaked + 7.304)


def test_the_severity_rating_by_hand() -> None:
    assert fwi.dsr(10.0) == pytest.approx(0.0272 * 10**1.77)


def test_soaked_fuel_is_250_percent_water_and_dry_fuel_none() -> None:
    assert fine_moisture(0.0) == pytest.approx(250.0)
    assert fine_moisture(101.0) == 0.0


def test_july_is_longer_in_the_north_than_in_the_south() -> None:
    dry = [
        fwi.dmc(20.0, temp=25.0, rh=40.0, prec=0.0, month=7, latitude=lat) - 20.0
        for lat in (-45.0, -20.0, 0.0, 20.0, 55.0)
    ]
    # proportional to the day length factors 6.5, 7.9, 9.0, 10.1, 12.4
    np.testing.assert_allclose(np.array(dry) / dry[2] * 9.0, [6.5, 7.9, 9.0, 10.1, 12.4])


@pytest.mark.parametrize("missing", ["temp", "rh", "ws", "prec"])
def test_a_day_without_weather_gives_nan_and_keeps_the_state(missing: str) -> None:
    before = state(88.0, 30.0, 200.0)
    day = {"temp": 20.0, "rh": 40.0, "ws": 10.0, "prec": 0.0, missing: np.nan}
    codes, after = fwi.step(before, **day, month=7)
    assert all(np.isnan(getattr(codes, name)) for name in CODES)
    assert (after.ffmc, after.dmc, after.dc) == (88.0, 30.0, 200.0)


def test_a_gap_in_one_cell_does_not_touch_its_neighbour() -> None:
    values = {name: np.array([value, value]).T for name, value in SAMPLE.items() if name != "month"}
    whole, _ = fwi.series(fwi.start((2,)), **values, month=SAMPLE["month"])
    values["temp"][2, 1] = np.nan
    holed, _ = fwi.series(fwi.start((2,)), **values, month=SAMPLE["month"])
    np.testing.assert_array_equal(holed.fwi[:, 0], whole.fwi[:, 0])
    assert np.isnan(holed.fwi[2, 1])
    skipped = {name: np.delete(column, 2) for name, column in SAMPLE.items()}
    short, _ = fwi.series(fwi.start(), **skipped)
    np.testing.assert_array_equal(np.delete(holed.fwi[:, 1], 2), short.fwi)


def test_impossible_weather_is_missing_weather() -> None:
    for wrong in ({"rh": -10.0}, {"ws": -1.0}):
        day = {"temp": 20.0, "rh": 40.0, "ws": 10.0, "prec": 0.0, **wrong}
        codes, _ = fwi.step(fwi.start(), **day, month=7)
        assert np.isnan(codes.fwi)


def test_humidity_above_100_percent_counts_as_saturated() -> None:
    day = {"temp": 20.0, "ws": 10.0, "prec": 0.0, "month": 7}
    wet, _ = fwi.step(fwi.start(), **day, rh=100.4)
    full, _ = fwi.step(fwi.start(), **day, rh=99.9999)
    assert wet.ffmc == full.ffmc


def test_a_saved_state_continues_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shape = (20, 4, 5)
    values = {
        "temp": rng.uniform(-5, 35, shape),
        "rh": rng.uniform(5, 100, shape),
        "ws": rng.uniform(0, 60, shape),
        "prec": rng.gamma(0.3, 8, shape),
    }
    month = np.full(20, 7)
    latitude = np.linspace(45, 65, 20).reshape(4, 5)
    whole, last = fwi.series(fwi.start(shape[1:]), **values, month=month, latitude=latitude)
    head, middle = (
        {name: array[part] for name, array in values.items()} for part in (slice(13), slice(13, 20))
    )
    _, carried = fwi.series(fwi.start(shape[1:]), **head, month=month[:13], latitude=latitude)
    np.savez(tmp_path / "state.npz", ffmc=carried.ffmc, dmc=carried.dmc, dc=carried.dc)
    with np.load(tmp_path / "state.npz") as saved:
        back = fwi.State(**{name: saved[name] for name in ("ffmc", "dmc", "dc")})
    rest, end = fwi.series(back, **middle, month=month[13:], latitude=latitude)
    for name in CODES:
        np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name)[13:])
    assert end.dc.tobytes() == last.dc.tobytes()


def test_a_field_gives_what_its_cells_give_alone() -> None:
    rng = np.random.default_rng(4)
    field = {name: rng.uniform(1, 60, (7, 9)) for name in ("temp", "rh", "ws", "prec")}
    whole, _ = fwi.step(fwi.start((7, 9)), **field, month=6)
    alone, _ = fwi.step(fwi.start(), **{n: a[3, 4] for n, a in field.items()}, month=6)
    for name in CODES:
        assert getattr(alone, name) == getattr(whole, name)[3, 4]


@given(
    before=st.floats(0, 101),
    temp=st.floats(-30, 45),
    rh=st.floats(0, 99),
    ws=st.floats(0, 120),
    prec=st.floats(0, 200),
)
def test_fine_fuel_never_leaves_its_scale_and_rain_never_dries_it(
    before: float, temp: float, rh: float, ws: float, prec: float
) -> None:
    dry = fwi.ffmc(before, temp=temp, rh=rh, ws=ws, prec=0.0)
    wet = fwi.ffmc(before, temp=temp, rh=rh, ws=ws, prec=prec)
    assert 0.0 <= wet <= 101.0
    assert wet <= dry + 1e-9
