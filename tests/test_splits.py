"""What is held out stays apart: in ground, in time, and fire by fire."""

from itertools import product
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr

from firesat.errors import ConfigError, SplitError
from firesat.grid import Grid, chip_origins
from firesat.splits import (
    Apart,
    Blocks,
    Groups,
    Overwintering,
    Placement,
    Places,
    Zones,
    days_between,
    embargo,
    kilometres,
)
from firesat.window import Window

GRID = Grid(region=(0.0, 600_000.0, 100_000.0, 700_000.0))
SPLITS = ("train", "val", "test")
CHIP_KM = 8.0
HORIZON = 8


def boxes(stride: int = 40, size: int = 80) -> np.ndarray:
    """Every chip of the region."""
    x0, _, _, y1 = GRID.extent
    corners = np.array(list(chip_origins(1000, 1000, size, stride)), dtype=float) * 100
    left, top = x0 + corners[:, 1], y1 - corners[:, 0]
    return np.stack([left, top - size * 100, left + size * 100, top], axis=1)


# --- distances ----------------------------------------------------------------------------------


def test_kilometres_between_edges_by_hand() -> None:
    one = np.array([[0.0, 0.0, 8000.0, 8000.0]])
    others = np.array(
        [
            [4000, 4000, 12_000, 12_000],  # overlaps
            [8000, 0, 16_000, 8000],  # touches
            [11_000, 0, 19_000, 8000],  # 3 km to the right
            [11_000, 12_000, 19_000, 20_000],  # 3 and 4 km away
            [-12_000, -9000, -4000, -1000],  # 4 and 1 km away
        ],
        dtype=float,
    )
    np.testing.assert_allclose(kilometres(one, others)[0], [0, 0, 3, 5, np.sqrt(17)])


def test_days_between_windows_by_hand() -> None:
    first, second = np.array(["2023-07-01", "2023-07-05"], "M8[D]"), np.datetime64("2023-07-15")
    # 1 to 8 July, then 15 July on: six days lie between; 5 to 12 July: two
    assert days_between(first, second, HORIZON).tolist() == [6, 2]
    assert days_between(second, second, HORIZON) == -8


@pytest.mark.parametrize(("buffer", "last"), [(0, "2023-07-07"), (1, "2023-07-06"), (8, None)])
def test_windows_too_near_a_later_split_are_left_out(buffer: int, last: str | None) -> None:
    days = [f"2023-07-{day:02d}" for day in range(1, 12)]
    kept = embargo(days, ["2023-07-15", "2023-08-30"], Window(), buffer)
    assert kept == (days[: days.index(last) + 1] if last else [])
    assert embargo(days, [], Window(), buffer) == days


def test_apart_is_ground_or_time() -> None:
    km, days = np.array([5.0, 25, 5, 25]), np.array([2.0, 2, 9, 9])
    assert Apart(km=20, days=8).holds(km, days).tolist() == [False, True, True, True]
    assert Apart(days=8).holds(km, days).tolist() == [False, False, True, True]
    assert (str(Apart(km=20, days=8)), str(Apart(km=20))) == ("20 km or 8 days", "20 km")


# --- places -------------------------------------------------------------------------------------


def zones_file(path: Path) -> Path:
    """West, Middle and East, about 40, 30 and 30 km wide; Far lies elsewhere."""
    edges = {"West": (0, 39.95), "Middle": (39.95, 70.05), "East": (70.05, 101), "Far": (900, 950)}
    shapes = [shapely.box(a * 1000, 590_000, b * 1000, 710_000) for a, b in edges.values()]
    table = gpd.GeoDataFrame({"NAME": list(edges)}, geometry=shapes, crs="EPSG:3979")
    table.to_file(path)
    return path


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(
        file=zones_file(tmp_path / "zones.gpkg"),
        column="NAME",
        held_out={"val": ["Middle"], "test": ["East"]},
        buffer_km=10.0,
    )


def test_zones_are_held_out_whole_with_a_buffer(zones: Zones) -> None:
    placed = zones.lay_out(SPLITS, GRID, CHIP_KM)
    found = {split: boxes()[placed.allows(split, boxes(), "2023-07-01", 8)] for split in SPLITS}
    assert {split: (some[:, 0].min(), some[:, 2].max()) for split, some in found.items()} == {
        "train": (0, 28_000),  # the chips that end 10 km before 40 km, in steps of 4 km
        "val": (40_000, 60_000),  # wholly within, and 10 km from East
        "test": (72_000, 100_000),  # the first that begins after 70 km
    }


def test_zones_in_degrees_are_brought_to_the_grid(zones: Zones, tmp_path: Path) -> None:
    table = gpd.read_file(zones.file)
    table.geometry = table.geometry.segmentize(500)
    table.to_crs("EPSG:4269").to_file(tmp_path / "degrees.shp")
    same = Zones(file=tmp_path / "degrees.shp", column="NAME", held_out=zones.held_out,
                 buffer_km=9.9)  # fmt: skip
    for split in ("train", "val"):
        one, other = (
            rule.lay_out(SPLITS, GRID, CHIP_KM).allows(split, boxes(), "2023-07-01", 8)
            for rule in (zones, same)
        )
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"buffer_km": 0.0}, (r"zone Middle is in train and val\. Use a buffer of at least one "
                             r"chip \(8 km\), got 0\.")),
        ({"held_out": {"val": ["Mddle"], "test": ["East"]}}, ("has no zone 'Mddle' in NAME: did "
                                                             r"you mean Middle\?")),
        ({"held_out": {"val": ["x"], "test": ["East"]}}, "has East, Far, Middle, West"),
        ({"held_out": {"val": ["Far"], "test": ["East"]}}, ("zone Far of val lies outside the "
                                                           "region: here are East, Middle, West")),
        ({"held_out": {"val": ["East"], "test": ["East"]}}, ("zone East is in val and test: name "
                                                            "it once")),
        ({"held_out": {"test": ["East"]}}, "has no zone for val"),
        ({"held_out": {"train": ["East"]}}, "holds zones out for train"),
        ({"held_out": {}}, "holds out no zone"),
        ({"column": "NAMES"}, r"has no column 'NAMES': did you mean NAME\?"),
        ({"file": Path("nowhere.gpkg")}, r"no zones file at nowhere\.gpkg"),
        ({"file": Path(__file__)}, "cannot be read"),
    ],
)  # fmt: skip
def test_zones_that_cannot_be_held_out_are_refused(
    zones: Zones, change: dict[str, object], words: str
) -> None:
    with pytest.raises(SplitError, match=words) as caught:
        Zones(**{**vars(zones), **change}).lay_out(SPLITS, GRID, CHIP_KM)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_zones_without_a_crs_or_area_are_refused(zones: Zones, tmp_path: Path) -> None:
    bare = zones_file(tmp_path / "bare.shp")
    bare.with_suffix(".prj").unlink()
    with pytest.raises(SplitError, match=r"bare\.shp has no CRS: add its \.prj"):
        Zones(**{**vars(zones), "file": bare}).lay_out(SPLITS, GRID, CHIP_KM)
    points = gpd.GeoDataFrame({"NAME": ["A"]}, geometry=[shapely.Point(0, 0)], crs="EPSG:3979")
    points.to_file(tmp_path / "points.gpkg")
    with pytest.raises(SplitError, match="holds no polygons"):
        Zones(**{**vars(zones), "file": tmp_path / "points.gpkg"}).lay_out(SPLITS, GRID, CHIP_KM)


BLOCKS = Blocks(size_km=25.0, shares={"val": 0.2, "test": 0.2}, buffer_km=8.0, seed=1)
IN_TIME = Blocks(
    size_km=50.0, shares={"val": 0.25, "test": 0.25}, days=24, buffer_km=10.0, buffer_days=8, seed=2
)


def nearest(rule: Places, placed: Placement, days: list[str]) -> dict[tuple[str, str], bool]:
    """Whether every pair of chips that two splits may take on some days is apart."""
    may = {
        (split, day): boxes()[placed.allows(split, boxes(), day, HORIZON)]
        for split, day in product(SPLITS, days)
    }
    found = {}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        holds = []
        for day, then in product(days, days):
            gap = days_between(np.datetime64(day), np.datetime64(then), HORIZON)
            km = kilometres(may[one, day], may[other, then])
            holds.append(rule.apart.holds(km, np.full(km.shape, gap)).all())
        found[one, other] = all(holds)
    assert all(len(some) for some in may.values()) or rule is IN_TIME
    assert all(any(len(may[split, day]) for day in days) for split in SPLITS)
    return found


@pytest.mark.parametrize("rule", [BLOCKS, IN_TIME], ids=["ground", "ground and time"])
def test_chips_of_two_splits_are_a_buffer_apart(rule: Blocks) -> None:
    days = np.arange("2023-06-01", "2023-07-31", 4, dtype="datetime64[D]").astype(str).tolist()
    placed = rule.lay_out(SPLITS, GRID, CHIP_KM)
    assert all(nearest(rule, placed, days).values())


def test_without_its_buffer_the_rule_would_not_hold() -> None:
    loose = Blocks(**{**vars(BLOCKS), "buffer_km": 8.0})
    placed = loose.lay_out(SPLITS, GRID, CHIP_KM)
    strict = Blocks(**{**vars(BLOCKS), "buffer_km": 16.0})
    assert not all(nearest(strict, placed, ["2023-06-01"]).values())


def test_blocks_are_named_from_the_national_corner() -> None:
    # x 0 to 100 km lies 2600 km from the left, y 600 to 700 km 3300 km below the top
    placed = Blocks(size_km=50, held_out={"test": ["r67c53"]}, buffer_km=8).lay_out(
        ("train", "test"), GRID, CHIP_KM
    )
    chosen = boxes()[placed.allows("test", boxes(), "2023-07-01", 8)]
    assert chosen.min(axis=0).tolist()[:2] == [52_000, 600_000]
    assert chosen.max(axis=0).tolist()[2:] == [100_000, 648_000]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"buffer_km": 0.0}, (r"block r00c00 is in train and val\. Use a buffer of at least one "
                             r"chip \(8 km\), got 0\.")),
        ({"size_km": 4.0}, "blocks of 4 km are smaller than a chip"),
        ({"shares": {}}, "give either shares or held_out blocks"),
        ({"shares": {"val": 0.2}}, "one above 0 for each of val, test"),
        ({"shares": {"val": 0.6, "test": 0.4}}, "below 1 together"),
        ({"shares": {}, "held_out": {"val": ["r01c01"], "test": ["r01c01"]}},
         "block r01c01 is in val and test: name it once"),
        ({"shares": {}, "held_out": {"val": ["r01c01"], "test": ["r132c104"]}},
         "block r01c01 is not in the region"),
        ({"days": 0}, "days=0 and buffer_days=8 start at 1"),
    ],
)  # fmt: skip
def test_blocks_that_cannot_be_held_out_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(SplitError, match=words) as caught:
        Blocks(**{**vars(BLOCKS), **change}).lay_out(SPLITS, GRID, CHIP_KM)
    assert "\n" not in str(caught.value)


# --- fires --------------------------------------------------------------------------------------


def season(year: int, fires: dict[int, tuple[slice, slice, str]]) -> xr.Dataset:
    """Labels of 60 x 60 cells: fires by number, with their cells and the day they start."""
    made = {name: np.full((60, 60), np.nan) for name in ("earliest", "fire_start")}
    made |= {"fraction": np.zeros((60, 60)), "fire_id": np.zeros((60, 60))}
    for number, (rows, columns, day) in fires.items():
        start = np.datetime64(f"{year}-{day}", "D").astype(int)
        made["fraction"][rows, columns] = 1
        made["fire_id"][rows, columns] = number
        made["fire_start"][rows, columns] = start
        # it moves a column a day: the first column is where it started
        days = start + np.arange(60)[columns] - np.arange(60)[columns][0]
        made["earliest"][rows, columns] = days
    axis = np.arange(60) * 100.0
    return xr.Dataset(
        {name: (("y", "x"), values) for name, values in made.items()},
        coords={"y": -axis, "x": axis},
    )


LAST = season(
    2022, {7: (slice(0, 10), slice(0, 10), "08-01"), 8: (slice(40, 50), slice(0, 5), "07-01")}
)


@pytest.mark.parametrize(
    ("column", "day", "linked"),
    [
        (19, "05-10", True),  # from column 9 to 19 are 1000 m between centres
        (20, "05-10", False),
        (12, "06-30", True),
        (12, "07-01", False),
    ],
)
def test_a_fire_near_last_years_ground_in_spring_is_the_same_fire(
    column: int, day: str, linked: bool
) -> None:
    this = season(2023, {3: (slice(0, 5), slice(column, column + 20), day)})
    found = Overwintering().links(LAST, this, 2023)
    assert found == ({((2023, 3), (2022, 7))} if linked else set())


def test_only_the_ground_where_it_may_have_started_counts() -> None:
    # it starts at column 30 and comes near last year's ground after three weeks
    this = season(2023, {3: (slice(0, 5), slice(30, 55), "05-10")})
    this["earliest"] = this["earliest"].copy(data=np.flip(this["earliest"].values, axis=1))
    assert Overwintering().links(LAST, this, 2023) == set()
    undated = this.assign(earliest=this["earliest"] * np.nan)
    assert Overwintering(metres=2200).links(LAST, undated, 2023) == {((2023, 3), (2022, 7))}


def test_the_nearest_of_last_years_fires_goes_on() -> None:
    this = season(2023, {1: (slice(20, 36), slice(0, 3), "05-01")})
    # 11 rows below fire 7 (rows 0 to 9), 5 above fire 8 (rows 40 to 49)
    assert Overwintering(metres=1500).links(LAST, this, 2023) == {((2023, 1), (2022, 8))}


def test_overwintering_can_be_turned_off_and_must_make_sense() -> None:
    this = season(2023, {3: (slice(0, 5), slice(10, 20), "05-10")})
    assert Overwintering(metres=0).links(LAST, this, 2023) == set()
    with pytest.raises(ConfigError, match="give 0 or more"):
        Overwintering(metres=-1)
    with pytest.raises(ConfigError, match="no day: write it as 06-30"):
        Overwintering(until="June")


def test_a_fire_of_three_years_has_one_name() -> None:
    groups = Groups([((2024, 5), (2023, 3)), ((2023, 3), (2022, 7)), ((2024, 9), (2023, 3))])
    names = {groups.name(*fire) for fire in ((2022, 7), (2023, 3), (2024, 5), (2024, 9))}
    assert names == {"2022-7"}
    assert groups.name(2023, 7) == "2023-7"
    assert len(groups) == 3
