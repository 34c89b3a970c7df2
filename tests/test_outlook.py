"""The weather of an operational forecast: no step where forecasts follow the analysis."""

from pathlib import Path

import numpy as np
import pytest

from firesat.grid import geobox
from firesat.samples import Inputs, Reader
from firesat.samples.outlook import LARGEST_FACTOR, corrected
from tests.weather_cube import DAY, DAYS, REGION, Model, T, biased, truth, write

TODAY = int((np.datetime64(T) - DAYS[0]) / DAY)
FEW = ("t2m_max", "ws")
WEATHER = ("t2m_max", "rh", "ws", "tp", "vp")
CODES = ("ffmc", "dmc", "dc", "fwi")
INPUTS = Inputs(regime="operational", forecasts=("nwp_gdps",), weather=WEATHER, fire_weather=CODES)

SHORT = Inputs(**{**vars(INPUTS), "weather": FEW, "fire_weather": (), "weather_days": 5})


def series(path: Path, inputs: Inputs = INPUTS, day: str = T) -> dict[str, np.ndarray]:
    """Each variable by day, of one cell, as the batch has it."""
    cells = geobox(REGION, "EPSG:3979", 100)[:100, :100]
    weather = Reader(path, inputs).region(cells).weather(day)
    return {name: weather[:, n, 5, 5] for n, name in enumerate(inputs.names["weather"])}


def marked(name: str, day: int, lead: int) -> float:
    """Each run and lead tells its own number, too few to learn a bias of."""
    return float("nan") if name == "tp_noon" and lead == 0 else day + lead / 10


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(
        tmp_path_factory.mktemp("weather") / "cube.zarr", Model(value=biased, first=TODAY - 25)
    )


def test_a_steady_bias_makes_no_step_in_the_delay_nor_in_the_horizon(steady: Path) -> None:
    found = series(steady)
    days = slice(TODAY - 16, TODAY + 8)
    for name in WEATHER:
        assert len(found[name]) == 24
        np.testing.assert_allclose(found[name], truth(name)[days], rtol=1e-4, atol=1e-3)
    # Without the correction there is one, on the first of the five days that the analysis lacks.
    raw = biased("t2m_max", TODAY - 5, 0) - truth("t2m_max")[TODAY - 5]
    assert raw == pytest.approx(3.0)


def test_the_codes_go_on_from_the_last_known_day_with_the_joined_noon_weather(
    steady: Path, tmp_path: Path
) -> None:
    at_once = write(tmp_path / "cube.zarr", latency=-24 * 9)  # an analysis of the future
    hindsight = Inputs(regime="hindsight", weather=WEATHER, fire_weather=CODES)
    wanted, found = series(at_once, hindsight), series(steady)
    for name in CODES:
        assert np.isfinite(found[name]).all()
        np.testing.assert_allclose(found[name], wanted[name], rtol=2e-3, atol=0.05)
    assert np.ptp(found["fwi"][-13:]) > 1


def test_each_day_is_of_the_newest_run_available_by_t(tmp_path: Path) -> None:
    path = write(
        tmp_path / "cube.zarr", Model(value=marked, names=FEW, first=TODAY - 6), latency=24 * 60
    )  # no analysis at all
    found = series(path, SHORT)
    ahead = [TODAY + lead / 10 for lead in range(8)]
    wanted = np.array([*range(TODAY - 5, TODAY), *ahead])
    np.testing.assert_allclose(found["t2m_max"], wanted.clip(180))  # kelvin have a floor
    np.testing.assert_allclose(found["ws"], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "first", "then"),
    [
        (
            Model(value=marked, names=FEW, first=TODAY - 6, latency=13.0),
            TODAY - 1,
            0.1,
        ),  # out an hour after T
        (Model(value=marked, names=FEW, first=TODAY - 6, lost=[TODAY]), TODAY - 1, 0.1),
        (Model(value=marked, names=FEW, first=TODAY - 6, cycle=6, latency=6.0), TODAY, 0.0),
        (Model(value=marked, names=FEW, first=TODAY - 6, cycle=12), TODAY - 1, 0.1),
    ],
    ids=["late", "lost", "06 UTC", "12 UTC"],
)
def test_a_run_that_is_not_there_leaves_its_days_to_the_one_before(
    tmp_path: Path, model: Model, first: int, then: float
) -> None:
    path = write(tmp_path / "cube.zarr", model, latency=24 * 60)
    found = series(path, SHORT)["ws"][-8:]
    reached = 9 - round(10 * then)
    wanted = [first + then + lead / 10 for lead in range(8)]
    np.testing.assert_allclose(found[:reached], wanted[:reached], rtol=1e-5)


def test_the_first_group_that_has_a_day_gives_it(tmp_path: Path) -> None:
    fine = Model(
        name="nwp_hrdps", value=lambda name, day, lead: 50 + day, days=1, names=FEW, first=TODAY - 6
    )
    path = write(
        tmp_path / "cube.zarr",
        fine,
        Model(value=marked, names=FEW, first=TODAY - 6),
        latency=24 * 60,
    )
    both = Inputs(**{**vars(SHORT), "forecasts": ("nwp_hrdps", "nwp_gdps")})
    found = series(path, both)["ws"]
    np.testing.assert_allclose(found[:6], 50.0 + np.arange(TODAY - 5, TODAY + 1), rtol=1e-6)
    np.testing.assert_allclose(found[6:], TODAY + np.arange(1, 8) / 10, rtol=1e-6)
    missing = Inputs(**{**vars(SHORT), "forecasts": ("nwp_rdps", "nwp_gdps")})
    np.testing.assert_allclose(series(path, missing)["ws"], series(path, SHORT)["ws"])
    assert Reader(path, missing).missing == (
        "sentinel2", "modis_vi", "modis_lst", "nwp_rdps", "hotspots", "static",
    )  # fmt: skip


def test_nothing_that_came_after_t_changes_what_a_forecaster_sees(tmp_path: Path) -> None:
    def later(name: str, day: int, lead: int) -> float:
        return biased(name, day, lead) + (5.0 if day > TODAY else 0.0)

    few = {"names": ("tp", "ws"), "first": TODAY - 20}
    inputs = Inputs(**{**vars(SHORT), "weather": ("tp", "ws")})
    one = series(write(tmp_path / "one.zarr", Model(value=biased, **few)), inputs)
    other = series(write(tmp_path / "other.zarr", Model(value=later, **few), late=5.0), inputs)
    assert np.isfinite(one["tp"]).all()
    for name, values in other.items():
        np.testing.assert_array_equal(values, one[name])


def test_without_forecasts_the_delay_and_the_horizon_are_missing_not_made_up(steady: Path) -> None:
    plain = Inputs(**{**vars(INPUTS), "forecasts": ()})
    found = series(steady, plain)["t2m_max"]
    assert np.isnan(found).tolist() == 11 * [False] + 5 * [True]
    soil = Inputs(**{**vars(INPUTS), "weather": ("swvl1",), "fire_weather": ()})
    assert np.isnan(series(steady, soil)["swvl1"]).tolist() == 11 * [False] + 13 * [True]


def test_bias_is_the_mean_difference_and_of_rain_the_ratio_of_sums() -> None:
    analysis = np.arange(12, dtype="float32")[:, None, None] * np.ones((1, 2, 2), "float32")
    analysis[9:] = np.nan
    warm = np.arange(12, dtype="float32")[:, None, None] + np.full((12, 2, 2), 2.0, "float32")
    np.testing.assert_allclose(
        corrected(warm + 270, analysis + 270, "t2m")[:, 0, 0], 270 + np.arange(12)
    )
    wet = 2 * np.arange(12, dtype="float32")[:, None, None] * np.ones((12, 2, 2), "float32")
    np.testing.assert_allclose(corrected(wet, analysis, "tp")[:, 0, 0], np.arange(12))
    soaked = corrected(50 * wet, analysis, "tp")[:, 0, 0]
    np.testing.assert_allclose(soaked, 100 * np.arange(12) / LARGEST_FACTOR, rtol=1e-6)
    few = analysis.copy()
    few[4:] = np.nan  # four days are chance
    np.testing.assert_array_equal(corrected(warm, few, "ws"), warm)
    damp = corrected(np.full((12, 2, 2), 99.0, "float32"), analysis * 0 + 120, "rh")
    assert damp.max() == 100.0
