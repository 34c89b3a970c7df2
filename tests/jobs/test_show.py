import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from firesat.cli.main import main
from firesat.errors import ConfigError, CorruptFileError
from firesat.grid import geobox
from firesat.jobs.show import locate, trail
from firesat.products.base import Issue
from firesat.products.probability import Probability
from firesat.products.strips import State, Strip
from firesat.products.wording import STATES
from firesat.window import Window

EXTENT = (10_000.0, 620_000.0, 20_000.0, 630_000.0)


@pytest.fixture
def map_path(tmp_path: Path) -> Path:
    values = np.full((2, 100, 100), -9999.0, dtype="float32")
    values[0, 30, 40] = 1.2e-4
    path = tmp_path / "map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=100, height=100, count=2, dtype="float32", nodata=-9999,
        crs="EPSG:3979", transform=geobox(EXTENT, "EPSG:3979", 100).affine,
    ) as target:  # fmt: skip
        target.write(values)
        target.descriptions = ("p_fire", "p_growth")
        target.update_tags(reference_time="2023-07-05T12:00:00Z", model="TemporalCNN")
    return path


@pytest.fixture
def forecast(tmp_path: Path) -> Path:
    """A map as firesat predict leaves it: forecast in row 0, one reason less in each other row."""
    cells = geobox(EXTENT, "EPSG:3979", 100)
    state = np.minimum(np.arange(100, dtype=np.uint8), max(State))[:, None].repeat(100, axis=1)
    p = np.full((100, 100), 0.25, np.float32)
    issue = Issue(
        day="2023-07-05", window=Window(), model="test", checkpoint="ab" * 32, regime="protocol",
        utc_offset=-6, version="0.1.0",
    )  # fmt: skip
    strip = Strip(row=0, growth=p, new=p, state=state, looks=np.ones_like(state), age=p)
    return Probability().write([strip], cells, issue, tmp_path)[0].path


def test_a_pixel_is_said_in_words_with_its_name(map_path: Path) -> None:
    found = trail(map_path, 30, 40)
    assert found["p_fire"] == "1.2 in 10 000 (0.012 %)"
    assert found["p_growth"] == "no forecast"  # there is no mask that says why
    assert (found["x"], found["y"]) == (14_050.0, 626_950.0)
    assert (
        found["tile"] == "x26y33"
    )  # (14 050 + 2 600 000) / 100 km, (4 000 000 - 626 950) / 100 km
    assert found["cell"] == "row 730, column 140 of the tile"
    assert found["reference_time"] == "2023-07-05T12:00:00Z"


def test_a_pixel_without_a_forecast_says_why(forecast: Path) -> None:
    assert trail(forecast, 0, 7)["p_growth"] == "2.5 in 10 (25 %)"
    for state in set(State) - {State.FORECAST}:
        assert trail(forecast, state, 7)["p_fire"] == f"no forecast: {STATES[state]['en']}"
    (forecast.parent / "masks" / f"{forecast.stem}_mask.tif").unlink()
    assert trail(forecast, 5, 7)["p_fire"] == "no forecast"


def test_json_holds_numbers(forecast: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(row: int) -> dict[str, object]:
        assert main(["show", str(forecast), "--row", str(row), "--column", "7", "--json"]) == 0
        content: dict[str, object] = json.loads(capsys.readouterr().out)
        return content

    found = shown(0)
    assert (found["row"], found["column"], found["state"]) == (0, 7, "forecast")
    assert (found["p_growth"], found["p_fire"]) == (0.25, 0.4375)  # 1 - 0.75^2
    found = shown(State.SNOW_COVERED)
    assert found["state"] == "snow_covered"
    assert found["p_fire"] is found["p_growth"] is found["p_new"] is None


def test_a_place_is_found_by_degrees(map_path: Path) -> None:
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    assert locate(map_path, *to_degrees.transform(14_050, 626_950)) == (30, 40)


def test_places_outside_and_files_that_are_no_maps_are_refused(
    map_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"100 rows and 100 columns, pixel \(100, 0\)"):
        trail(map_path, 100, 0)
    page = tmp_path / "page.tif"
    page.write_text("hello")
    with pytest.raises(CorruptFileError, match=r"page\.tif"):
        trail(page, 0, 0)


@pytest.mark.parametrize("typed", [("54.9", "-94.4"), ("nan", "5"), ("5", "inf"), ("-181", "55")])
def test_degrees_that_are_no_place_are_refused_in_one_line(
    map_path: Path, capsys: pytest.CaptureFixture[str], typed: tuple[str, str]
) -> None:
    assert main(["show", str(map_path), "--lonlat", *typed]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ConfigError: {' '.join(typed)} is no place: give the longitude")
    assert error.count("\n") == 1


@pytest.mark.parametrize("typed", [("-120", "55"), ("85", "-90")])
def test_a_place_outside_is_refused_with_the_map_s_extent(
    map_path: Path, capsys: pytest.CaptureFixture[str], typed: tuple[str, str]
) -> None:
    assert main(["show", str(map_path), "--lonlat", *typed]) == 2
    left, bottom, right, top = EXTENT
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    east, north = to_degrees.transform([left, left, right, right], [bottom, top, bottom, top])
    assert capsys.readouterr().err == (
        f"ConfigError: {' '.join(typed)} lies outside map.tif, which reaches from longitude "
        f"{min(east):.2f} to {max(east):.2f} and from latitude {min(north):.2f} to "
        f"{max(north):.2f}\n"
    )


def test_a_raster_without_a_crs_is_no_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=9, height=9, count=1, dtype="uint8",
        transform=geobox(EXTENT, "EPSG:3979", 100).affine,
    ) as file:  # fmt: skip
        file.write(np.zeros((1, 9, 9), np.uint8))
    for place in (("--lonlat", "-94.4", "54.9"), ("--row", "1", "--column", "1")):
        assert main(["show", str(path), *place]) == 2
        assert capsys.readouterr().err == (
            f"ConfigError: {path} has no CRS, it is no map: give a GeoTIFF of firesat predict\n"
        )


def test_the_command_asks_which_pixel(map_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(map_path)]) == 2
    assert "give --row and --column, or --lonlat" in capsys.readouterr().err
    assert main(["show", str(map_path), "--row", "30", "--column", "40", "--json"]) == 0
    assert '"tile": "x26y33"' in capsys.readouterr().out
