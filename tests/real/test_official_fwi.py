"""The FWI System, its seasons and winters, against every table of the official implementation."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from numpy.typing import NDArray

from firesat import fwi
from firesat.cli.main import main

CODES = [field.name for field in fields(fwi.Codes)]
Floats = NDArray[np.float64]


@pytest.fixture
def tables(real_data: Path) -> Path:
    return real_data / "fwi" / "cffdrs_r"


def half_a_digit(text: str) -> float:
    """Half a unit of a printed number's last digit; NaN where it is no finite number."""
    if text in ("NA", "NaN", "Inf"):
        return float("nan")
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    return float(0.5 * 10.0 ** (int(exponent or 0) - digits))


def assert_as_printed(found: Floats, printed: pd.Series) -> None:
    wanted = pd.to_numeric(printed, errors="coerce").to_numpy(dtype=float)
    allowed = np.array([half_a_digit(text) for text in printed]) * (1 + 1e-6)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(wanted))
    finite = np.isfinite(wanted)
    error = np.abs(found[finite] - wanted[finite])
    worst = int(np.argmax(error / allowed[finite]))
    assert error[worst] <= allowed[finite][worst], (
        f"{found[finite][worst]} for {wanted[finite][worst]}"
    )


def read_table(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table as printed and as numbers."""
    text = pd.read_csv(folder / "expected" / f"{name}.csv", dtype=str, keep_default_na=False)
    return text, text.apply(pd.to_numeric, errors="coerce")


def station(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "inputs" / "test_fwi.csv", sep=";")


def weather(rows: pd.DataFrame) -> dict[str, Floats]:
    columns = {"temp": "temp", "rh": "rh", "ws": "ws", "prec": "prec", "month": "mon"}
    return {name: rows[column].to_numpy() for name, column in columns.items()}


def dates(rows: pd.DataFrame) -> NDArray[np.datetime64]:
    parts = {"year": rows["yr"], "month": rows["mon"], "day": rows["day"]}
    return pd.to_datetime(pd.DataFrame(parts)).to_numpy().astype("datetime64[D]")


def two_years(folder: Path, number: int) -> pd.DataFrame:
    """One of the stations with two whole years."""
    rows = pd.read_csv(folder / "inputs" / "test_wDC.csv", sep=";")
    return rows[rows["id"] == number].sort_values(["yr", "mon", "day"])


# Codes --------------------------------------------------------------------------------------------


def test_fine_fuel_moisture_codes_are_the_official_ones(tables: Path) -> None:
    text, t = read_table(tables, "FineFuelMoistureCode")
    found = fwi.ffmc(t["ffmc_yda"], temp=t["temp"], rh=t["rh"], ws=t["ws"], prec=t["prec"])
    assert_as_printed(found, text["FineFuelMoistureCode"])


@pytest.mark.parametrize("adjusted", ["TRUE", "FALSE"])
def test_duff_and_drought_codes_are_the_official_ones(tables: Path, adjusted: str) -> None:
    for name, code in (("DuffMoistureCode", "dmc"), ("DroughtCode", "dc")):
        text, t = read_table(tables, name)
        text, t = (table[text["lat.adjust"] == adjusted] for table in (text, t))
        inputs = {"temp": t["temp"], "prec": t["prec"], "month": t["mon"].to_numpy(dtype=int)}
        if code == "dmc":
            inputs["rh"] = t["rh"]
        latitude = t["lat"] if adjusted == "TRUE" else None
        found = getattr(fwi, code)(t[f"{code}_yda"], **inputs, latitude=latitude)
        assert_as_printed(found, text[name])


def test_indices_are_the_official_ones(tables: Path) -> None:
    text, t = read_table(tables, "InitialSpreadIndex")
    plain = text["fbpMod"] == "FALSE"  # the other half is a fire-behaviour variant, no FWI code
    assert_as_printed(fwi.isi(t["ffmc"][plain], t["ws"][plain]), text["InitialSpreadIndex"][plain])
    text, t = read_table(tables, "BuildupIndex")
    assert_as_printed(fwi.bui(t["dmc"], t["dc"]), text["BuildupIndex"])
    text, t = read_table(tables, "FireWeatherIndex")
    assert_as_printed(fwi.fwi(t["isi"], t["bui"]), text["FireWeatherIndex"])


def test_single_codes_come_out_of_whole_days_too(tables: Path) -> None:
    # the compiled equations see what the tables have of possible weather
    text, t = read_table(tables, "FineFuelMoistureCode")
    here = (t["rh"].between(0, 99.9)) & (t["ws"] >= 0)
    before = fwi.State(ffmc=t["ffmc_yda"][here], dmc=np.array(6.0), dc=np.array(15.0))
    noon = {name: t[name][here] for name in ("temp", "rh", "ws", "prec")}
    codes, _ = fwi.step(before, **noon, month=7)
    assert_as_printed(codes.ffmc, text["FineFuelMoistureCode"][here])
    for name, code in (("DuffMoistureCode", "dmc"), ("DroughtCode", "dc")):
        text, t = read_table(tables, name)
        possible = t["rh"].between(0, 99.9) & (text["lat.adjust"] == "TRUE")
        assert possible.sum() > 1000
        for month in t["mon"][possible].astype(int).unique():
            rows = possible & (t["mon"] == month)
            noon = {key: t[key][rows] for key in ("temp", "rh", "prec")} | {"ws": 0.0}
            start = {"ffmc": np.array(85.0), "dmc": np.array(6.0), "dc": np.array(15.0)}
            start[code] = t[f"{code}_yda"][rows].to_numpy()
            codes, _ = fwi.step(
                fwi.State(**start), **noon, month=month, latitude=t["lat"][rows].to_numpy()
            )
            assert_as_printed(getattr(codes, code), text[name][rows])


# Seasons of a station, and maps -------------------------------------------------------------------

SEASONS: list[tuple[str, slice, dict[str, float], float | None]] = [
    ("fwi_01", slice(None), {}, 40.0),
    ("fwi_02", slice(None), {}, 40.0),
    ("fwi_03", slice(None), {}, 40.0),
    ("fwi_04", slice(None), {"ffmc": 85, "dmc": 6, "dc": 15}, 40.0),
    ("fwi_05", slice(None), {"ffmc": 0, "dmc": 0, "dc": 0}, 40.0),
    ("fwi_06", slice(None), {"ffmc": 200, "dmc": 1000, "dc": 10000}, 40.0),
    ("fwi_07", slice(None), {}, None),
    ("fwi_08", slice(None), {}, 40.0),
    ("fwi_09", slice(6, 7), {}, 40.0),
    ("fwi_10", slice(7, 13), {}, 40.0),
]


@pytest.mark.parametrize(("name", "rows", "first", "latitude"), SEASONS)
def test_a_season_is_the_official_one(
    tables: Path, name: str, rows: slice, first: dict[str, float], latitude: float | None
) -> None:
    begin = fwi.start(rules=fwi.Rules(**first))
    codes, _ = fwi.series(begin, **weather(station(tables).iloc[rows]), latitude=latitude)
    text, _ = read_table(tables, name)
    text.columns = text.columns.str.lower()  # fwi_08 is the one printed in lower case
    for code in CODES:
        assert_as_printed(getattr(codes, code), text[code])


def written(folder: Path, rows: slice, **more: Any) -> Path:
    """The official input as the command wants it."""
    table = station(folder).iloc[rows].rename(columns={"long": "lon"})
    table.insert(0, "date", dates(table).astype(str))
    table = table.drop(columns=["yr", "mon", "day"]).assign(**more)
    table.to_csv("in.csv", index=False)
    return Path("in.csv")


@pytest.mark.parametrize(("name", "rows", "first", "latitude"), SEASONS)
def test_the_command_writes_the_official_season(
    tables: Path,
    name: str,
    rows: slice,
    first: dict[str, float],
    latitude: float | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [text for code, value in first.items() for text in (f"--{code}0", str(value))]
    options += [] if latitude else ["--no-lat-adjust"]
    options += ["--codes-only"] if name == "fwi_03" else []
    options += ["--upper-case"] if name != "fwi_08" else []
    assert main(["fwi", str(written(tables, rows)), "-o", "out.csv", *options]) == 0
    found, (text, _) = pd.read_csv("out.csv"), read_table(tables, name)
    assert list(found)[-7:] == list(text)[-7:]
    assert len(list(found)) == (7 if name == "fwi_03" else 7 + 7)
    for column in list(text)[-7:]:
        assert_as_printed(found[column].to_numpy(), text[column])


def test_the_command_takes_every_row_as_a_station_of_its_own(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = written(tables, slice(None), id=range(48))
    assert main(["fwi", str(table), "-o", "out.csv"]) == 0
    found, (text, _) = pd.read_csv("out.csv"), read_table(tables, "fwi_11")
    for code in CODES:
        assert_as_printed(found[code].to_numpy(), text[code.upper()])


def test_stations_side_by_side_are_the_official_ones(tables: Path) -> None:
    rows = weather(station(tables))
    text, _ = read_table(tables, "fwi_11")
    for month in np.unique(rows["month"]):
        here = rows["month"] == month
        day = {name: values[here] for name, values in rows.items() if name != "month"}
        codes, _ = fwi.step(fwi.start((here.sum(),)), **day, month=int(month), latitude=40.0)
        for code in CODES:
            assert_as_printed(getattr(codes, code), text[code.upper()][here])


@pytest.mark.parametrize(("name", "inputs"), [("test1_and_2", 4), ("test3", 0)])
def test_a_map_is_the_official_one(tables: Path, name: str, inputs: int) -> None:
    with rasterio.open(tables / "inputs" / "test_rast_day01.tif") as source:
        temp, rh, ws, prec = source.read().astype("float64")
    with rasterio.open(tables / "expected" / f"fwiRaster_{name}.tif") as source:
        assert [text.lower() for text in source.descriptions[inputs:]] == CODES
        wanted = source.read().astype("float64")[inputs:]
    codes, _ = fwi.step(
        fwi.start(temp.shape), temp=temp, rh=rh, ws=ws, prec=prec, month=7, latitude=55.0
    )
    for code, printed in zip(CODES, wanted, strict=True):
        # printed with four digits, stored as float32
        allowed = 0.5 * 10.0 ** (np.floor(np.log10(printed)) - 3) + 6e-8 * printed
        assert (np.abs(getattr(codes, code) - printed) <= allowed).all()


# Fire seasons and winters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "rule"),
    [
        ("FireSeason_test_wDC_1", 1, fwi.Season()),
        ("FireSeason_test_wDC_2", 1, fwi.Season(start=10.0, end=3.0)),
        ("FireSeason_test_wDC_3", 2, fwi.Season(method="WF93")),
    ],
)
def test_fire_seasons_start_and_end_on_the_official_dates(
    tables: Path, name: str, number: int, rule: fwi.Season
) -> None:
    rows, (text, _) = two_years(tables, number), read_table(tables, name)
    found = fwi.fire_season(dates(rows), tmax=rows["tmax"], rule=rule)
    wanted = list(zip(text["date"], text["fsdatetype"], strict=True))
    assert [(str(date), kind) for date, kind in found] == wanted


def test_overwintered_drought_codes_are_the_official_ones(tables: Path) -> None:
    text, t = read_table(tables, "OverwinterDroughtCode")
    found = fwi.overwinter_dc(t["DCf"], t["rw"], carry_over=t["a"], wetting=t["b"])
    assert_as_printed(found, text["OverwinterDroughtCode"])


@pytest.mark.parametrize(
    ("name", "autumn", "rain", "fractions"),
    [
        ("wDC_1", 300.0, 110.0, {}),
        ("wDC_2", 300.0, 110.0, {"carry_over": 1.0, "wetting": 0.9}),
        (
            "wDC_3",
            [400.0, 300.0, 250.0],
            [99.0, 110.0, 200.0],
            {"carry_over": [0.75, 1.0, 0.75], "wetting": [0.75, 0.9, 0.75]},
        ),
    ],
)
def test_the_official_examples_of_a_winter(
    tables: Path, name: str, autumn: Any, rain: Any, fractions: dict[str, Any]
) -> None:
    text, _ = read_table(tables, f"OverwinterDroughtCode_test_{name}")
    found = np.atleast_1d(fwi.overwinter_dc(autumn, rain, **fractions))
    assert_as_printed(found, text["data"])


@pytest.mark.parametrize(("name", "autumn"), [("wDc_4", 500.0), ("wDc_5", 250.0)])
def test_a_real_winter_is_carried_over_as_officially(
    tables: Path, name: str, autumn: float
) -> None:
    rows = two_years(tables, 2)
    events = pd.read_csv(tables / "inputs" / "test_wDC_fs.csv", sep=";")
    ends, begins = dates(events[events["id"] == 2])[1:3]
    days, wanted = dates(rows), read_table(tables, f"OverwinterDroughtCode_test_{name}")[0]["data"]
    winter = (days > ends) & (days < begins)
    assert_as_printed(np.atleast_1d(fwi.overwinter_dc(autumn, rows["prec"][winter].sum())), wanted)
    # the same from day to day: in season on its last day, without its rain in the winter's
    here = (days >= ends) & (days <= begins)
    season = (days[here] == ends) | (days[here] == begins)
    before = fwi.State(
        ffmc=np.array(85.0), dmc=np.array(6.0), dc=np.array(autumn), in_season=np.array(True)
    )
    last = rows[here].iloc[[0]]
    last_dc = fwi.dc(autumn, temp=last["temp"], prec=last["prec"], month=last["mon"], latitude=55.0)
    codes, _ = fwi.series(
        before,
        **weather(rows[here]),
        latitude=55.0,
        season=season,
        rules=fwi.Rules(overwinter=True),
    )
    spring = fwi.overwinter_dc(last_dc, rows["prec"][winter].sum())
    first = rows[here].iloc[[-1]]
    wanted_dc = fwi.dc(spring, temp=first["temp"], prec=first["prec"], month=5, latitude=55.0)
    np.testing.assert_allclose(codes.dc[[0, -1]], [last_dc[0], wanted_dc[0]], rtol=1e-12)
    assert np.isnan(codes.dc[1:-1]).all()
