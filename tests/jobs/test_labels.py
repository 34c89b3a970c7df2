"""Labels from files, by arithmetic on fires of a few kilometres."""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import Point, box

from firesat.blocks import Block
from firesat.errors import ConfigError
from firesat.grid import cell_area, geobox
from firesat.jobs.labels import LabelReport, Request, gather, label, windows
from firesat.labels import VARIABLES, label_season, window_label
from firesat.sources.base import Scene
from firesat.sources.fires import Hotspots, Nbac
from firesat.window import Window

TO_DEGREES = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
CENTRE = (25_000.0, 635_000.0)
NAN = np.nan
LAST = "2023-12-31"


def day(text: str) -> float:
    return float((np.datetime64(text) - np.datetime64("1970-01-01")).astype(int))


def around(x: float, y: float, reach: float = 0.02) -> tuple[float, float, float, float]:
    """A bbox in degrees around a place of the grid."""
    longitude, latitude = TO_DEGREES.transform(x, y)
    return longitude - reach, latitude - reach, longitude + reach, latitude + reach


def fire(number: int, shape: shapely.Geometry, **columns: object) -> dict[str, object]:
    """A row of NBAC."""
    row = {"YEAR": 2023.0, "GID": f"2023_{number}", "NFIREID": float(number), "geometry": shape}
    dates = dict.fromkeys(("HS_SDATE", "HS_EDATE", "AG_SDATE", "AG_EDATE", "PRESCRIBED"))
    return row | dates | {"ADJ_HA": NAN} | columns


def write_fires(folder: Path, *fires: dict[str, object]) -> Path:
    """NBAC's columns in a GeoPackage on the grid's own CRS: shapes stay what they are."""
    path = folder / "nbac.gpkg"
    gpd.GeoDataFrame(list(fires), geometry="geometry", crs="EPSG:3979").to_file(path)
    return path


def write_hotspots(folder: Path, *seen: tuple[float, float, str]) -> Path:
    """CWFIS's columns."""
    lines = []
    for x, y, moment in seen:
        longitude, latitude = TO_DEGREES.transform(x, y)
        lines.append(f"{latitude:.6f},{longitude:.6f},{moment},NASA,VIIRS-I,5.0\n")
    path = folder / "hotspots.csv"
    path.write_text("lat,lon,rep_date,source,sensor,frp\n" + "".join(lines))
    return path


@dataclass(frozen=True)
class Made:
    """A file of labels and its report."""

    bands: dict[str, NDArray[np.float32]]
    cells: object
    report: LabelReport
    path: Path

    def at(self, name: str, x: float, y: float) -> float:
        box = self.cells.boundingbox
        value = self.bands[name][int((box.top - y) // 100), int((x - box.left) // 100)]
        return float("nan") if value == -9999 else float(value)

    def dates(self, x: float, y: float) -> list[float]:
        return [self.at(name, x, y) for name in VARIABLES[2:]]


def make(folder: Path, fires: Path, *hotspots: Path, **changed: object) -> Made:
    request = Request(
        **{
            "perimeters": fires,
            "hotspots": hotspots,
            "year": 2023,
            "bbox": around(*CENTRE),
            "output": folder / "labels.tif",
            **changed,
        }
    )
    report = label(request, gather(request), lambda *_: None)
    with rasterio.open(request.output) as file:
        bands = dict(zip(file.descriptions, file.read(), strict=True))
    return Made(bands=bands, cells=request.cells, report=report, path=request.output)


SQUARE = box(22_000, 632_000, 26_000, 636_000)  # 40 x 40 cells


def test_the_file_says_what_its_bands_are(tmp_path: Path) -> None:
    made = make(tmp_path, write_fires(tmp_path, fire(7, SQUARE, AG_SDATE="2023-07-05")))
    assert tuple(made.bands) == VARIABLES
    with rasterio.open(made.path) as file:
        assert file.crs.to_epsg() == 3979
        assert file.nodata == -9999
        assert file.units == ("1", None, *["days since 1970-01-01"] * 4)
        assert (file.transform.a, file.transform.e) == (100, -100)
        assert file.transform.c % 10_000 == file.transform.f % 10_000 == 0
        assert "fire days, 12 to 12 UTC" in file.tags(3)["comment"]
        assert file.tags()["season"] == "2023"
        west, south, east, north = around(*CENTRE)
        to_grid = Transformer.from_crs("EPSG:4326", "EPSG:3979", always_xy=True)
        left, bottom, right, top = to_grid.transform_bounds(west, south, east, north)
        assert file.bounds.left <= left < right <= file.bounds.right
        assert file.bounds.bottom <= bottom < top <= file.bounds.top
    assert cog_validate(made.path, strict=True)[0]
    assert made.report.plan.shape == made.bands["fraction"].shape


def test_half_cells_dates_and_hectares_by_arithmetic(tmp_path: Path) -> None:
    shape = box(22_050, 632_000, 26_000, 636_000) - box(24_000, 634_000, 24_100, 634_025)
    row = fire(7, shape, AG_SDATE="2023-07-05", AG_EDATE="2023-07-09", ADJ_HA=1500.0)
    made = make(tmp_path, write_fires(tmp_path, row))
    assert made.at("fraction", 22_020, 633_050) == 0.5
    assert made.at("fraction", 24_050, 634_050) == 0.75  # the hole
    assert made.at("fraction", 24_050, 635_050) == 1
    assert made.at("fraction", 21_950, 633_050) == 0
    assert made.dates(21_950, 633_050) == pytest.approx([NAN] * 4, nan_ok=True)
    five, nine = day("2023-07-05"), day("2023-07-09")
    assert made.dates(24_050, 635_050) == [five, five, nine, five]
    assert made.at("fire_id", 22_020, 633_050) == 7
    area = cell_area(made.cells)
    hectares = float((made.bands["fraction"] * area).sum()) / 1e4
    assert made.report.area_ha["fractions"] == pytest.approx(hectares, abs=0.01)
    assert made.report.area_ha["polygons"] == pytest.approx(hectares, rel=1e-5)
    scale = float(area.mean()) / 1e4
    assert hectares == pytest.approx((39.5 * 40 - 0.25) * scale, rel=1e-3)
    (outlier,) = made.report.outliers
    assert (outlier.fire, outlier.fire_id, outlier.official) == ("2023_7", 7, 1500)
    share = 100 * (hectares / 1500 - 1)
    assert outlier.reason == f"the polygon itself has {share:+.1f} % of the official size"


def test_hotspots_date_a_fire_and_a_window_tells_growth_from_new(tmp_path: Path) -> None:
    row = fire(7, SQUARE, AG_SDATE="2023-07-05", HS_EDATE="2023-07-20")
    seen = [(23_250, 633_250, "2023-07-10 20:00:00"), (23_250, 633_250, "2023/07/11 03:00:00"),
            (25_250, 635_250, "2023-07-14 20:00:00"), (80_000, 900_000, "2023-07-14 20:00:00"),
            (25_250, 635_250, "2022-07-14 20:00:00")]  # fmt: skip
    made = make(tmp_path, write_fires(tmp_path, row), write_hotspots(tmp_path, *seen))
    ten, fourteen, start = day("2023-07-10"), day("2023-07-14"), day("2023-07-05")
    assert made.dates(23_250, 633_250) == [ten, ten, ten, start]  # 3 UTC is still the 10th
    assert made.dates(25_250, 635_250) == [fourteen, fourteen, fourteen, start]
    hotspots = {"rows": 5, "used": 3, "other years": 1, "elsewhere": 1}
    assert made.report.plan.hotspots == hotspots
    assert made.report.without_hotspots == 0
    for place, issued, heads in (
        ((25_250, 635_250), "2023-07-10", [1, 0]),  # burns on the 14th, of a fire of the 5th
        ((23_250, 633_250), "2023-07-05", [0, 1]),  # starts on the issue day, burns on the 10th
        ((25_250, 635_250), "2023-07-05", [0, 0]),  # not within the 8 days
    ):
        cell = xr.Dataset({n: (("y", "x"), [[made.at(n, *place)]]) for n in VARIABLES})
        found, valid = window_label(cell, issued, Window(horizon=8))
        assert found.ravel().tolist() == heads
        assert valid.all()


def test_overlapping_fires_count_once_and_the_larger_share_owns_a_cell(tmp_path: Path) -> None:
    one = box(22_000, 632_000, 24_030, 634_000)
    two = box(24_000, 632_000, 26_000, 634_000)
    inner = box(22_500, 632_500, 22_800, 632_800)
    paths = write_fires(
        tmp_path,
        *(fire(n, s, AG_SDATE="2023-07-05") for n, s in ((1, one), (2, two), (3, inner))),
    )
    made = make(tmp_path, paths)
    assert made.bands["fraction"].max() == 1
    assert made.at("fire_id", 24_050, 633_050) == 2  # all of it against 30 of 100 m
    assert made.at("fire_id", 23_950, 633_050) == 1
    assert made.at("fire_id", 22_650, 632_650) == 3  # both cover it: the smaller one
    union = shapely.union_all([one, two, inner]).area / 1e4
    assert made.bands["fraction"].sum() == pytest.approx(union, rel=1e-6)
    scale = float(cell_area(made.cells).mean()) / 1e4
    assert made.report.area_ha["overlaps"] == pytest.approx((6 + 9) * scale, rel=1e-3)


def test_what_is_unknown_is_nodata_and_counted_not_zero(tmp_path: Path) -> None:
    planned = box(20_000, 630_000, 20_500, 630_500)
    undated = box(28_000, 638_000, 29_000, 639_000)
    path = write_fires(
        tmp_path,
        fire(1, planned, AG_SDATE="2023-05-05", PRESCRIBED="true"),
        fire(2, undated),
        fire(3, box(15_000, 625_000, 15_020, 625_020), AG_SDATE="2023-07-01"),  # 0.04 ha
        fire(4, box(40_000, 640_000, 41_000, 641_000)),  # begins where the region ends
    )
    stray = [(21_250, 637_250, "2023-08-01 20:00:00"), (21_250, 637_250, "2023-08-03 20:00:00"),
             (20_250, 630_250, "2023-05-05 20:00:00")]  # fmt: skip
    made = make(tmp_path, path, write_hotspots(tmp_path, *stray), bbox=around(*CENTRE, 0.1))
    assert np.isnan(made.at("fraction", 20_250, 630_250))
    assert made.at("fraction", 28_050, 638_050) == 1
    assert made.dates(28_050, 638_050) == pytest.approx([NAN] * 4, nan_ok=True)
    assert np.isnan(made.at("fraction", 21_250, 637_250))
    first, last = day("2023-08-01"), day("2023-08-03")
    assert [made.at(n, 21_250, 637_250) for n in ("earliest", "latest")] == [first, last]
    small = day("2023-07-01")
    assert made.at("fraction", 15_010, 625_010) == pytest.approx(0.04)
    assert made.dates(15_010, 625_010) == [small, small, small + 2, small]
    report = made.report
    assert (report.plan.fires, report.plan.prescribed_excluded, report.plan.undated) == (2, 1, 1)
    assert (report.undated_unknown, report.without_hotspots) == (1, 2)
    assert report.unknown_cells == {"prescribed": 25, "undated": 100, "stray_hotspots": 15 * 15}


def test_an_undated_fire_is_dated_by_its_hotspots_the_same_in_every_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = box(-60_000, 634_000, 60_000, 635_000)  # 120 km: no window sees both ends
    seen = [(-59_750, 634_250, "2023-07-03 20:00:00"), (59_750, 634_250, "2023-07-30 20:00:00")]
    path = write_fires(tmp_path, fire(2, long))
    monkeypatch.setattr(windows, "COLUMNS", 200)
    west, south, east, north = around(0, 634_500, 0.02)
    bbox = (west - 1, south, east + 1, north)
    made = make(tmp_path, path, write_hotspots(tmp_path, *seen), bbox=bbox)
    assert made.report.plan.undated == 1
    assert made.report.undated_unknown == 0
    for x in (-59_750, 59_750):
        assert made.at("fire_start", x, 634_250) == day("2023-07-03")
    assert made.at("burn_day", 59_750, 634_250) == day("2023-07-30")


def test_windows_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(-15_000, 15_000, (12, 2)) + CENTRE
    fires = [
        fire(n, Point(x, y).buffer(rng.uniform(200, 3000)), AG_SDATE="2023-07-05")
        for n, (x, y) in enumerate(places, start=1)
    ]
    moments = [f"2023-07-{d:02d} 20:00:00" for d in rng.integers(5, 28, 300)]
    spots = zip(*(rng.uniform(-15_000, 15_000, (300, 2)) + CENTRE).T, moments, strict=True)
    inputs = write_fires(tmp_path, *fires), write_hotspots(tmp_path, *spots)
    whole = make(tmp_path, *inputs, bbox=around(*CENTRE, 0.1))
    monkeypatch.setattr(windows, "ROWS", 100)
    monkeypatch.setattr(windows, "COLUMNS", 100)
    parts = make(tmp_path, *inputs, bbox=around(*CENTRE, 0.1))
    for name in VARIABLES:
        np.testing.assert_array_equal(whole.bands[name], parts.bands[name])
    assert whole.report == parts.report
    assert whole.report.unknown_cells["stray_hotspots"] > 0


def test_the_cube_derives_the_same_labels(tmp_path: Path) -> None:
    shapes = [box(22_030, 632_000, 26_000, 636_000), Point(17_000, 628_000).buffer(700)]
    rows = [fire(1, shapes[0], AG_SDATE="2023-07-05"), fire(2, shapes[1], AG_SDATE="2023-07-01")]
    seen = [(23_250, 633_250, "2023-07-10 20:00:00"), (25_250, 635_250, "2023-07-14 20:00:00"),
            (23_750, 634_250, "2023-07-12 10:00:00"),  # of the night before, out the day after
            (17_250, 628_250, "2023-07-02 20:00:00")]  # fmt: skip
    inputs = write_fires(tmp_path, *rows), write_hotspots(tmp_path, *seen)
    made = make(tmp_path, *inputs)
    extent = (-20_000.0, 590_000.0, 70_000.0, 680_000.0)
    days = np.arange(np.datetime64("2023-07-01"), np.datetime64("2023-07-20")).astype("M8[s]")

    def block(group: str, level: int, times: NDArray[np.datetime64]) -> Block:
        cells = geobox(extent, "EPSG:3979", level)
        return Block(group=group, index=(0, 0, 0), times=tuple(times), geobox=cells, extent=extent)

    january = np.array(["2023-01-01"], dtype="M8[s]")
    nbac = _composed(Nbac(), inputs[0], block("nbac", 100, january)).isel(time=0)
    hotspots = _composed(Hotspots(), inputs[1], block("hotspots", 500, days))
    labels = label_season(nbac, hotspots)
    box_ = made.cells.boundingbox
    inside = labels.sel(x=slice(box_.left, box_.right), y=slice(box_.top, box_.bottom))
    for name in VARIABLES:
        ours = np.where(made.bands[name] == -9999, NAN, made.bands[name])
        np.testing.assert_array_equal(ours, inside[name].values, err_msg=name)
    assert (inside["latest"] == day("2023-07-14")).any()


def _composed(source: Nbac | Hotspots, path: Path, block: Block) -> xr.Dataset:
    """What a source puts into the cube."""
    dates = [str(d)[:10] for d in block.times]
    after = str(block.times[-1] + np.timedelta64(1, "D"))[:10]
    scene = Scene(
        id=path.name,
        source=block.group,
        observed=block.times[-1],
        available=block.times[-1],
        request={"dates": [*dates, after]},
    )
    return source.compose([(scene, source.read(path))], block)


def test_a_fire_cut_by_the_region_is_drawn_and_not_compared(tmp_path: Path) -> None:
    wide, square = box(-50_000, 634_000, 90_000, 636_000), box(23_000, 632_000, 24_000, 633_000)
    cells = geobox((20_000, 630_000, 30_000, 640_000), "EPSG:3979", 100)
    scale = float(cell_area(cells).mean()) / 1e4  # hectares of ground in a cell
    path = write_fires(
        tmp_path,
        fire(1, wide, AG_SDATE="2023-07-05", ADJ_HA=28_000.0),
        fire(2, square, AG_SDATE="2023-07-05", ADJ_HA=100 * scale),
    )
    made = make(tmp_path, path)
    assert made.report.official_kept == {"compared": 1, "within_1_percent": 1}
    area = made.report.area_ha
    assert area["official"] == pytest.approx(100 * scale, abs=0.01)
    width = made.report.plan.extent[2] - made.report.plan.extent[0]
    assert area["fractions"] == pytest.approx((width / 100 * 20 + 100) * scale, rel=1e-3)
    assert area["polygons"] == pytest.approx(area["fractions"], rel=1e-6)


def test_ground_that_the_file_says_nothing_of_is_refused_not_called_unburned(
    tmp_path: Path,
) -> None:
    path = write_fires(tmp_path, fire(1, SQUARE, AG_SDATE="2023-07-05"),
                       fire(2, box(9e4, 7e5, 9.1e4, 7.01e5), AG_SDATE="2023-07-05"))  # fmt: skip
    with pytest.raises(ConfigError, match=r"no fires of 2023 near this --bbox: they lie in -94\.7"):
        make(tmp_path, path, bbox=(-123, 49, -122.9, 49.1))
    between = make(tmp_path, path, bbox=around(60_000, 670_000))
    assert between.bands["fraction"].max() == 0  # within what the file covers: nothing burned
    assert not list(tmp_path.glob(".labels*"))


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    path = write_fires(tmp_path, fire(1, SQUARE, AG_SDATE="2023-07-05"))
    request = Request(
        perimeters=path, year=2023, bbox=around(*CENTRE), output=tmp_path / "out/labels.tif"
    )

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(request, gather(request), stop)
    assert list((tmp_path / "out").iterdir()) == []
