"""Perimeters of a season from files of several makers, and hotspots of NASA."""

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import box

from firesat.errors import ConfigError, CorruptFileError, FiresatError, GridError
from firesat.sources._fire_columns import recognise
from firesat.sources._hotspots import read_hotspots
from firesat.sources._perimeters import days_of
from firesat.sources.fire_files import SeasonFires, read_fires

JULY_5 = 19_543  # 2023-07-05, days since 1970-01-01
SQUARE = box(0, 600_000, 1000, 601_000)  # 100 ha in the plane


def day(text: str) -> float:
    return float((np.datetime64(text) - np.datetime64("1970-01-01")).astype(int))


def write(
    path: Path, rows: list[dict[str, object]], shapes: list[shapely.Geometry], crs: str | None
) -> Path:
    gpd.GeoDataFrame(rows, geometry=shapes, crs=crs).to_file(path)
    return path


def read(path: Path, year: int = 2023, *, hotspots: bool = False) -> SeasonFires:
    return read_fires(path, year, "EPSG:3979", dated_by_hotspots=hotspots)


# Columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind", "wanted"),
    [
        (
            "YEAR NFIREID GID FIRECAUS HS_SDATE HS_EDATE AG_SDATE AG_EDATE ADJ_HA PRESCRIBED",
            "NBAC",
            "GID - YEAR AG_SDATE AG_EDATE HS_SDATE HS_EDATE PRESCRIBED FIRECAUS ADJ_HA",
        ),
        (
            "YEAR NFIREID BASRC BURNCLAS SDATE EDATE AFSDATE AFEDATE CAPDATE POLY_HA ADJ_HA",
            "NBAC",
            "NFIREID - YEAR AFSDATE AFEDATE SDATE EDATE - - ADJ_HA",
        ),
        (
            "FIRE_ID SRC_AGENCY YEAR MONTH DAY REP_DATE DATE_TYPE OUT_DATE SIZE_HA CALC_HA CAUSE",
            "NFDB",
            "FIRE_ID SRC_AGENCY YEAR REP_DATE OUT_DATE - - - CAUSE SIZE_HA",
        ),
        (
            "FIRE_NO FIRE_YEAR FIRE_CAUSE SIZE_HA FIRE_DATE SOURCE METHOD TRACK_DATE LOAD_DATE",
            "BC Wildfire Service",
            "FIRE_NO - FIRE_YEAR FIRE_DATE - - - - FIRE_CAUSE SIZE_HA",
        ),
        (
            "FIRE_YEAR FIRE_NUM last_update fire_name ignition_date FIRE_CAUSE CURRENT_SZ",
            "BC Wildfire Service",
            "FIRE_NUM - FIRE_YEAR ignition_date - - - - FIRE_CAUSE CURRENT_SZ",
        ),
        (
            "FIRE_NUMBER VERSION_NUMBER FIRE_YEAR FIRE_SIZE_HECTARES FIRE_STATUS TRACK_DATE",
            "BC Wildfire Service",
            "FIRE_NUMBER - FIRE_YEAR - - - - - - FIRE_SIZE_HECTARES",
        ),
        ("id start_date END_DATE", "perimeters", "- - - start_date END_DATE - - - - -"),
        ("HCOUNT AREA FIRSTDATE LASTDATE", "perimeters", "- - - - - FIRSTDATE LASTDATE - - -"),
        # cut to 10 characters by a shapefile
        ("fire_start fire_out_d", "perimeters", "- - - fire_start fire_out_d - - - - -"),
    ],
    ids=["NBAC", "NBAC before 2022", "NFDB", "BC historical", "BC situation", "BC current", "own",
         "M3", "cut"],
)  # fmt: skip
def test_columns_are_known_by_their_names(names: str, kind: str, wanted: str) -> None:
    found = vars(recognise(names.split()))
    assert found.pop("kind") == kind
    assert [name or "-" for name in found.values()] == wanted.split()


@pytest.mark.parametrize(
    "text",
    ["2023-07-05", "2023/07/05", "July 5, 2023", "20230705", "20230705000000", "2023-07-05Z",
     "2023-07-05T07:00:00Z", "2023-07-05 00:00:00", "7/5/2023 12:00:00 AM", "1688540400000",
     "1688540400000.0"],
)  # fmt: skip
def test_dates_are_read_as_their_makers_write_them(text: str) -> None:
    assert days_of(pd.Series([text])).tolist() == [JULY_5]


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01", "1969-12-31", "2023-02-30", "45"])
def test_what_is_no_date_is_unknown(text: str) -> None:
    assert np.isnan(days_of(pd.Series([text]))).all()


# Fires --------------------------------------------------------------------------------------------


def test_a_fire_of_two_provinces_is_one_with_the_sum_of_its_sizes(tmp_path: Path) -> None:
    parts = [{"YEAR": 2023.0, "NFIREID": 7.0, "AG_SDATE": "2023/07/05", "ADJ_HA": size}
             for size in (60.0, 40.0)]  # fmt: skip
    other = {"YEAR": 2023.0, "NFIREID": 9.0, "AG_SDATE": None, "ADJ_HA": 0.0}
    shapes = [
        box(0, 600_000, 600, 601_000),
        box(600, 600_000, 1000, 601_000),
        box(5e3, 6e5, 6e3, 7e5),
    ]
    found = read(write(tmp_path / "nbac.gpkg", [*parts, other], shapes, "EPSG:3978"))
    fire, unknown = (found.fires.iloc[row] for row in (0, 1))
    assert (found.kind, fire["fire_id"], fire["official_ha"]) == ("NBAC", 7, 100)
    assert fire["agency_start"] == JULY_5
    assert fire["shape"].area == pytest.approx(1e6, rel=1e-4)
    assert unknown["fire_id"] == 9
    assert np.isnan([unknown["agency_start"], unknown["official_ha"]]).all()


def test_nfdb_numbers_are_unique_within_an_agency_and_h_pb_is_prescribed(tmp_path: Path) -> None:
    rows = [
        {"SRC_AGENCY": "BC", "FIRE_ID": "12", "YEAR": 2023, "REP_DATE": "2023-07-05",
         "OUT_DATE": "2023-08-01", "SIZE_HA": 100.0, "CAUSE": "L"},
        {"SRC_AGENCY": "BC", "FIRE_ID": "12", "YEAR": 2023, "REP_DATE": "2023-07-06",
         "OUT_DATE": None, "SIZE_HA": 100.0, "CAUSE": "L"},
        {"SRC_AGENCY": "AB", "FIRE_ID": "12", "YEAR": 2023, "REP_DATE": None, "OUT_DATE": None,
         "SIZE_HA": 5.0, "CAUSE": "H-PB"},
        {"SRC_AGENCY": "AB", "FIRE_ID": "13", "YEAR": -9999, "REP_DATE": None, "OUT_DATE": None,
         "SIZE_HA": 5.0, "CAUSE": "H"},
    ]  # fmt: skip
    shapes = [SQUARE, box(2000, 6e5, 3000, 601_000), box(9e3, 6e5, 1e4, 6.01e5), SQUARE]
    found = read(write(tmp_path / "NFDB_poly.shp", rows, shapes, "EPSG:3978"))
    assert found.kind == "NFDB"
    assert found.years == {"2023": 3, "unknown": 1}
    fires = found.fires.set_index("name")
    assert fires.loc["BC 12", "official_ha"] == 100  # each part says the whole fire's size
    assert fires.loc["BC 12", ["agency_start", "agency_end"]].tolist() == [
        JULY_5,
        day("2023-08-01"),
    ]
    assert fires["prescribed"].to_dict() == {"AB 12": 1, "BC 12": 0}
    assert fires["fire_id"].nunique() == 2


def test_only_the_season_is_taken_and_undated_fires_stay(tmp_path: Path) -> None:
    rows = [{"name": n, "START_DATE": d} for n, d in zip("abc", ("2022-07-01", "2023-07-05", None),
                                                         strict=True)]  # fmt: skip
    shapes = [box(-95, 54 + i, -94.9, 54.1 + i) for i in range(3)]
    path = write(tmp_path / "own.geojson", rows, shapes, "EPSG:4326")
    found = read(path)
    assert found.years == {"2022": 1, "2023": 2}
    starts = found.fires["agency_start"].to_numpy()
    np.testing.assert_array_equal(np.sort(starts), [JULY_5, np.nan])
    with pytest.raises(ConfigError, match=r"no fires of 2021, but of 2022 to unknown"):
        read(path, 2021)


def test_a_start_in_another_year_is_unknown_and_counted(tmp_path: Path) -> None:
    rows = [{"FIRE_YEAR": 2023, "FIRE_NUM": f"C{i}", "FIRE_DATE": d, "SIZE_HA": 1.0}
            for i, d in enumerate(("2099-07-05", "2023-07-05", "never"), start=1)]  # fmt: skip
    shapes = [box(i * 5e3, 6e5, i * 5e3 + 1e3, 6.01e5) for i in range(3)]
    found = read(write(tmp_path / "bc.shp", rows, shapes, "EPSG:3005"))
    assert (found.foreign_dates, found.unread_dates) == (1, 1)
    np.testing.assert_array_equal(found.fires["agency_start"], [np.nan, JULY_5, np.nan])


def test_features_that_burn_nothing_are_refused_by_reason_and_tangles_mended(
    tmp_path: Path,
) -> None:
    bow = shapely.Polygon([(0, 6e5), (1000, 601e3), (1000, 6e5), (0, 601e3)])
    shapes = [bow, None, shapely.Polygon(), shapely.Point(0, 6e5), SQUARE]
    rows = [{"FIRE_NUM": f"G{i}", "START_DATE": "2023-07-05"} for i in range(1, 6)]
    found = read(write(tmp_path / "mixed.gpkg", rows, shapes, "EPSG:3979"))
    assert found.refused.counts == {"no geometry, or a broken one": 2, "points or lines": 1}
    assert found.refused.rows == (
        (2, "no geometry, or a broken one"),
        (3, "no geometry, or a broken one"),
        (4, "points or lines"),
    )
    assert found.mended == 1
    fires = found.fires.set_index("name")
    assert fires.loc["G1", "shape"].area == pytest.approx(5e5)  # both wings
    assert fires.loc["G5", "shape"].area == pytest.approx(1e6)
    assert len(fires) == 2


def test_a_ring_that_overlaps_itself_keeps_its_ground(tmp_path: Path) -> None:
    loop = shapely.Polygon([(0, 0), (10, 0), (10, 10), (4, 10), (4, -5), (6, -5), (6, 4), (0, 4)])
    shape = shapely.transform(loop, lambda xy: xy * 100 + [0, 6e5])
    row = {"FIRE_NUM": "G1", "START_DATE": "2023-07-05"}
    found = read(write(tmp_path / "loop.gpkg", [row], [shape], "EPSG:3979"))
    # boxes of 10 x 4, 6 x 10 and 2 x 9 (below 0 and beside), less what they share
    union = shapely.union_all([box(0, 0, 10, 4), box(4, 0, 10, 10), box(4, -5, 6, 10)]).area
    assert found.fires["shape"].iloc[0].area == pytest.approx(union * 1e4)


def test_a_broken_ring_of_json_is_refused_not_fatal(tmp_path: Path) -> None:
    ring = [[-95, 54], [-94.9, 54], [-94.9, 54.1], [-95, 54]]
    features = [
        {"type": "Feature", "properties": {"FIRE_NUM": name, "START_DATE": "2023-07-05"},
         "geometry": {"type": "Polygon", "coordinates": [corners]}}
        for name, corners in (("C1", ring), ("C2", ring[:2]))
    ]  # fmt: skip
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = read(path)
    assert found.refused.rows == ((2, "no geometry, or a broken one"),)
    assert found.fires["name"].tolist() == ["C1"]


def test_nbac_without_crs_gets_its_documented_one_and_others_are_refused(tmp_path: Path) -> None:
    row = {"YEAR": 2023, "NFIREID": 1, "AG_SDATE": "2023-07-05"}
    write(tmp_path / "nbac.shp", [row], [SQUARE], "EPSG:3978")
    with_crs = read(tmp_path / "nbac.shp").fires["shape"].iloc[0]
    (tmp_path / "nbac.prj").unlink()
    found = read(tmp_path / "nbac.shp")
    assert "EPSG:3978 assumed, as NBAC documents" in found.notes[0]
    assert found.fires["shape"].iloc[0].equals_exact(with_crs, 5.0)  # NAD83 and NAD83(CSRS)
    write(tmp_path / "own.shp", [{"START_DATE": "2023-07-05"}], [SQUARE], "EPSG:3978")
    (tmp_path / "own.prj").unlink()
    with pytest.raises(GridError, match=r"own\.shp names no CRS"):
        read(tmp_path / "own.shp")


def test_the_newest_year_of_nbac_is_provisional(tmp_path: Path) -> None:
    row = {"YEAR": 2023, "NFIREID": 1, "AG_SDATE": "2023-07-05"}
    early = write(tmp_path / "NBAC_2023_20240530.shp", [row], [SQUARE], "EPSG:3978")
    late = write(tmp_path / "NBAC_2023_20250612.shp", [row], [SQUARE], "EPSG:3978")
    assert read(early).notes == ("provisional: 2023 is the newest year of this release of NBAC",)
    assert read(late).notes == ()


def test_a_zip_of_a_geopackage_and_a_file_of_two_layers(tmp_path: Path) -> None:
    row = {"FIRE_NUM": "C1", "START_DATE": "2023-07-05"}
    write(tmp_path / "a.gpkg", [row], [SQUARE], "EPSG:3979")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.gpkg", "deep/a.gpkg")
    assert len(read(tmp_path / "a.zip").fires) == 1
    gpd.GeoDataFrame([row], geometry=[SQUARE], crs="EPSG:3979").to_file(
        tmp_path / "a.gpkg", layer="more"
    )
    with pytest.raises(CorruptFileError, match=r"2 layers with geometry \(a, more\), not one"):
        read(tmp_path / "a.gpkg")


@pytest.mark.parametrize(
    ("row", "shape", "crs", "error", "words"),
    [
        ({"BURNED": "2023-07-05"}, SQUARE, "EPSG:3979", CorruptFileError,
         "has no column of the dates on which fires started (AG_SDATE"),
        ({"START_DATE": "2023-07-05"}, box(-95, 54, -94, 55), "EPSG:3979", GridError,
         "has coordinates in degrees (-95 to -94, 54 to 55) under the metric CRS"),
        ({"START_DATE": "2023-07-05"}, SQUARE, "EPSG:4326", GridError,
         "coordinates that are no longitude and latitude"),
        ({"START_DATE": "2023-07-05"}, box(54, -125, 55, -124), "EPSG:4326", GridError,
         "swap them"),
        ({"START_DATE": "2023-07-05"}, shapely.Point(0, 6e5), "EPSG:3979", CorruptFileError,
         "holds points or lines"),
    ],
    ids=["no dates", "degrees as metres", "metres as degrees", "swapped", "points"],
)  # fmt: skip
def test_files_that_cannot_be_used_say_why(
    tmp_path: Path,
    row: dict[str, object],
    shape: shapely.Geometry,
    crs: str,
    error: type[FiresatError],
    words: str,
) -> None:
    with pytest.raises(error) as caught:
        read(write(tmp_path / "a.gpkg", [row], [shape], crs))
    assert words in str(caught.value)
    assert "a.gpkg" in str(caught.value)


def test_empty_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*none\.shp"):
        read(tmp_path / "none.shp")
    (tmp_path / "a.shp").write_bytes(b"\0" * 100)
    with pytest.raises(CorruptFileError, match=r"a\.shp cannot be read"):
        read(tmp_path / "a.shp")
    (tmp_path / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(CorruptFileError, match=r"a\.geojson is empty"):
        read(tmp_path / "a.geojson")
    (tmp_path / "a.txt").write_text("fires")
    with pytest.raises(CorruptFileError, match="no vector file"):
        read(tmp_path / "a.txt")


def test_without_dates_hotspots_can_say_when_and_that_is_noted(tmp_path: Path) -> None:
    row = {"FIRE_NUM": "C1", "FIRE_YEAR": 2023, "TRACK_DATE": "2023-09-01Z"}
    path = write(tmp_path / "current.gpkg", [row], [SQUARE], "EPSG:3979")
    with pytest.raises(CorruptFileError, match="give --hotspots"):
        read(path)
    found = read(path, hotspots=True)
    assert found.notes == ("no column says when fires started: only hotspots date them",)
    assert np.isnan(found.fires["agency_start"]).all()


# Hotspots of FIRMS --------------------------------------------------------------------------------

PLACE = "scan,track,acq_date,acq_time,satellite,instrument,confidence,version"
VIIRS = f"latitude,longitude,bright_ti4,{PLACE},bright_ti5,frp,daynight"
MODIS = f"latitude,longitude,brightness,{PLACE},bright_t31,frp,daynight,type"


@pytest.mark.parametrize(
    ("head", "row", "moment"),
    [
        (VIIRS, "55.1,-122.5,330.1,0.4,0.4,2023-07-05,0930,N,VIIRS,n,2.0NRT,290.1,4.2,N", "09:30"),
        (VIIRS, "55.1,-122.5,330.1,0.4,0.4,2023-07-05,930,1,VIIRS,h,2,290.1,4.2,N", "09:30"),
        (
            VIIRS + ",type",
            "55.1,-122.5,330,0.4,0.4,2023-07-05,45,N,VIIRS,l,2,290.1,4.2,N,0",
            "00:45",
        ),
        (MODIS, "55.1,-122.5,310,1.1,1,2023-07-05,2130,Aqua,MODIS,80,61.03,290,4.2,D,0", "21:30"),
        (
            MODIS.upper(),
            "55.1,-122.5,310,1.1,1,2023-07-05,21:30,T,MODIS,80,6.1,290,4.2,D,0",
            "21:30",
        ),
    ],
    ids=["VIIRS near-real-time", "VIIRS archive", "minutes", "MODIS", "upper case"],
)
def test_hotspots_of_firms_are_read_by_their_columns(
    tmp_path: Path, head: str, row: str, moment: str
) -> None:
    (tmp_path / "fire.csv").write_text(f"{head}\n{row}\n")
    table = read_hotspots(tmp_path / "fire.csv")
    assert table["moment"].values == np.datetime64(f"2023-07-05T{moment}")
    assert (table["latitude"].item(), table["longitude"].item()) == (55.1, -122.5)
    assert table["power"].item() == pytest.approx(4.2)


def test_volcanoes_flares_and_dirty_rows_of_firms_are_counted(tmp_path: Path) -> None:
    rows = [
        "55.1,-122.5,310,1,1,2023-07-05,2130,T,MODIS,80,6.1,290,4.2,D,0",
        "55.1,-122.5,310,1,1,2023-07-05,2130,T,MODIS,80,6.1,290,4.2,D,2",
        "155.1,-122.5,310,1,1,2023-07-05,2130,T,MODIS,80,6.1,290,4.2,D,0",
        "55.1,-122.5,310,1,1,2023-07-05,,T,MODIS,80,6.1,290,4.2,D,0",
    ]
    (tmp_path / "fire.csv").write_text("\n".join([MODIS, *rows]))
    table = read_hotspots(tmp_path / "fire.csv")
    assert table.sizes["detection"] == 1
    assert table.attrs["rows"] == 4
    assert table.attrs["refused"] == {
        "no vegetation fire (type 1, 2 or 3)": 1,
        "impossible coordinates": 1,
        "unreadable time": 1,
    }


def test_a_table_without_needed_columns_names_them(tmp_path: Path) -> None:
    (tmp_path / "fire.csv").write_text("latitude,longitude,frp\n1,2,3\n")
    with pytest.raises(
        CorruptFileError, match="lacks lat, lon, rep_date of CWFIS; acq_date, acq_time"
    ):
        read_hotspots(tmp_path / "fire.csv")
