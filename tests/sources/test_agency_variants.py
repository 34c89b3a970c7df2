"""What agencies have called columns, files and encodings over the years."""

import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from firesat.errors import CorruptFileError
from firesat.sources._hotspots import read_hotspots
from firesat.sources.fire_files import read_fires
from firesat.sources.fire_records import read_records
from firesat.sources.fires import Nbac

GROUND = shapely.box(-100_000, 800_000, -90_000, 810_000)
# Columns of dates: of the releases since 2022, and of those before.
NOW = {"NFIREID": 12.0, "GID": "2019_12", "AG_SDATE": "2019-06-02", "HS_SDATE": "2019-06-03",
       "HS_EDATE": "2019-06-13", "PRESCRIBED": "false"}  # fmt: skip
BEFORE = {"NFIREID": 12.0, "AFSDATE": "2019-06-02", "SDATE": "2019-06-03", "EDATE": "2019-06-13"}
POINTS = (
    "FID,SRC_AGENCY,FIRE_ID,FIRENAME,LATITUDE,LONGITUDE,YEAR,REP_DATE,SIZE_HA,CAUSE\n"
    "0,QC,2019-1,Forêt,52.1,-75.2,2019,2019-06-03 00:00:00,12.5,N\n"
)
DETECTIONS = "lat,lon,rep_date,source,frp\n55.1,-110.2,2023-07-01 18:36:00,Québec,5.5\n"


def zipped(name: str, folder: Path, columns: dict[str, object], *, without: str = "") -> Path:
    """A zipped shapefile of one fire."""
    frame = gpd.GeoDataFrame(
        {key: [each] for key, each in columns.items()}, geometry=[GROUND], crs=3978
    )
    frame.to_file(folder / f"{name}.shp", engine="pyogrio")
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for part in sorted(folder.glob(f"{name}.*")):
            if part.suffix not in (".zip", without):
                archive.write(part, part.name)
    return folder / f"{name}.zip"


@pytest.mark.parametrize(
    ("name", "columns", "without"),
    [
        ("NBAC_2019_20240530", NOW, ""),
        ("NBAC_2019_20240530_shp", NOW, ".prj"),
        ("nbac_2019_r9_20200703", BEFORE, ""),
    ],
)
def test_every_release_of_nbac_tells_when_a_fire_burned_and_its_number(
    name: str, columns: dict[str, object], without: str, tmp_path: Path
) -> None:
    table = Nbac().read(zipped(name, tmp_path, columns, without=without))
    assert table["fire_id"].values.tolist() == [12]
    days = [table[date].values[0] for date in ("agency_start", "hotspot_start", "hotspot_end")]
    first = (pd.Timestamp("2019-06-02") - pd.Timestamp(0)).days
    assert days == [first, first + 1, first + 11]


def test_other_perimeters_are_not_read_as_nbac_without_dates(tmp_path: Path) -> None:
    path = zipped("perimeters", tmp_path, {"FIRE_NUM": "C50929", "FIRE_YEAR": 2019})
    with pytest.raises(
        CorruptFileError, match=r"perimeters\.zip has no columns of names and dates"
    ):
        Nbac().read(path)


def test_what_macos_adds_to_an_archive_is_no_second_shapefile(tmp_path: Path) -> None:
    path = zipped("fires", tmp_path, NOW)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._fires.shp", b"x")
    assert len(read_fires(path, 2019, "EPSG:3979", dated_by_hotspots=False).fires) == 1


def test_a_zipped_geodatabase_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "fires.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fires.gdb/a00000001.gdbtable", b"x")
    with pytest.raises(CorruptFileError, match=r"holds no \.shp.*: export it as one of these"):
        read_fires(path, 2019, "EPSG:3979", dated_by_hotspots=False)


def test_alberta_s_columns_are_known(tmp_path: Path) -> None:
    columns = {"YEAR": 2019, "FIRENUMBER": "HWF042", "START_DATE": "2019-05-12",
               "HECTARES_U": 9_800.0}  # fmt: skip
    season = read_fires(zipped("ab", tmp_path, columns), 2019, "EPSG:3979", dated_by_hotspots=False)
    (fire,) = season.fires.to_dict("records")
    assert (fire["name"], fire["official_ha"]) == ("HWF042", 9_800.0)


@pytest.mark.parametrize("name", ["points.csv", "NFDB_point_20240613.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("date", ["2019-06-03 00:00:00", "2019/06/03", "20190603", "20190603.0"])
def test_a_list_is_read_in_every_encoding_and_spelling_of_dates(
    name: str, encoding: str, date: str, tmp_path: Path
) -> None:
    text = POINTS.replace("2019-06-03 00:00:00", date).replace("\n", "\r\n")
    (tmp_path / name).write_bytes(text.encode(encoding))
    (fire,) = read_records(tmp_path / name).fires.to_dict("records")
    assert fire["fire"] == "QC 2019-1 2019"
    assert str(fire["start"]) == "2019-06-03 12:00:00"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_detections_are_read_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(DETECTIONS.encode(encoding))
    table = read_hotspots(tmp_path / "a.csv")
    assert table["longitude"].values.tolist() == [-110.2]


def test_a_table_of_which_no_detection_can_be_placed_is_not_a_quiet_season(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text(DETECTIONS.replace("2023-07-01 18:36:00", "July the first"))
    with pytest.raises(CorruptFileError, match=r"no row can be used: a\.csv.*unreadable time"):
        read_hotspots(tmp_path / "a.csv")
