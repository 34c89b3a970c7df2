"""`firesat labels`: its report, its exit codes, and one line for every wrong request."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import rasterio
import shapely
from shapely.geometry import box

from firesat.cli.main import main

BBOX = ("-94.72", "54.68", "-94.55", "54.78")
SQUARE = box(22_000, 632_000, 26_000, 636_000)
ROW = {"YEAR": 2023, "NFIREID": 7, "GID": "2023_7", "AG_SDATE": "2023-07-05", "ADJ_HA": 1660.0}


def write(
    path: Path,
    *,
    row: dict[str, object] = ROW,
    shape: shapely.Geometry = SQUARE,
    crs: str = "EPSG:3979",
) -> Path:
    gpd.GeoDataFrame([row], geometry=[shape], crs=crs).to_file(path)
    return path


@pytest.fixture
def fires(tmp_path: Path) -> Path:
    return write(tmp_path / "fires.gpkg")


def command(fires: Path, *more: str, year: str = "2023", bbox: tuple[str, ...] = BBOX) -> list[str]:
    output = fires.parent / "out" / "labels.tif"
    return ["labels", str(fires), "--year", year, "--bbox", *bbox, "-o", str(output), *more]


def test_json_holds_the_counts_and_the_file_is_there(
    fires: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = fires.parent / "hotspots.csv"
    table.write_text(
        "latitude,longitude,acq_date,acq_time,frp\n54.75,-94.62,2023-07-06,2030,9.1\n"
        "x,-94.63,2023-07-06,2030,9.1\n"
    )
    assert main(command(fires, "--hotspots", str(table), "--json")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {name: shown[name] for name in ("fires", "prescribed_excluded", "undated")} == {
        "fires": 1,
        "prescribed_excluded": 0,
        "undated": 0,
    }
    assert shown["without_hotspots"] == 0
    assert shown["hotspots"] == {"rows": 2, "used": 1, "impossible coordinates": 1}
    left_out = {"file": "hotspots.csv", "row": 2, "reason": "impossible coordinates"}
    assert shown["refused_list"] == [left_out]
    assert shown["unknown_cells"] == {"prescribed": 0, "undated": 0, "stray_hotspots": 0}
    area = shown["area_ha"]
    assert area["official"] == 1660.0
    assert area["fractions"] == pytest.approx(area["polygons"], rel=1e-4)
    assert shown["outliers"] == []
    with rasterio.open(shown["output"]) as file:
        assert file.descriptions[:5] == ("fraction", "fire_id", "burn_day", "earliest", "latest")
        assert list(file.shape) == shown["shape"]


def test_without_json_the_facts_are_lines(fires: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fires = write(fires.parent / "b.gpkg", row=ROW | {"ADJ_HA": 1000.0})
    assert main(command(fires)) == 0
    shown = capsys.readouterr()
    assert "fires                1\n" in shown.out
    assert "off by more than 1 %: 2023_7 official 1000.0 ha" in shown.out
    assert "NBAC's newest year is provisional" in shown.err


def test_features_left_out_are_named_with_their_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [ROW, ROW | {"GID": "2023_8", "NFIREID": 8}]
    mixed = gpd.GeoDataFrame(rows, geometry=[SQUARE, shapely.Point(22_000, 632_000)])
    mixed.set_crs("EPSG:3979").to_file(tmp_path / "mixed.gpkg")
    assert main(command(tmp_path / "mixed.gpkg", "--dry-run")) == 0
    assert "left out: mixed.gpkg row 2: points or lines" in capsys.readouterr().err
    assert main(command(tmp_path / "mixed.gpkg", "--dry-run", "--json")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["refused_rows"] == {"points or lines": 1}
    assert shown["refused_list"] == [{"file": "mixed.gpkg", "row": 2, "reason": "points or lines"}]


def test_a_dry_run_reads_and_writes_nothing(
    fires: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(fires, "--dry-run", "--json")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["fires"], shown["year"]) == (1, 2023)
    assert "area_ha" not in shown
    assert not (fires.parent / "out").exists()


@pytest.mark.parametrize(
    ("bbox", "words"),
    [
        (("-94", "54", "-95", "55"), "is empty or has its edges swapped"),
        (("-95", "55", "-94", "54"), "is empty or has its edges swapped"),
        (("54", "-95", "55", "-94"), "has latitude where longitude stands"),
        (("-180", "-90", "180", "90"), "leaves Canada"),
        (("2", "48", "3", "49"), "leaves Canada"),
        (("20000", "630000", "30000", "640000"), "is not in degrees"),
        (("nan", "54", "-94", "55"), "has an edge that is no number"),
        (("-60", "42.5", "-59", "43"), "has no fires of 2023 near this --bbox"),
    ],
    ids=["west-east", "south-north", "swapped", "world", "Paris", "metres", "nan", "elsewhere"],
)
def test_a_bbox_that_cannot_be_is_refused_in_one_line(
    fires: Path, bbox: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(fires, bbox=bbox)) == 2
    shown = capsys.readouterr().err
    errors = [line for line in shown.splitlines() if not line.startswith("note:")]
    assert len(errors) == 1
    assert words in errors[0]
    assert not (fires.parent / "out").exists()


def _bare(path: Path) -> Path:
    """A shapefile without .prj, of no known maker."""
    row = {"START_DATE": "2023-07-05"}
    write(path / "bare.shp", row=row)
    (path / "bare.prj").unlink()
    return path / "bare.shp"


def _text(name: str, content: str) -> Callable[[Path], Path]:
    """A file of some words."""

    def write_text(path: Path) -> Path:
        (path / name).write_text(content)
        return path / name

    return write_text


def _odd(name: str, **changed: object) -> Callable[[Path], Path]:
    """A file that is not as it should be."""
    return lambda path: write(path / name, **changed)


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (_odd("a.gpkg", row={"BURNED": "2023-07-05"}), 1, "has no column of the dates"),
        (_bare, 1, "bare.shp names no CRS"),
        (_odd("a.gpkg", shape=box(-95, 54, -94, 55)), 1, "has coordinates in degrees"),
        (_odd("a.geojson", crs="EPSG:4326"), 1, "no longitude and latitude"),
        (_odd("a.gpkg", row=ROW | {"YEAR": 2021}), 2, "has no fires of 2023, but of 2021"),
        (_odd("a.gpkg", shape=shapely.Point(24_000, 634_000)), 1, "holds points or lines"),
        (_text("a.geojson", '{"type": "FeatureCollection", "features": []}'), 1, "is empty"),
        (_text("a.geojson", ""), 1, "cannot be read"),
        (_text("a.shp", "<html>"), 1, "cannot be read"),
        (_text("a.zip", "<html>"), 1, "is no zip archive"),
        (lambda path: path / "none.shp", 2, "there is no file"),
    ],
    ids=["no dates", "no CRS", "degrees as metres", "metres as degrees", "other year", "points",
         "no features", "empty", "a page", "no zip", "not there"],
)  # fmt: skip
def test_bad_perimeters_are_refused_in_one_line(
    tmp_path: Path,
    make: Callable[[Path], Path],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make(tmp_path)
    assert main(command(path)) == code
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert words in shown
    assert path.name in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("lat,lon,frp\n54,-94,1\n", 1, "it lacks rep_date of CWFIS; latitude, longitude, acq_date"),
        ("", 1, "is no CSV table"),
        ("lat,lon,rep_date\n", 1, "is empty"),
        ("lat,lon,rep_date\n54,-94,2021-07-05 20:00\n", 2, "has no hotspots of 2023, but of 2021"),
        ("lat,lon,rep_date\n54,-94,soon\n", 1, "no row can be used"),
        (None, 2, "there is no file"),
    ],
    ids=["columns", "empty", "no rows", "other year", "no times", "not there"],
)
def test_bad_hotspots_are_refused_in_one_line(
    fires: Path, content: str | None, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = fires.parent / "hotspots.csv"
    if content is not None:
        table.write_text(content)
    assert main(command(fires, "--hotspots", str(table))) == code
    error = capsys.readouterr().err.splitlines()[-1]
    assert words in error
    assert "hotspots.csv" in error
    assert not (fires.parent / "out").exists()


@pytest.mark.parametrize(
    ("more", "year", "words"),
    [
        (["-o", "labels.png"], "2023", "is no GeoTIFF"),
        ([], "23", "--year 23 is no season"),
        (["-o", "/proc/nowhere/labels.tif"], "2023", "cannot be written"),
    ],
)
def test_other_wrong_requests_are_one_line(
    fires: Path, more: list[str], year: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(fires, *more, year=year)) in (1, 2)
    errors = [line for line in capsys.readouterr().err.splitlines() if words in line]
    assert len(errors) == 1
