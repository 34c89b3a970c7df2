"""Burn dates from perimeters and hotspots, and what a window makes of them."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firesat.cube import open_cube
from firesat.errors import GridError
from firesat.labels import VARIABLES, at_risk_truth, label_season, window_label
from firesat.samples import active_fire_asof, burnt_asof
from firesat.window import Window
from tests.tiny_cube import REGION, write_tiny_cube

NAN = np.nan
DAY0 = 19509  # 2023-06-01
CELLS, RATIO = 30, 5  # 3 x 3 km: 30 cells of 100 m, 6 of 500 m
EVERYWHERE = (slice(None), slice(None))

Place = tuple[int | slice, int | slice]


def perimeters(*fires: dict[str, object]) -> xr.Dataset:
    """Fires of `number` at `where`, with their dates as days after `DAY0`."""
    names = ("fraction", "fire_id", "prescribed", "agency_start", "agency_end", "hotspot_start",
             "hotspot_end")  # fmt: skip
    layers = {name: np.full((CELLS, CELLS), NAN) for name in names}
    for name in names[:3]:
        layers[name][:] = 0.0
    for fire in fires:
        where = fire["where"]
        layers["fraction"][where] = fire.get("fraction", 1.0)
        layers["fire_id"][where] = fire["number"]
        for name in names[3:]:
            layers[name][where] = DAY0 + fire.get(name, NAN)
    centres = 50.0 + 100.0 * np.arange(CELLS)
    return xr.Dataset(
        {name: (("y", "x"), values.astype("float32")) for name, values in layers.items()},
        coords={"y": centres[::-1], "x": centres},
    )


def hotspots(seen: dict[tuple[int, int, int], int]) -> xr.Dataset:
    """Detections by (row, column, days after `DAY0`) of 500 m cells."""
    count = np.zeros((30, CELLS // RATIO, CELLS // RATIO), dtype="float32")
    for (row, column, day), number in seen.items():
        count[day, row, column] = number
    centres = 250.0 + 500.0 * np.arange(CELLS // RATIO)
    times = np.datetime64("2023-06-01", "ns") + np.arange(30) * np.timedelta64(1, "D")
    return xr.Dataset(
        {"hotspot_count": (("time", "y", "x"), count)},
        coords={"time": times, "y": centres[::-1], "x": centres},
    )


def dated(labels: xr.Dataset, row: int, column: int) -> list[float]:
    """Burn day, earliest, latest and start of a cell, in days after `DAY0`."""
    names = ("burn_day", "earliest", "latest", "fire_start")
    return [float(labels[name].values[row, column]) - DAY0 for name in names]


# Dates --------------------------------------------------------------------------------------------


def test_a_cell_takes_the_day_of_its_hotspot_and_doubt_grows_with_distance() -> None:
    fire = {"number": 7, "where": EVERYWHERE}
    labels = label_season(perimeters(fire), hotspots({(0, 0, 10): 4}))
    assert dated(labels, 2, 2) == [10, 10, 10, 10]
    # the hotspot lies at cell (2, 2): 500 m away no doubt, then a day per started kilometre
    for column, slack in ((7, 0), (8, 1), (17, 1), (18, 2), (27, 2), (28, 3)):
        assert dated(labels, 2, column)[:3] == [10, max(10 - slack, 10), 10 + slack]
    assert (labels["fire_id"] == 7).all()


def test_the_fires_own_dates_limit_the_doubt() -> None:
    fire = {"number": 7, "where": EVERYWHERE, "agency_start": 8, "hotspot_end": 11}
    labels = label_season(perimeters(fire), hotspots({(0, 0, 10): 4}))
    assert dated(labels, 2, 28) == [10, 8, 11, 8]


def test_between_two_hotspots_by_hand() -> None:
    fire = {"number": 7, "where": (slice(0, 5), slice(0, 10)), "agency_start": 2}
    labels = label_season(perimeters(fire), hotspots({(0, 0, 10): 4, (0, 1, 14): 4}))
    # cell (2, 4) is 200 m from one and 300 m from the other: weights 1/300**2 and 1/400**2, that
    # is 0.64 and 0.36; mean 11.44, standard deviation 4 * sqrt(0.64 * 0.36) = 1.92
    assert dated(labels, 2, 4) == [11, np.floor(11.44 - 1.92), np.ceil(11.44 + 1.92), 2]
    # cell (2, 2) is 0 and 500 m away: weights 36/37 and 1/37; mean 10.11, deviation 0.65
    assert dated(labels, 2, 2)[:3] == [10, 9, 11]


def test_a_slow_fire_in_one_hotspot_cell_by_hand() -> None:
    seen = {(0, 0, day): 1 for day in range(10, 18)}
    fire = {"number": 7, "where": (slice(0, 5), slice(0, 5)), "agency_start": 0}
    labels = label_season(perimeters(fire), hotspots(seen))
    # eight days: quartiles 11 and 15, median 13; deviation 4 / 1.35 = 2.96
    assert dated(labels, 2, 2)[:3] == [13, 10, 16]


def test_smouldering_after_a_gap_does_not_move_the_date() -> None:
    fire = {"number": 7, "where": (slice(0, 5), slice(0, 5))}
    once = {(0, 0, 10): 4}
    within, beyond = {(0, 0, 13): 90}, {(0, 0, 14): 90}
    assert dated(label_season(perimeters(fire), hotspots({**once, **within})), 2, 2)[0] == 13
    assert dated(label_season(perimeters(fire), hotspots({**once, **beyond})), 2, 2)[0] == 10


def test_hotspots_of_another_time_belong_to_another_fire() -> None:
    left = {"number": 1, "where": (slice(0, 30), slice(0, 15)), "hotspot_start": 3,
            "hotspot_end": 6}  # fmt: skip
    right = {"number": 2, "where": (slice(0, 30), slice(15, 30)), "hotspot_start": 20,
             "hotspot_end": 24}  # fmt: skip
    seen = {(2, 2, 4): 2, (2, 3, 22): 2}  # beside each other, on either side of the border
    labels = label_season(perimeters(left, right), hotspots(seen))
    assert dated(labels, 12, 14)[:2] == [4, 4]
    assert dated(labels, 12, 15)[:2] == [22, 22]
    assert labels.attrs["stray_cells"] == 0


def test_a_night_hotspot_on_the_eve_of_the_first_date_counts_as_that_date() -> None:
    fire = {"number": 7, "where": (slice(0, 5), slice(0, 5)), "hotspot_start": 10}
    labels = label_season(perimeters(fire), hotspots({(0, 0, 9): 4}))
    assert dated(labels, 2, 2) == [10, 10, 10, 10]


@pytest.mark.parametrize(
    ("dates", "wanted"),
    [
        ({"agency_start": 5, "agency_end": 9}, [5, 5, 9, 5]),
        ({"agency_start": 5}, [5, 5, 7, 5]),
        ({"hotspot_start": 5, "hotspot_end": 6}, [5, 5, 6, 5]),
        ({"agency_start": 5, "hotspot_start": 7, "hotspot_end": 8}, [5, 5, 8, 5]),
        ({"agency_end": 9}, [NAN] * 4),
        ({}, [NAN] * 4),
    ],
)
def test_a_fire_without_hotspots_keeps_its_perimeters_dates(
    dates: dict[str, int], wanted: list[float]
) -> None:
    fire = {"number": 7, "where": (3, slice(4, 6)), **dates}
    labels = label_season(perimeters(fire), hotspots({}))
    np.testing.assert_array_equal(dated(labels, 3, 4), wanted)
    assert labels["fraction"].sum() == 2
    assert labels.attrs["fires_without_hotspots"] == 1
    assert labels.attrs["undated_fires"] == np.isnan(wanted[0])


def test_a_large_fire_with_a_start_alone_may_have_burned_any_day_of_the_year() -> None:
    last = float((np.datetime64("2023-12-31") - np.datetime64("1970-01-01")).astype(int))
    five = (slice(0, 5), slice(0, 10))  # 50 ha
    for where, latest in ((five, DAY0 + 7), (EVERYWHERE, last)):
        labels = label_season(
            perimeters({"number": 7, "where": where, "agency_start": 5}), hotspots({})
        )
        assert dated(labels, 3, 4)[:2] == [5, 5]
        assert labels["latest"].values[3, 4] == latest
    # windows before the start are known, those after it are not
    _, valid = window_label(labels, "2023-05-20", Window(horizon=8))
    assert valid.all()
    _, valid = window_label(labels, "2023-08-20", Window(horizon=8))
    assert not valid.any()


def test_a_prescribed_burn_is_unknown_and_counted() -> None:
    nbac = perimeters()
    nbac["prescribed"].values[0:5, 0:5] = 1.0
    labels = label_season(nbac, hotspots({(0, 0, 10): 9}))
    assert np.isnan(labels["fraction"].values[0:5, 0:5]).all()
    assert np.isnan(labels["earliest"]).all()
    assert labels["fraction"].notnull().sum() == CELLS**2 - 25
    assert (labels.attrs["prescribed_cells"], labels.attrs["stray_cells"]) == (25, 0)


def test_a_cluster_outside_every_perimeter_is_unknown_while_it_burns() -> None:
    seen = {(3, 3, 10): 1, (4, 4, 15): 1, (0, 0, 3): 1}
    labels = label_season(perimeters(), hotspots(seen))
    unknown = np.isnan(labels["fraction"].values)
    wanted = np.zeros((CELLS, CELLS), dtype=bool)
    wanted[10:25, 10:25] = wanted[15:30, 15:30] = True  # both cells with a ring of one
    np.testing.assert_array_equal(unknown, wanted)
    assert dated(labels, 17, 17)[1:3] == [10, 15]
    assert labels.attrs["stray_cells"] == wanted.sum()


def test_a_region_without_perimeters_is_unknown() -> None:
    nbac = perimeters()
    nbac["fraction"].values[:] = NAN
    labels = label_season(nbac, hotspots({}))
    assert np.isnan(labels["fraction"]).all()
    _, valid = window_label(labels, "2023-06-05", Window())
    assert not valid.any()


def test_perimeters_and_hotspots_of_other_ground_are_refused() -> None:
    with pytest.raises(GridError, match=r"\(30, 30\) cells and hotspots \(6, 5\)"):
        label_season(perimeters(), hotspots({}).isel(x=slice(0, 5)))


def test_the_made_fires_are_dated_well(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "tiny.zarr", groups=["nbac", "hotspots", "labels"])
    x0, y0, x1, y1 = REGION
    nbac, seen, truth = (
        open_cube(path, group).sel(x=slice(x0, x1), y=slice(y1, y0)).load()
        for group in ("nbac", "hotspots", "labels")
    )
    labels = label_season(nbac.isel(time=0), seen)
    truth = truth.isel(time=0)
    np.testing.assert_array_equal(labels["fraction"], truth["fraction"])
    np.testing.assert_array_equal(labels["fire_id"], truth["fire_id"])
    burnt = truth["fraction"].values >= 0.5
    day, found, early, late = (
        source[name].values[burnt]
        for source, name in (
            (truth, "burn_day"),
            (labels, "burn_day"),
            (labels, "earliest"),
            (labels, "latest"),
        )
    )
    assert np.abs(day - found).mean() < 0.5
    assert ((early <= day) & (day <= late)).mean() > 0.98
    assert (late - early).mean() < 4


# Windows ------------------------------------------------------------------------------------------


def season(**values: float) -> xr.Dataset:
    """One cell's labels; days after `DAY0`."""
    cell = dict.fromkeys(VARIABLES, NAN) | {"fraction": 0.0, "fire_id": 0.0}
    cell |= {n: v if n in ("fraction", "fire_id") else DAY0 + v for n, v in values.items()}
    return xr.Dataset({name: (("y", "x"), [[value]]) for name, value in cell.items()})


def outcome(labels: xr.Dataset, day: int) -> str:
    """ "growth", "new", "no", or "unknown", of a window of 8 days from `day`."""
    issued = str(np.datetime64(DAY0 + day, "D"))
    label, valid = window_label(labels, issued, Window(horizon=8))
    assert valid.min() == valid.max()
    if not valid.any():
        assert not label.any()
        return "unknown"
    return {(1, 0): "growth", (0, 1): "new", (0, 0): "no"}[tuple(label.ravel().astype(int))]


@pytest.mark.parametrize(
    ("issued", "start", "wanted"),
    [
        (1, 0, "no"),  # the window ends on day 8
        (2, 0, "no"),
        (3, 0, "unknown"),  # ends on day 10, in the middle
        (4, 0, "unknown"),
        (5, 0, "growth"),  # ends on day 12
        (5, 4, "growth"),
        (5, 5, "new"),  # starts on the issue day, hence after T
        (5, 9, "new"),
        (10, 9, "growth"),  # begins on day 10
        (10, 10, "new"),
        (11, 9, "unknown"),
        (12, 9, "unknown"),
        (13, 9, "unknown"),  # burnt before: no longer at risk
    ],
)
def test_a_burned_cell_in_a_window(issued: int, start: int, wanted: str) -> None:
    labels = season(fraction=1.0, burn_day=11, earliest=10, latest=12, fire_start=start)
    assert outcome(labels, issued) == wanted


@pytest.mark.parametrize(("fraction", "wanted"), [(0.49, "no"), (0.5, "growth")])
def test_half_a_cell_makes_an_event(fraction: float, wanted: str) -> None:
    dates = {"burn_day": 11, "earliest": 11, "latest": 11, "fire_start": 1}
    assert outcome(season(fraction=fraction, **dates), 10) == wanted


@pytest.mark.parametrize(("issued", "wanted"), [(2, "no"), (3, "unknown"), (13, "unknown")])
def test_an_unexplained_cluster_is_never_an_event(issued: int, wanted: str) -> None:
    assert outcome(season(fraction=NAN, earliest=10, latest=12), issued) == wanted
    assert outcome(season(fraction=NAN, earliest=10, latest=12), 8) == "unknown"


def test_unburned_ground_is_a_certain_no() -> None:
    assert outcome(season(), 5) == "no"


def test_an_undated_fire_is_unknown_all_season() -> None:
    assert outcome(season(fraction=1.0, fire_id=7), 5) == "unknown"


@given(
    issued=st.integers(0, 30),
    horizon=st.integers(1, 12),
    early=st.integers(0, 40),
    length=st.integers(0, 15),
    start=st.integers(-5, 40),
)
def test_a_label_is_known_exactly_when_every_possible_day_agrees(
    issued: int, horizon: int, early: int, length: int, start: int
) -> None:
    late = early + length
    labels = season(fraction=1.0, earliest=early, latest=late, fire_start=min(start, early))
    day = str(np.datetime64(DAY0 + issued, "D"))
    label, valid = window_label(labels, day, Window(horizon=horizon))
    days: NDArray[np.int64] = np.arange(early, late + 1)
    burns = (issued <= days) & (days < issued + horizon)
    assert valid.all() == ((burns.all() or not burns.any()) and late >= issued)
    assert label.sum() == (valid.all() and burns.all())


# Truth and what was known -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (season(), 1),
        (season(fraction=0.4, earliest=1, latest=2, fire_start=1), 1),  # less than half burned
        (season(fraction=1.0, earliest=1, latest=4, fire_start=1), 0),
        (season(fraction=1.0, earliest=5, latest=9, fire_start=1), 1),
        (season(fraction=1.0, earliest=4, latest=5, fire_start=1), NAN),
        (season(fraction=1.0), NAN),  # undated
        (season(fraction=NAN, earliest=1, latest=4), NAN),  # hotspots outside every perimeter
        (season(fraction=NAN, earliest=5, latest=6), 1),
        (season(fraction=NAN), NAN),  # prescribed
    ],
)
def test_at_risk_in_truth_is_what_had_not_burned_before_the_issue_day(
    labels: xr.Dataset, wanted: float
) -> None:
    risk = at_risk_truth(labels, str(np.datetime64(DAY0 + 5, "D")))
    np.testing.assert_array_equal(risk, [[wanted]])


def test_what_is_known_of_fires_at_t_comes_from_hotspots_alone() -> None:
    age = np.array([[1.0, 10.0, 11.0, np.inf]], dtype="float32")
    assert active_fire_asof(age).tolist() == [[True, True, False, False]]
    assert burnt_asof(age).tolist() == [[True, True, True, False]]
