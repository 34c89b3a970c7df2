"""`firesat fires`: what it prints, writes and refuses."""

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from firesat.cli.main import main

ROWS = """SRC_AGENCY,FIRE_ID,YEAR,REP_DATE,SIZE_HA,CAUSE,LATITUDE,LONGITUDE
MB,1,2023,2023-07-01,10.5,L,54.7,-94.7
MB,2,2023,2023-07-02,1.5,H,54.8,-94.7
MB,3,2023,2023-07-02,1.5,H,54.8,94.7
MB,4,2023,,1.5,H,54.8,-94.7
"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    (tmp_path / "nfdb.csv").write_text(ROWS)
    return tmp_path / "nfdb.csv"


def test_json_names_every_row_with_its_reason(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fires", str(listed), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["maker"], report["rows"], report["fires"]) == ("NFDB", 4, 2)
    assert report["hectares"] == 12.0
    assert report["causes"] == {"natural": 1, "human": 1}
    assert (report["first"], report["last"]) == ("2023-07-01T12:00:00", "2023-07-02T12:00:00")
    assert report["refused_rows"] == [
        {"row": 3, "reason": "coordinates outside Canada"},
        {"row": 4, "reason": "no readable date of its start since 1970"},
    ]
    assert main(["fires", str(listed)]) == 0
    assert "left out: row 3: coordinates outside Canada" in capsys.readouterr().out


def test_the_schema_is_written_whole_or_not_at_all(
    listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "fires.gpkg"
    assert main(["fires", str(listed), "-o", str(output), "--dry-run"]) == 0
    assert not output.exists()
    assert main(["fires", str(listed), "-o", str(output)]) == 0
    written = gpd.read_file(output)
    assert written["fire"].tolist() == ["MB 1 2023", "MB 2 2023"]
    assert written.crs.to_epsg() == 4326
    assert pd.to_datetime(written["start"]).dt.tz_localize(None).iloc[0] == pd.Timestamp(
        "2023-07-01 12:00"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"nfdb.csv", "fires.gpkg"}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("output", "words"),
    [("fires.csv", "is no GeoPackage"), ("nowhere/fires.gpkg", "in a folder that is there")],
)
def test_outputs_that_cannot_be_are_refused_with_exit_2(
    listed: Path, tmp_path: Path, output: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fires", str(listed), "-o", str(tmp_path / output)]) == 2
    assert words in capsys.readouterr().err
