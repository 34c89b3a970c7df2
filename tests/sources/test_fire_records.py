"""Lists of fires in one schema: dirty rows, dates, places, and counts per cell and day."""

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from firesat.errors import ConfigError, CorruptFileError, GridError
from firesat.sources._moments import moments_of
from firesat.sources.fire_records import COLUMNS, read_records
from firesat.sources.fires import FireLists
from tests.sources.small import first_block

CIFFC = (
    "field_agency_fire_id,field_agency_code,field_agency_data_timezone,"
    "field_situation_report_date,field_status_date,field_stage_of_control_status,"
    "field_system_fire_cause,field_response_type,field_fire_size,field_latitude,field_longitude"
)
GOOD = "12,mb,CDT,2023-07-01T20:00:00.000Z,2023-07-03T18:00:00.000Z,UC,N,FUL,3.5,54.7,-94.7"


def ciffc(folder: Path, *rows: str) -> Path:
    path = folder / "ciffc.csv"
    path.write_text("\n".join([CIFFC, *rows]) + "\n")
    return path


def test_a_row_of_ciffc_is_spelled_in_the_schema(tmp_path: Path) -> None:
    records = read_records(ciffc(tmp_path, GOOD))
    assert tuple(records.fires.columns) == COLUMNS
    (fire,) = records.fires.to_dict("records")
    assert fire.pop("geometry").equals(shapely.Point(-94.7, 54.7))
    assert pd.isna(fire.pop("end"))
    assert fire == {
        "fire": "MB 12 2023", "agency": "MB", "season": 2023, "longitude": -94.7, "latitude": 54.7,
        "start": pd.Timestamp("2023-07-01 20:00"), "start_hours": 0.0,
        "updated": pd.Timestamp("2023-07-03 18:00"), "status": "under control",
        "cause": "natural", "hectares": 3.5, "maker": "CIFFC", "file": "ciffc.csv", "row": 1,
    }  # fmt: skip
    assert records.refused.rows == ()
    assert str(records.refused) == ""


def changed(**values: str) -> str:
    names = [name.removeprefix("field_") for name in CIFFC.split(",")]
    cells = dict(zip(names, GOOD.split(","), strict=True)) | values
    return ",".join(cells.values())


def test_every_row_that_is_left_out_is_named_with_its_reason(tmp_path: Path) -> None:
    path = ciffc(
        tmp_path,
        GOOD,
        changed(agency_fire_id="2", latitude="0.0", longitude="0.0"),
        changed(agency_fire_id="3", longitude="106.7754"),  # a sign is missing: nobody mends it
        changed(agency_fire_id="4", latitude=""),
        changed(agency_fire_id="5", situation_report_date="0001-01-01T07:00:00.000Z"),
        changed(agency_fire_id="6", situation_report_date="2023-07-01 20:00:00"),
        changed(agency_fire_id="7", latitude="154.7"),
        changed(status_date="2023-07-02T18:00:00.000Z", fire_size="1"),  # an earlier state of GOOD
    )
    records = read_records(path)
    assert records.refused.rows == (
        (2, "impossible coordinates"),
        (3, "coordinates outside Canada"),
        (4, "no place"),
        (5, "no readable date of its start since 1970"),
        (6, "a time without its zone"),
        (7, "impossible coordinates"),
        (8, "an earlier state of a fire that is listed again"),
    )
    assert records.refused.counts["impossible coordinates"] == 2
    assert records.refused.total == 8
    assert "7 of 8 rows left out: impossible coordinates 2 (rows 2, 7)" in str(records.refused)
    assert records.fires["row"].tolist() == [1]
    assert records.fires["hectares"].tolist() == [3.5]


def test_the_same_number_of_another_agency_or_year_is_another_fire(tmp_path: Path) -> None:
    other_year = changed(
        situation_report_date="2024-07-01T20:00:00.000Z", status_date="2024-07-02T00:00:00.000Z"
    )
    records = read_records(ciffc(tmp_path, GOOD, changed(agency_code="on"), other_year))
    assert records.fires["fire"].tolist() == ["MB 12 2023", "ON 12 2023", "MB 12 2024"]


def test_what_is_doubtful_stays_and_is_counted(tmp_path: Path) -> None:
    records = read_records(
        ciffc(
            tmp_path,
            changed(agency_fire_id="1", status_date="0001-01-01T07:00:00.000Z"),
            changed(agency_fire_id="2", status_date="2023-06-28T07:00:00.000Z"),
            GOOD,
        )
    )
    assert len(records.fires) == 3
    assert records.doubtful == {
        "the date of its status cannot be read": (1,),
        "its status is more than a day older than its report": (2,),
    }
    assert np.isnat(records.fires["updated"].to_numpy()[0])


@pytest.mark.parametrize(
    ("text", "start", "hours"),
    [
        ("2023-07-05T21:30:00.000Z", "2023-07-05T21:30:00", 0),
        ("2023-07-05 21:30:00-06:00", "2023-07-06T03:30:00", 0),
        ("1688592600000", "2023-07-05T21:30:00", 0),
        ("2023-07-05T12:00:00Z", "2023-07-05T12:00:00", 0),  # noon is a time
        ("2023-07-05", "2023-07-05T12:00:00", 24),  # a date begins with its fire day
        ("2023/07/05", "2023-07-05T12:00:00", 24),
        ("July 5, 2023", "2023-07-05T12:00:00", 24),
        ("2023-07-05 00:00:00", "2023-07-05T12:00:00", 24),
        ("7/5/2023 12:00:00 AM", "2023-07-05T12:00:00", 24),
    ],
)
def test_moments_are_utc_and_dates_are_fire_days(text: str, start: str, hours: float) -> None:
    found = moments_of(pd.Series([text]))
    assert found.start.tolist() == [np.datetime64(start, "s").item()]
    assert found.hours.tolist() == [hours]
    assert not found.naive.any()
    assert not found.unread.any()


def test_a_time_without_zone_is_no_moment_and_nothing_is_no_error() -> None:
    found = moments_of(pd.Series(["2023-07-05 21:30", "", "soon", "1950-07-05"]))
    assert np.isnat(found.start).all()
    assert found.naive.tolist() == [True, False, False, False]
    assert found.unread.tolist() == [False, False, True, True]


NFDB = {"SRC_AGENCY": "BC", "FIRE_ID": "G1", "YEAR": 2023, "REP_DATE": "2023-07-02",
        "OUT_DATE": "2023-08-01", "SIZE_HA": 12.0, "CAUSE": "N"}  # fmt: skip


def nfdb(folder: Path, rows: list[dict[str, object]], crs: str = "EPSG:4326") -> Path:
    """Points as the National Fire Database packs them: a zip of one shapefile."""
    points = [shapely.Point(-94.7, 54.7)] * len(rows)
    frame = gpd.GeoDataFrame(rows, geometry=points, crs="EPSG:4326").to_crs(crs)
    frame.to_file(folder / "NFDB_point_20240613.shp")
    with zipfile.ZipFile(folder / "NFDB_point.zip", "w") as archive:
        for part in folder.glob("NFDB_point_20240613.*"):
            archive.write(part, part.name)
    return folder / "NFDB_point.zip"


def test_zipped_points_of_the_national_database_are_the_same_schema(tmp_path: Path) -> None:
    rows = [NFDB, NFDB | {"FIRE_ID": "G2", "CAUSE": "H-PB"}, NFDB | {"FIRE_ID": "G3", "CAUSE": "H"},
            NFDB | {"FIRE_ID": "G4", "REP_DATE": None}]  # fmt: skip
    records = read_records(nfdb(tmp_path, rows, "EPSG:3978"))
    fires = records.fires
    assert records.maker == "NFDB"
    assert fires["cause"].tolist() == ["natural", "prescribed", "human"]
    assert fires["fire"].tolist() == ["BC G1 2023", "BC G2 2023", "BC G3 2023"]
    assert fires["start"].iloc[0] == pd.Timestamp("2023-07-02 12:00")
    assert fires["end"].iloc[0] == pd.Timestamp("2023-08-01 12:00")
    assert fires["longitude"].to_numpy() == pytest.approx(-94.7, abs=1e-5)
    assert records.refused.rows == ((4, "no readable date of its start since 1970"),)


def test_a_list_as_the_information_system_has_it_today_is_the_same_schema(tmp_path: Path) -> None:
    (tmp_path / "activefires.csv").write_text(
        "agency, firename, lat, lon, startdate, hectares, stage_of_control, response_type\n"
        "mb, EA012, 54.7, -94.7, 2023-07-02 00:00:00, 12.5, BH, FUL\n"
    )
    (fire,) = read_records(tmp_path / "activefires.csv").fires.to_dict("records")
    assert (fire["fire"], fire["agency"], fire["status"]) == ("MB EA012 2023", "MB", "being held")
    assert (fire["start"], fire["hectares"]) == (pd.Timestamp("2023-07-02 12:00"), 12.5)


def test_perimeters_are_listed_by_a_point_on_them(tmp_path: Path) -> None:
    ring = shapely.Polygon([(-95, 54), (-94, 54), (-94, 55), (-94.01, 54.01), (-95, 54)])
    row = {"FIRE_NUM": "C1", "FIRE_YEAR": 2023, "ignition_date": "July 5, 2023",
           "FIRE_CAUSE": "Lightning", "CURRENT_SZ": 10.0}  # fmt: skip
    gpd.GeoDataFrame([row], geometry=[ring], crs="EPSG:4326").to_file(tmp_path / "bc.geojson")
    records = read_records(tmp_path / "bc.geojson")
    (fire,) = records.fires.to_dict("records")
    assert records.maker == "BC Wildfire Service"
    assert fire["geometry"].contains(shapely.Point(fire["longitude"], fire["latitude"]))
    assert (fire["cause"], fire["hectares"]) == ("natural", 10.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "no columns of longitude and latitude, but a, b"),
        ("lat,lon,name\n54,-94,x\n", "no column of the dates on which fires started"),
        (f"{CIFFC}\n", "is empty"),
        ("", "is no CSV table"),
        (f"{CIFFC}\n{GOOD.replace('-94.7', '94.7')}\n", "no row can be used: list.csv: 1 of 1"),
    ],
    ids=["no places", "no dates", "no rows", "nothing", "no good row"],
)
def test_lists_that_cannot_be_used_say_why(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(CorruptFileError) as caught:
        read_records(tmp_path / "list.csv")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="there is no file"):
        read_records(tmp_path / "none.csv")


def test_shapes_without_crs_in_degrees_called_metres_or_far_away_are_refused(
    tmp_path: Path,
) -> None:
    frame = gpd.GeoDataFrame([NFDB], geometry=[shapely.Point(-94.7, 54.7)], crs="EPSG:3978")
    frame.to_file(tmp_path / "metres.shp")
    with pytest.raises(GridError, match=r"coordinates in degrees .* under the metric CRS"):
        read_records(tmp_path / "metres.shp")
    (tmp_path / "metres.prj").unlink()
    with pytest.raises(GridError, match=r"metres\.shp names no CRS"):
        read_records(tmp_path / "metres.shp")
    point = shapely.Point(500_000, 6_000_000)  # of UTM 10 in British Columbia
    wrong = gpd.GeoDataFrame([NFDB], geometry=[point], crs="EPSG:32633")
    wrong.to_file(tmp_path / "wrong.gpkg")
    with pytest.raises(GridError, match=r"lies far from Canada, at 15\.0 54\.1"):
        read_records(tmp_path / "wrong.gpkg")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(tmp_path / "metres.shp", "a.shp")
        archive.write(tmp_path / "metres.shp", "b.shp")
    with pytest.raises(CorruptFileError, match="holds 2 shapefiles, not one"):
        read_records(tmp_path / "two.zip")


# New fires in the cube ----------------------------------------------------------------------------


def composed(folder: Path, *rows: str, span: str = "2023-07-01/2023-07-03") -> object:
    ciffc(folder, *rows)
    source = FireLists(files={"ciffc.csv": span}, root=str(folder), root_env="")
    block = first_block(source)
    scenes = [(s, source.read(source.fetch(s, folder))) for s in source.search(block)]
    return source.compose(scenes, block), block


def test_new_fires_fall_into_their_cell_and_fire_day(tmp_path: Path) -> None:
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(20_500, 630_500)
    there = {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}
    layer, block = composed(
        tmp_path,
        changed(agency_fire_id="1", **there),  # 20 UTC on 1 July
        changed(agency_fire_id="2", system_fire_cause="H", **there,
                situation_report_date="2023-07-02T11:59:00.000Z"),  # still that fire day
        changed(agency_fire_id="3", **there, situation_report_date="2023-07-02T12:00:00.000Z"),
        changed(agency_fire_id="4", longitude="-94.7", latitude="60.0"),  # elsewhere
        changed(agency_fire_id="5", latitude="0.0", longitude="0.0"),
    )  # fmt: skip
    box = block.geobox.boundingbox
    row, column = int((box.top - 630_500) // 1000), int((20_500 - box.left) // 1000)
    new, natural = (layer[n].values for n in ("new_fires", "new_fires_natural"))
    np.testing.assert_array_equal(new[:, row, column], [2, 1, 0, np.nan])
    np.testing.assert_array_equal(natural[:, row, column], [1, 1, 0, np.nan])
    assert np.nansum(new) == 3
    assert layer["available_time"].values[0] == np.datetime64("2023-07-03T12:00:00")
    assert np.isnat(layer["available_time"].values[3])  # no list covers it: missing, not quiet
    assert layer.attrs["left_out"] == (
        "ciffc.csv: 1 of 5 rows left out: impossible coordinates 1 (row 5)"
    )


def test_a_span_that_is_none_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigError, match="is no span of days"):
        FireLists(files={"a.csv": "summer"})


def test_the_real_perimeters_of_british_columbia_are_the_same_schema(real_data: Path) -> None:
    records = read_records(real_data / "labels/bcws_2026/fire-perimeters.json")
    assert records.maker == "BC Wildfire Service"
    assert (records.refused.total, len(records.fires)) == (90, 89)
    assert records.refused.counts == {"no readable date of its start since 1970": 1}
    fires = records.fires.to_crs("EPSG:3005")
    hectares = fires.area / 1e4
    close = (hectares / fires["hectares"] - 1).abs() < 0.01
    assert close.mean() > 0.9  # the official size is the polygon's
    assert (fires["start_hours"] == 24).all()
    assert set(fires["season"]) <= {2025, 2026}
    assert fires["cause"].value_counts()["natural"] > 60


def test_the_real_list_of_all_canada(real_data: Path) -> None:
    records = read_records(real_data / "labels/ciffc_logistic_20230505_20250821.csv")
    assert records.refused.total == 9350
    assert sum(records.refused.counts.values()) == 6
    assert set(records.refused.counts) == {"impossible coordinates", "coordinates outside Canada"}
    assert len(records.fires) == 9344  # 932 ids come again, of other agencies and years
    assert records.fires["fire"].is_unique
    assert records.doubtful["the date of its status cannot be read"]
    assert records.fires.groupby("season")["hectares"].sum()[2024] == pytest.approx(
        4.25e6, rel=0.01
    )
