"""Hotspots and perimeters: days, cells, dates and dirty rows."""

import zipfile
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from pyproj import CRS, Transformer

from firesat.blocks import Block
from firesat.errors import ConfigError, CorruptFileError, GridError
from firesat.grid import geobox
from firesat.labels.hotspots import detections
from firesat.sources import hotspots, nbac
from firesat.sources._hotspots import VARIABLES
from firesat.sources.base import finished_since
from firesat.sources.commons import commons, sharing
from firesat.sources.files import LocalVectors
from firesat.sources.fires import Hotspots, Nbac
from tests.sources.small import first_block, scene

TO_DEGREES = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
# NBAC's own .prj: ESRI's words, no authority.
ESRI_PRJ = (
    'PROJCS["Canada_Lambert_Conformal_Conic",GEOGCS["GCS_North_American_1983",'
    'DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,298.257222101]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",0.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-95.0],'
    'PARAMETER["Standard_Parallel_1",49.0],PARAMETER["Standard_Parallel_2",77.0],'
    'PARAMETER["Latitude_Of_Origin",49.0],UNIT["Meter",1.0]]'
)


def place(x: float, y: float) -> tuple[float, float]:
    longitude, latitude = TO_DEGREES.transform(x, y)
    return round(longitude, 6), round(latitude, 6)


def write_csv(path: Path, rows: list[tuple[float, float, str, float]]) -> Path:
    head = "lat,lon,rep_date,source,sensor,fwi,fuel,hfi,frp\n"
    lines = [f"{lat},{lon},{when},NASA,VIIRS,12.1,C2,,{frp}\n" for lon, lat, when, frp in rows]
    path.write_text(head + "".join(lines))
    return path


@pytest.fixture
def block() -> Block:
    return first_block(Hotspots())


def counted(block: Block, path: Path, dates: list[str]) -> object:
    source = Hotspots()
    made = scene(block, block.times[-1], 3.0, dates=dates)
    return source.compose([(made, source.read(path))], block)


ALL = [f"2023-07-{day:02d}" for day in range(1, 7)]


def test_detections_fall_into_their_cell_and_the_fire_day_that_published_them(
    block: Block, tmp_path: Path
) -> None:
    here = place(20_250, 630_250)
    rows = [
        (*here, "2023-07-01 20:00:00", 5.0),
        (*here, "2023-07-02 08:59:59", 9.0),  # out just before 12 UTC: still the first fire day
        (*here, "2023/07/02 09:00:00.000", 2.0),  # the archive's other spelling
        (*here, "2023-07-02 20:00:00", 1.0),
        (*place(20_750, 630_250), "2023-07-01 20:00:00", 1.0),
        (*place(5_000, 630_000), "2023-07-01 20:00:00", 1.0),  # outside the region
    ]
    layer = counted(block, write_csv(tmp_path / "a.csv", rows), ALL)
    box = block.geobox.boundingbox
    row, column = int((box.top - 630_250) // 500), int((20_250 - box.left) // 500)
    count, before, power = (layer[each.name].values[:, row, column] for each in VARIABLES)
    assert count.tolist() == [2, 2, 0, 0]
    assert before.tolist() == [0, 1, 0, 0]  # at 9 UTC the fire day before was still on
    np.testing.assert_array_equal(power, [9, 2, np.nan, np.nan])
    assert layer["hotspot_count"].values[0, row, column + 1] == 1
    assert np.nansum(layer["hotspot_count"].values) == 5
    found = detections(layer.isel(y=[row], x=[column]))
    days = found.day.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2023-07-01", "2023-07-02"]
    assert found.count.tolist() == [3, 1]  # labels date them by when they were made


def test_detections_of_a_season_s_gap_are_not_moved_across_it(block: Block) -> None:
    days = np.array(["2022-09-15", "2023-04-08", "2023-04-09"], "datetime64[D]")
    counts = {
        name: (("time", "y", "x"), np.array(values, "float32").reshape(3, 1, 1))
        for name, values in (("hotspot_count", [1, 5, 3]), ("hotspot_count_before", [0, 2, 1]))
    }
    found = detections(xr.Dataset(counts, coords={"time": days.astype("datetime64[ns]")}))
    assert found.count.tolist() == [1, 4, 2]


@pytest.mark.parametrize("latency", [0.0, 3.0, 12.0, 20.0, 24.0])
def test_detections_are_published_by_the_end_of_their_layer_whatever_the_latency(
    latency: float, block: Block, tmp_path: Path
) -> None:
    source = Hotspots(latency_hours=latency)
    moments = np.arange("2023-07-01T00:30", "2023-07-06T00:00", 3600, dtype="datetime64[s]")
    here = place(20_250, 630_250)
    rows = [(*here, str(moment).replace("T", " "), 1.0) for moment in moments]
    table = source.read(write_csv(tmp_path / "a.csv", rows))
    made = scene(block, block.times[-1], latency, dates=["2023-06-30", *ALL])
    layer = source.compose([(made, table)], block)
    published = moments + np.timedelta64(round(3600 * latency), "s")
    ends = layer["available_time"].values
    known = np.nansum(layer["hotspot_count"].values, axis=(1, 2)).cumsum()
    first = block.times[0].astype("datetime64[s]") + np.timedelta64(12, "h")
    wanted = [((published >= first) & (published < end)).sum() for end in ends]
    assert known.tolist() == wanted
    assert ends[0] == np.datetime64("2023-07-02T12:00:00")


def test_detections_fall_into_calendar_days_when_asked(block: Block, tmp_path: Path) -> None:
    here = place(20_250, 630_250)
    rows = [(*here, f"2023-07-0{day} {hour}", 5.0) for day, hour in
            ((1, "20:59:59"), (1, "21:00:00"), (2, "11:00:00"))]  # fmt: skip
    calendar = Hotspots(day_start=0)
    found = calendar.read(write_csv(tmp_path / "a.csv", rows))
    made = scene(block, block.times[-1], 3.0, dates=["2023-06-30", *ALL])
    layer = calendar.compose([(made, found)], block)
    assert np.nansum(layer["hotspot_count"].values, axis=(1, 2)).tolist() == [1, 2, 0, 0]
    assert layer["available_time"].values[0] == np.datetime64("2023-07-02T00:00:00")


def test_a_quiet_day_is_zero_and_a_day_without_file_is_missing(
    block: Block, tmp_path: Path
) -> None:
    layer = counted(block, write_csv(tmp_path / "a.csv", []), ["2023-07-01", "2023-07-02"])
    count = layer["hotspot_count"].values
    assert np.nanmax(count[0]) == 0
    assert np.isnan(count[1:]).all()  # the second fire day needs the third date's file
    available = layer["available_time"].values
    assert available[0] == np.datetime64("2023-07-02T12:00:00")
    assert np.isnat(available[1:]).all()


def test_a_latency_of_more_than_a_day_is_refused() -> None:
    for latency in (-1.0, 25.0):
        with pytest.raises(ConfigError, match="give 0 to 24"):
            _ = Hotspots(latency_hours=latency).layout


def test_today_s_table_is_read_as_far_as_it_goes_and_again_when_it_is_whole(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [f"https://x/hotspots/202307{day:02d}.csv" for day in range(1, 7)]
    monkeypatch.setattr(hotspots, "list_links", lambda url: [] if "archive" in url else links)
    source = Hotspots(base_url="https://x")

    def names(now: str) -> list[str]:
        """What is asked for at a moment."""
        with sharing(replace(commons(), now=np.datetime64(now, "s"))):
            return [each.id for each in source.search(block)]

    assert names("2023-07-03T12:00") == [
        "20230701.csv", "20230702.csv", "until-20230703T1200-20230703.csv"
    ]  # fmt: skip
    assert names("2023-07-04T02:59")[2:] == ["until-20230704T0259-20230703.csv"]
    assert names("2023-07-04T03:00")[2:] == ["20230703.csv", "until-20230704T0300-20230704.csv"]
    (unfinished,) = (name for name in names("2023-07-03T12:00") if "until" in name)
    assert not finished_since(unfinished, np.datetime64("2023-07-04T11:59"))
    assert finished_since(unfinished, np.datetime64("2023-07-04T12:00"))
    assert not finished_since("20230701.csv", np.datetime64("2024-01-01"))
    assert names("2024-01-01T00:00") == [f"202307{day:02d}.csv" for day in range(1, 6)]


def test_unusable_rows_are_left_out_and_counted(
    block: Block, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        (*place(20_250, 630_250), "2023-07-01 20:00:00", 5.0),
        (-94.0, 540.0, "2023-07-01 20:00:00", 5.0),
        (*place(20_250, 630_250), "yesterday", 5.0),
    ]
    table = Hotspots().read(write_csv(tmp_path / "dirty.csv", rows))
    assert table.sizes["detection"] == 1
    reasons = "impossible coordinates 1 (row 2); unreadable time 1 (row 3)"
    line = f"dirty.csv: 2 of 3 rows left out: {reasons}"
    assert line in caplog.text
    assert table.attrs["left_out"] == line
    assert table.attrs["refused_rows"] == ((2, "impossible coordinates"), (3, "unreadable time"))


def test_a_yearly_archive_reads_as_its_table(block: Block, tmp_path: Path) -> None:
    rows = [(*place(20_250, 630_250), "2023-07-01 20:00:00", 5.0)]
    plain = write_csv(tmp_path / "2023_hotspots.csv", rows)
    with zipfile.ZipFile(tmp_path / "2023_hotspots.zip", "w") as archive:
        archive.write(plain, plain.name)
    assert Hotspots().read(tmp_path / "2023_hotspots.zip").equals(Hotspots().read(plain))


def test_a_table_without_power_still_counts(block: Block, tmp_path: Path) -> None:
    longitude, latitude = place(20_250, 630_250)
    (tmp_path / "a.csv").write_text(f"lat,lon,rep_date\n{latitude},{longitude},2023-07-01 20:00\n")
    layer = counted(block, tmp_path / "a.csv", ALL)
    assert np.nansum(layer["hotspot_count"].values) == 1
    assert np.isnan(layer["frp"].values).all()


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "", "<html><body>503</body></html>"])
def test_other_tables_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(CorruptFileError, match=r"a\.csv"):
        Hotspots().read(tmp_path / "a.csv")


def test_archives_come_before_daily_files(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        "https://x/hotspots/archive": ["https://x/hotspots/archive/2022_hotspots.zip"],
        "https://x/hotspots": [f"https://x/hotspots/202307{day:02d}.csv" for day in range(1, 5)],
    }
    monkeypatch.setattr(hotspots, "list_links", lambda url: pages[url])
    scenes = Hotspots(base_url="https://x").search(block)
    assert [each.id for each in scenes] == [f"202307{day:02d}.csv" for day in range(1, 5)]
    assert scenes[0].available == np.datetime64("2023-07-02T03:00:00")
    pages["https://x/hotspots/archive"] += ["https://x/hotspots/archive/2023_hotspots.zip"]
    (archive,) = Hotspots(base_url="https://x").search(block)
    assert archive.request["dates"] == [f"2023-07-{day:02d}" for day in range(1, 6)]


def fires(**changed: list[object]) -> gpd.GeoDataFrame:
    columns = {
        "GID": ["2023_11", "2023_11", "2023_12", "2023_13"],
        "HS_SDATE": ["2023-06-25", "2023-06-20", None, None],
        "HS_EDATE": ["2023-06-27", "2023-07-02", None, None],
        "AG_SDATE": ["2023-06-26", None, "2023-07-10", "2023-05-01"],
        "AG_EDATE": [None, None, None, None],
        "PRESCRIBED": [None, None, None, "true"],
        **changed,
    }
    shapes = [
        shapely.box(15_000, 625_000, 16_000, 626_000),
        shapely.box(16_000, 625_000, 17_000, 626_000),
        shapely.box(20_000, 630_000, 20_250, 631_000),
        shapely.box(25_000, 635_000, 26_000, 636_000),
    ]
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:3979").to_crs(CRS(ESRI_PRJ))
    for name in ("HS_SDATE", "HS_EDATE", "AG_SDATE", "AG_EDATE"):
        frame[name] = pd.to_datetime(frame[name]).dt.date.astype("str").replace("NaT", None)
    return frame


def write_nbac(folder: Path, frame: gpd.GeoDataFrame, name: str = "NBAC_2023_20240530") -> Path:
    folder.mkdir(exist_ok=True)
    frame.to_file(folder / f"{name}.shp")
    (folder / f"{name}.prj").write_text(ESRI_PRJ)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for path in sorted(folder.glob(f"{name}.*")):
            if path.suffix != ".zip":
                archive.write(path, path.name)
    return folder / f"{name}.zip"


def test_a_fire_of_two_features_is_one_and_keeps_its_first_and_last_dates(tmp_path: Path) -> None:
    table = Nbac().read(write_nbac(tmp_path, fires()))
    assert table["fire_id"].values.tolist() == [11, 12, 13]
    first = table.isel(fire=0)
    day = (np.datetime64("2023-06-20") - np.datetime64("1970-01-01")).astype(int)
    assert float(first["hotspot_start"]) == day
    assert float(first["hotspot_end"]) == day + 12
    assert np.isnan(float(first["agency_end"]))
    assert table["prescribed"].values.tolist() == [0, 0, 1]
    area = shapely.area(shapely.from_wkb(table["geometry"].values))
    assert area == pytest.approx([2e6, 2.5e5, 1e6], rel=1e-3)


def test_perimeters_become_fractions_and_numbers_and_prescribed_ones_stay_apart(
    tmp_path: Path,
) -> None:
    source = Nbac()
    block = first_block(source)
    made = scene(block, np.datetime64("2023-10-01", "s"), 4800.0)
    layer = source.compose([(made, source.read(write_nbac(tmp_path, fires())))], block)
    box = block.geobox.boundingbox

    def at(name: str, x: float, y: float) -> float:
        row, column = int((box.top - y) // 100), int((x - box.left) // 100)
        return float(layer[name].values[0, row, column])

    # The composite is on NAD83, the grid on NAD83(CSRS): the same to a metre.
    assert at("fraction", 15_950, 625_550) == 1
    assert at("fire_id", 16_050, 625_550) == 11
    assert at("fraction", 20_250, 630_550) == pytest.approx(0.5, abs=0.11)  # half a cell
    assert at("fire_id", 20_250, 630_550) == 12
    assert at("agency_start", 20_150, 630_550) == 19548  # 10 July 2023
    assert np.isnan(at("hotspot_start", 20_150, 630_550))
    assert at("prescribed", 25_550, 635_550) == 1
    assert at("fraction", 25_550, 635_550) == 0
    assert at("fire_id", 25_550, 635_550) == 0
    assert at("fire_id", 12_050, 622_050) == 0
    assert np.isnan(at("agency_start", 12_050, 622_050))
    hectares = float(np.nansum(layer["fraction"].values))
    assert hectares == pytest.approx(225, rel=0.01)


def test_the_newest_release_of_the_year_is_taken_and_dates_its_availability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["NBAC_2022_20240530.zip", "NBAC_2023_20240530.zip", "nbac_2023_20250612_shp.zip",
             "NBAC_1972to2025_20260513_shp.zip", "NBAC_summary_stats.xlsx"]  # fmt: skip
    monkeypatch.setattr(nbac, "list_links", lambda url: [f"{url}/{name}" for name in names])
    source = Nbac(base_url="https://x")
    (found,) = source.search(first_block(source))
    assert found.id == "nbac_2023_20250612_shp.zip"
    assert found.available == np.datetime64("2025-06-12T00:00:00")
    early = np.arange(np.datetime64("2021-06-01"), np.datetime64("2021-06-03"))
    assert source.search(first_block(source, early)) == []


def test_self_crossing_rings_are_mended(tmp_path: Path) -> None:
    frame = fires().iloc[[2]].to_crs("EPSG:3979")
    bow = shapely.Polygon(
        [(20_000, 630_000), (21_000, 631_000), (21_000, 630_000), (20_000, 631_000)]
    )
    frame.geometry = [bow]
    source = Nbac()
    table = source.read(write_nbac(tmp_path, frame.to_crs(CRS(ESRI_PRJ))))
    assert shapely.is_valid(shapely.from_wkb(table["geometry"].values)).all()
    block = first_block(source)
    made = scene(block, np.datetime64("2023-10-01", "s"), 4800.0)
    layer = source.compose([(made, table)], block)
    assert float(np.nansum(layer["fraction"].values)) == pytest.approx(50, rel=0.1)


def test_fires_without_a_name_are_not_joined(tmp_path: Path) -> None:
    table = Nbac().read(write_nbac(tmp_path, fires(GID=[None, None, "2023_12", "2023_13"])))
    assert table.sizes["fire"] == 4
    assert len(set(table["fire_id"].values.tolist())) == 4


def test_other_archives_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(CorruptFileError, match=r"holds no \.shp"):
        Nbac().read(tmp_path / "a.zip")
    (tmp_path / "b.zip").write_text("<html>")
    with pytest.raises(CorruptFileError, match=r"b\.zip is no zip archive"):
        Nbac().read(tmp_path / "b.zip")


def test_a_composite_without_prj_gets_its_documented_crs_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Nbac().read(write_nbac(tmp_path / "a", fires()))
    assert "no CRS" not in caplog.text
    (tmp_path / "bare").mkdir()
    fires().to_file(tmp_path / "bare/NBAC_2023_20240530.shp")
    (tmp_path / "bare/NBAC_2023_20240530.prj").unlink()
    bare = Nbac().read(tmp_path / "bare/NBAC_2023_20240530.shp")
    assert "NBAC_2023_20240530.shp: no CRS in the file: EPSG:3978 assumed, as NBAC" in caplog.text
    places = [shapely.from_wkb(table["geometry"].values) for table in (whole, bare)]
    assert (shapely.distance(*places) == 0).all()
    assert CRS(bare.attrs["crs_wkt"]).to_epsg() == 3978


@pytest.mark.parametrize("source", [Nbac(), LocalVectors(files={})], ids=["NBAC", "own"])
def test_perimeters_under_a_wrong_crs_are_refused(
    tmp_path: Path, source: Nbac | LocalVectors
) -> None:
    degrees = fires().to_crs("EPSG:4326")
    degrees.set_crs("EPSG:3978", allow_override=True).to_file(tmp_path / "degrees.gpkg")
    with pytest.raises(GridError, match=r"degrees\.gpkg has coordinates in degrees"):
        source.read(tmp_path / "degrees.gpkg")
    fires().set_crs("EPSG:32601", allow_override=True).to_file(tmp_path / "far.gpkg")
    with pytest.raises(GridError, match=r"far\.gpkg lies far from Canada"):
        source.read(tmp_path / "far.gpkg")
    fires().set_crs("EPSG:4326", allow_override=True).to_file(tmp_path / "metres.gpkg")
    with pytest.raises(GridError, match=r"metres\.gpkg has coordinates that are no longitude"):
        source.read(tmp_path / "metres.gpkg")


def test_features_without_geometry_are_left_out_and_named(tmp_path: Path) -> None:
    frame = fires()
    frame.geometry = [None, *frame.geometry[1:3], shapely.Polygon()]
    frame.to_file(tmp_path / "nbac.gpkg")
    source = Nbac()
    table = source.read(tmp_path / "nbac.gpkg")
    assert table.sizes["fire"] == 2
    assert table.attrs["left_out"] == (
        "nbac.gpkg: 2 of 4 rows left out: no geometry, or a broken one 2 (rows 1, 4)"
    )
    made = scene(first_block(source), np.datetime64("2023-10-01", "s"), 4800.0)
    assert source.compose([(made, table)], first_block(source)).attrs["left_out"]


def test_own_perimeters_take_their_columns_and_want_a_crs(tmp_path: Path) -> None:
    frame = fires().rename(columns={"GID": "NAME"})
    frame.to_crs("EPSG:4326").to_file(tmp_path / "fires.geojson")
    source = LocalVectors(files={"fires.geojson": 2023}, root=str(tmp_path), root_env="")
    block = first_block(source)
    (found,) = source.search(block)
    table = source.read(source.fetch(found, tmp_path))
    assert table.sizes["fire"] == 4  # without a name column nothing is joined
    layer = source.compose([(found, table)], block)
    assert float(np.nansum(layer["fraction"].values)) == pytest.approx(325, rel=0.01)
    frame.to_file(tmp_path / "bare.shp")
    (tmp_path / "bare.prj").unlink()
    with pytest.raises(GridError, match="have no CRS"):
        source.read(tmp_path / "bare.shp")


def test_small_fires_are_drawn_over_large_ones(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"NAME": ["2023_1", "2023_2"]},
        geometry=[
            shapely.box(20_000, 630_000, 20_300, 630_300),
            shapely.box(15_000, 625_000, 25_000, 635_000),
        ],
        crs="EPSG:3979",
    )
    frame.to_file(tmp_path / "a.gpkg")
    source = LocalVectors(files={"a.gpkg": 2023}, columns=nbac.Columns(fire="NAME"))
    block = first_block(source)
    made = scene(block, np.datetime64("2023-10-01", "s"), 4800.0)
    layer = source.compose([(made, source.read(tmp_path / "a.gpkg"))], block)
    cells = geobox(block.extent, "EPSG:3979", 100)
    assert cells.shape == (200, 200)
    box = block.geobox.boundingbox
    row, column = int((box.top - 630_150) // 100), int((20_150 - box.left) // 100)
    assert layer["fire_id"].values[0, row, column] == 1
    assert layer["fire_id"].values[0, row + 10, column] == 2


def test_a_table_of_places_is_read_without_the_impossible_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "fires.csv").write_text(
        "NAME,field_latitude,field_longitude,when\n"
        "a,54.5,-94.5,2023-07-01\nb,545.0,-94.5,2023-07-02\nc,,,2023-07-03\n"
    )
    source = LocalVectors(files={}, columns=nbac.Columns(fire="NAME", agency_start="when"))
    table = source.read(tmp_path / "fires.csv")
    assert table.sizes["fire"] == 1
    assert float(table["agency_start"][0]) == 19_539
    assert "2 rows lie nowhere on Earth" in caplog.text
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorruptFileError, match="no columns of longitude and latitude, but a, b"):
        source.read(tmp_path / "other.csv")
