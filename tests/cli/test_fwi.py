"""`firesat fwi`: stations in, codes out; every wrong table refused before anything is written."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firesat import fwi
from firesat.cli.main import main
from firesat.cube import open_cube
from tests.jobs.test_derive import SEASON, noon, put

HEADER = "date,lat,lon,temp,rh,ws,prec"
CODES = ["ffmc", "dmc", "dc", "isi", "bui", "fwi", "dsr"]
SPRING = [
    "1985-04-13,40,-100,17.0,42,25,0.0",
    "1985-04-14,40,-100,20.0,21,25,2.4",
    "1985-04-15,40,-100,8.5,40,17,0.0",
]
Rows = list[dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(lines: list[str], header: str = HEADER, name: str = "in.csv") -> str:
    Path(name).write_text("\n".join([header, *lines]) + "\n")
    return name


def rows_of(name: str = "out.csv") -> Rows:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def run(lines: list[str], *options: str, header: str = HEADER) -> Rows:
    assert main(["fwi", table(lines, header), "-o", "out.csv", *options]) == 0
    return rows_of()


def numbers(rows: Rows, name: str) -> list[float]:
    return [float(row[name] or "nan") for row in rows]


def dry(day: str, *, where: str = "55,-110", rain: float = 0.0, temp: float = 22.0) -> str:
    return f"{day},{where},{temp},35,12,{rain}"


def days(first: str, count: int) -> list[str]:
    return [str(day) for day in np.datetime64(first, "D") + np.arange(count)]


# Codes --------------------------------------------------------------------------------------------


def test_the_output_is_the_input_and_the_codes_to_the_last_bit(folder: Path) -> None:
    rows = run([f"{line},kept as is" for line in SPRING], header=f"{HEADER},Note")
    assert list(rows[0]) == [*HEADER.split(","), "Note", *CODES]
    assert [row["temp"] for row in rows] == ["17.0", "20.0", "8.5"]
    assert {row["Note"] for row in rows} == {"kept as is"}
    cells = np.array([[float(cell) for cell in line.split(",")[3:]] for line in SPRING]).T
    codes, _ = fwi.series(
        fwi.start(), **dict(zip(("temp", "rh", "ws", "prec"), cells, strict=True)),
        month=[4, 4, 4], latitude=40.0,
    )  # fmt: skip
    for name in CODES:
        assert numbers(rows, name) == getattr(codes, name).tolist()


def test_start_codes_are_those_of_the_day_before_the_first_row(folder: Path) -> None:
    rows = run([dry("2023-07-01")], "--ffmc0", "70", "--dmc0", "50", "--dc0", "300")
    assert numbers(rows, "dc") == [
        pytest.approx(float(fwi.dc(300.0, temp=22.0, prec=0.0, month=7)), rel=1e-12)
    ]
    assert numbers(rows, "dmc")[0] > 50


def test_rows_of_two_stations_in_any_order_are_two_series(folder: Path) -> None:
    here = [dry(day, rain=r) for day, r in zip(days("2023-07-01", 5), [0, 8, 0, 0, 1], strict=True)]
    there = [dry(day, where="49.5,-119.6") for day in days("2023-06-29", 4)]
    alone = {row["date"]: row for row in run(here)}, {row["date"]: row for row in run(there)}
    mixed = [here[4], there[1], here[0], there[3], here[2], there[0], here[1], here[3], there[2]]
    rows = run(mixed)
    for row, line in zip(rows, mixed, strict=True):
        assert ",".join(row[name] for name in HEADER.split(",")) == line
        wanted = alone[0 if row["lat"] == "55" else 1][row["date"]]
        assert {name: row[name] for name in CODES} == {name: wanted[name] for name in CODES}


def test_an_id_tells_stations_of_one_place_apart(folder: Path) -> None:
    both = [f"{dry(day)},{name}" for name in ("a", "b") for day in days("2023-07-01", 3)]
    rows = run(both, header=f"{HEADER},id")
    assert numbers(rows[:3], "dc") == numbers(rows[3:], "dc")


def test_names_may_be_in_any_order_and_case(folder: Path) -> None:
    rows = run(["12,0,35,22,-110,55,2023-07-01"], header="WS,Prec,RH,Temp,Lon,LAT,Date")
    assert numbers(rows, "dc") == numbers(run([dry("2023-07-01")]), "dc")


def test_the_official_package_s_ways_of_writing(folder: Path) -> None:
    rows = run(SPRING, "--codes-only")
    assert list(rows[0]) == CODES
    rows = run(SPRING, "--upper-case")
    assert list(rows[0]) == [name.upper() for name in [*HEADER.split(","), *CODES]]


def test_day_length_can_be_that_of_46_north_everywhere(folder: Path) -> None:
    south = [dry("2023-12-01", where="-35,150")]
    adjusted, plain = run(south), run(south, "--no-lat-adjust")
    assert numbers(adjusted, "dmc")[0] > numbers(plain, "dmc")[0]
    assert numbers(plain, "dmc") == numbers(run([dry("2023-12-01")]), "dmc")


# Missing weather ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hole", ["absent", "", "NA", "nan"])
def test_a_day_without_weather_is_passed_over(
    folder: Path, hole: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [dry(day) for day in days("2023-07-01", 3)]
    if hole == "absent":
        del lines[1]
    else:
        lines[1] = f"2023-07-02,55,-110,22.0,{hole},12,0.0"
    rows = run(lines)
    drought = numbers(rows, "dc")
    if hole != "absent":
        assert all(rows[1][name] == "" for name in CODES)
    wanted = fwi.dc(drought[0], temp=22.0, prec=0.0, month=7)
    assert drought[-1] == pytest.approx(float(wanted), rel=1e-12)
    said = capsys.readouterr().err
    assert "station 55.0,-110.0 has no weather on 1 day from 2023-07-02: goes on" in said


@pytest.mark.parametrize(("absent", "restarts"), [(52, False), (53, True)])
def test_a_long_gap_starts_anew(
    folder: Path, absent: int, restarts: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [dry(day) for day in days("2023-05-01", 10)]
    lines.append(dry(days("2023-05-11", absent + 1)[-1]))
    rows = run(lines, "--json", "--dc0", "200")
    report = json.loads(capsys.readouterr().out)
    assert report["gaps"] == [
        {
            "station": "55.0,-110.0",
            "first": "2023-05-11",
            "last": days("2023-05-11", absent)[-1],
            "days": absent,
            "restarts": restarts,
        }
    ]
    before = 200.0 if restarts else numbers(rows, "dc")[9]
    wanted = fwi.dc(before, temp=22.0, prec=0.0, month=7)
    assert numbers(rows, "dc")[-1] == pytest.approx(float(wanted), rel=1e-12)


# Seasons ------------------------------------------------------------------------------------------


def two_summers(winter_rain: float) -> list[str]:
    """Ten warm days, five cold ones, a winter, and eight warm ones."""
    dates = days("2022-09-01", 10 + 5 + 30 + 8)
    warm = [True] * 10 + [False] * 35 + [True] * 8
    return [
        dry(day, temp=22.0 if hot else -5.0, rain=0.0 if hot else winter_rain)
        for day, hot in zip(dates, warm, strict=True)
    ]


def test_without_season_every_day_has_codes(folder: Path) -> None:
    assert all(row["dc"] for row in run(two_summers(1.0)))


def test_a_season_leaves_the_rest_of_the_year_empty(folder: Path) -> None:
    rows = run(two_summers(1.0), "--season")
    inside = [row["season"] == "1" for row in rows]
    # three warm days pass before the start; the season ends on the day after three cold ones
    assert inside == [False] * 3 + [True] * 11 + [False] * 34 + [True] * 5
    assert [row["dc"] != "" for row in rows] == inside
    assert numbers(rows, "dc")[3] == pytest.approx(
        float(fwi.dc(15.0, temp=22.0, prec=0.0, month=9)), rel=1e-12
    )


def test_overwintering_carries_the_drought_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run(two_summers(1.0), "--season", "--overwinter", "--json")
    seasons = json.loads(capsys.readouterr().out)["seasons"]
    assert [season["winter_rain"] for season in seasons] == [None, 31.0]
    assert [season["first"] for season in seasons] == ["2022-09-04", "2022-10-19"]
    drought = numbers(rows, "dc")
    spring = fwi.overwinter_dc(drought[13], 31.0)
    wanted = fwi.dc(spring, temp=22.0, prec=0.0, month=10)
    assert drought[48] == pytest.approx(float(wanted), rel=1e-12)


def test_a_column_tmax_decides_the_season(folder: Path) -> None:
    cold = [f"{dry(day)},2.0" for day in days("2023-05-01", 6)]
    assert all(row["season"] == "0" for row in run(cold, "--season", header=f"{HEADER},tmax"))


def test_columns_of_seasons_are_any_columns_without_season(folder: Path) -> None:
    rows = run([f"{GOOD},warm,summer"], header=f"{HEADER},tmax,season")
    assert (rows[0]["tmax"], rows[0]["season"]) == ("warm", "summer")


def test_a_season_by_snow(folder: Path) -> None:
    snow = ["10", "0", "0", "0", "0", "3", "0"]
    lines = [f"{dry(d)},{s}" for d, s in zip(days("2023-05-01", 7), snow, strict=True)]
    options = ("--season", "--season-method", "LA08")
    rows = run(lines, *options, header=f"{HEADER},snow_depth")
    assert [row["season"] for row in rows] == ["0", "0", "0", "1", "1", "1", "0"]


# Refusals -----------------------------------------------------------------------------------------

GOOD = dry("2023-07-01")
WRONG: list[tuple[str, list[str], str]] = [
    (HEADER.replace("temp", "temperature"), [GOOD], "has no column temp: is it 'temperature'?"),
    (HEADER.replace("rh", "relative_humidity"), [GOOD], "no column rh: is it 'relative_humidity'?"),
    (HEADER.replace("prec", "prce"), [GOOD], "has no column prec: is it 'prce'?"),
    (HEADER.replace("lon", "long"), [GOOD], "has no column lon: is it 'long'?"),
    ("date,lat,lon,temp,rh,ws", ["2023-07-01,55,-110,22,35,12"], "has no column prec: it has date"),
    (f"{HEADER},TEMP", [f"{GOOD},1"], "has two columns temp"),
    (f"{HEADER},fwi", [f"{GOOD},1"], "already has a column fwi"),
    (HEADER, [], "has no rows"),
    (HEADER, [dry("2023-02-30")], "line 2: '2023-02-30' is no date: give YYYY-MM-DD"),
    (HEADER, [GOOD, dry("02/07/2023")], "line 3: '02/07/2023' is no date"),
    (HEADER, [GOOD, dry("2023-7-2")], "line 3: '2023-7-2' is no date"),
    (HEADER, [GOOD, dry("")], "line 3: '' is no date"),
    (HEADER, [GOOD, GOOD], "line 3: station 55.0,-110.0 has 2023-07-01 on line 2 too: keep one"),
    (HEADER, ["2023-07-01,55,-110,22,130,12,0"], "line 2: rh is 130: give percent from 0 to 100"),
    (HEADER, ["2023-07-01,55,-110,22,-1,12,0"], "rh is -1"),
    (HEADER, ["2023-07-01,55,-110,22,101,12,0"], "rh is 101"),
    (HEADER, ["2023-07-01,55,-110,22,35,-2,0"], "ws is -2: give km/h from 0 to 300"),
    (HEADER, ["2023-07-01,55,-110,22,35,12,-0.1"], "prec is -0.1: give mm"),
    (HEADER, ["2023-07-01,55,-110,22,35,12,inf"], "prec is inf"),
    (HEADER, ["2023-07-01,55,-110,295.1,35,12,0"], "temp is 295.1: give degC from -70 to 60"),
    (HEADER, ["2023-07-01,95,-110,22,35,12,0"], "lat is 95: give degrees north"),
    (HEADER, ["2023-07-01,,-110,22,35,12,0"], "lat is missing"),
    (HEADER, ["2023-07-01,55,-110,warm,35,12,0"], "temp is 'warm', which is no number"),
    (HEADER, ["2023-07-01,55,-110,22,35,12"], "line 2: 6 cells under 7 columns"),
    (f"{HEADER},id", [f"{GOOD},"], "the id is missing"),
    (
        f"{HEADER},id",
        [f"{GOOD},7", f"{dry('2023-07-02', where='56,-110')},7"],
        "line 3: station 7 was elsewhere on line 2",
    ),
]


@pytest.mark.parametrize(("header", "lines", "said"), WRONG, ids=[row[2] for row in WRONG])
def test_a_wrong_table_is_one_line_exit_2_and_no_output(
    folder: Path, header: str, lines: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fwi", table(lines, header), "-o", "out.csv"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ConfigError: in.csv")
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["in.csv"]


def test_many_wrong_rows_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{day},55,-110,22,150,12,0" for day in days("2023-07-01", 5)]
    assert main(["fwi", table(lines), "-o", "out.csv"]) == 2
    assert "line 2: rh is 150: give percent from 0 to 100 (4 more like it)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "none/out.csv"], "there is no folder none for out.csv: make it first"),
        (["-o", "in.csv"], "is the table itself"),
        (["-o", "."], "is a folder"),
        ([], "where to write?"),
        (["-o", "out.csv", "--overwinter"], "--overwinter needs --season"),
        (["-o", "out.csv", "--season-start", "10"], "--season-start says nothing without --season"),
        (["-o", "out.csv", "--carry-over", "1"], "--carry-over says nothing without --overwinter"),
        (["-o", "out.csv", "--dc0", "-1"], "--dc0 is -1.0: give a code of 0 or more"),
        (["-o", "out.csv", "--season", "--season-method", "LA08"], "needs a column snow_depth"),
        (["-o", "out.csv", "--season", "--overwinter", "--wetting", "2"], "are fractions"),
    ],
)
def test_options_that_cannot_be_are_one_line_and_exit_2(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(table([GOOD])).read_text()
    assert main(["fwi", "in.csv", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert Path("in.csv").read_text() == before
    assert [path.name for path in folder.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seson"], "unrecognized arguments: --seson: did you mean --season?"),
        (["--ffmc", "85"], "did you mean --ffmc0?"),
        (["--ffmc0", "dry"], "argument --ffmc0: invalid float value: 'dry': see firesat fwi"),
    ],
)
def test_an_unknown_option_is_one_line_with_the_nearest(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fwi", table([GOOD]), "-o", "out.csv", *options])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_what_is_no_csv_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert main(["fwi", "in.csv", "-o", "out.csv"]) == 2
    assert main(["fwi", "none.csv", "-o", "out.csv"]) == 2
    error = capsys.readouterr().err
    assert "cannot read in.csv" in error
    assert "there is no table at none.csv" in error
    assert error.count("\n") == 2


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fwi", table(SPRING), "-o", "out.csv", "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert said == "would write out.csv: 3 rows, 1 station, 1985-04-13 to 1985-04-15\n"
    assert [path.name for path in folder.iterdir()] == ["in.csv"]
    assert main(["fwi", table([GOOD, GOOD]), "-o", "out.csv", "--dry-run"]) == 2


# Cubes --------------------------------------------------------------------------------------------


def test_a_cube_gets_its_group(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder / "cube.zarr", "era5_land", SEASON, noon)
    assert main(["fwi", "cube.zarr", "--dry-run"]) == 0
    assert "would derive fire_weather in cube.zarr" in capsys.readouterr().err
    assert main(["fwi", "cube.zarr", "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["blocks"] == {"done": 2, "unchanged": 0}
    assert float(open_cube(folder / "cube.zarr", "fire_weather")["dc"].max()) > 100


def test_a_cube_takes_no_options_of_tables(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "cube.zarr", "era5_land", SEASON[:2], noon)
    assert main(["fwi", "cube.zarr", "--season"]) == 2
    assert "--season is for tables: cube.zarr is a cube" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_cube_without_weather_is_named(
    folder: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "cube.zarr", "nbac", SEASON[:1], noon)
    assert main(["fwi", "cube.zarr", *more]) == 1
    error = capsys.readouterr().err
    assert error == (
        "CubeError: cube.zarr has no era5_land, of which fire_weather is made: ingest it first\n"
    )
