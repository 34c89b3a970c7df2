"""Own rasters: which of them show the ground, and how a day's files are put together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Block
from firesat.errors import ConfigError
from firesat.grid import geobox
from firesat.jobs.ingest import observe
from firesat.sources.files import LocalRasters

EXTENT = (10_000.0, 660_000.0, 20_000.0, 670_000.0)
DAY = np.datetime64("2023-07-05", "D")
SETTINGS = {"group": "sentinel2", "stack": "reflectance", "clear": "observed", "scale": 1e-4}
BLOCK = Block(
    group="sentinel2",
    index=(0, 0, 0),
    times=(DAY,),
    geobox=geobox(EXTENT, "EPSG:3979", 100),
    extent=EXTENT,
)


def write(path: Path, numbers: np.ndarray, metres: int = 20) -> None:
    """Bands of 20 m pixels from the block's upper left corner; 0 = missing."""
    count, height, width = numbers.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype="uint16",
        crs="EPSG:3979",
        transform=from_origin(EXTENT[0], EXTENT[3], metres, metres),
        nodata=0,
    ) as file:
        file.write(numbers.astype("uint16"))


def composed(rasters: LocalRasters) -> dict[str, np.ndarray]:
    scenes = [(scene, observe(rasters, scene, BLOCK, Path())) for scene in rasters.search(BLOCK)]
    made = rasters.compose(scenes, BLOCK)
    assert made["reflectance"].dims == ("time", "band", "y", "x")
    return {name: made[name].values[0] for name in made.data_vars}


@pytest.fixture
def two(tmp_path: Path) -> LocalRasters:
    """Two files of a day: 10 x 10 and 20 x 20 cells from the corner, the first with holes."""
    first = np.full((2, 50, 50), 1000)
    first[1, :5, :5] = 0  # the first cell's second band is missing
    first[0, :5, 5:9] = 0  # four fifths of the second cell
    second = np.full((2, 100, 100), 3000)
    write(tmp_path / "first.tif", first)
    write(tmp_path / "second.tif", second)
    return LocalRasters(
        files={"first.tif": "2023-07-05T18:00:00Z", "second.tif": "2023-07-05T20:00:00Z"},
        bands={"B12": 1, "B04": 2},
        root=str(tmp_path),
        root_env="",
        **SETTINGS,
    )


def test_clear_is_the_share_of_a_cell_where_every_band_was_observed(two: LocalRasters) -> None:
    alone = composed(replace(two, files={"first.tif": "2023-07-05T18:00:00Z"}))
    assert alone["clear"][0, :3].tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert np.isnan(alone["clear"][20:]).all()  # beyond the file nobody looked
    assert alone["reflectance"][:, 0, 2].tolist() == pytest.approx([0.1, 0.1])


def test_a_later_file_fills_what_an_earlier_one_saw_less_clearly(two: LocalRasters) -> None:
    made = composed(two)
    assert made["reflectance"][:, 0, 0].tolist() == pytest.approx([0.3, 0.3])  # both bands
    assert made["reflectance"][0, 0, 1] == pytest.approx(0.3)
    assert made["reflectance"][0, 0, 2] == pytest.approx(0.1)
    assert made["reflectance"][0, 15, 15] == pytest.approx(0.3)
    assert (made["clear"][:20, :20] == 1).all()
    assert np.isnan(made["clear"][20:]).all()


def test_thirteen_bands_can_be_masked_for_clouds(tmp_path: Path) -> None:
    numbers = np.full((13, 50, 50), 1000)
    numbers[SENTINEL2_BANDS.index("B10")] = 10
    numbers[:, :, 25:] = 5000  # bright and white
    write(tmp_path / "l1c.tif", numbers)
    rasters = LocalRasters(
        files={"l1c.tif": "2023-07-05T18:00:00Z"},
        bands={name: number + 1 for number, name in enumerate(SENTINEL2_BANDS)},
        root=str(tmp_path),
        root_env="",
        **{**SETTINGS, "clear": "masked"},
    )
    made = composed(rasters)
    assert made["clear"][5, 0] == 1
    assert made["clear"][5, 8] == 0
    assert "clear" in {variable.name for variable in rasters.layout.variables}


def test_a_comment_stands_in_the_cube() -> None:
    plain = LocalRasters(files={}, bands={"B12": 1}, **SETTINGS)
    assert "comment" not in plain.layout.attrs
    assert replace(plain, comment="made up").layout.attrs["comment"] == "made up"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stack": ""}, "need stack: reflectance and clear"),
        ({"clear": ""}, "need stack: reflectance and clear"),
        ({"clear": "masked"}, "masked needs stack: reflectance and the bands B01"),
    ],
)
def test_looks_that_no_forecast_could_read_are_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LocalRasters(files={}, bands={"B12": 1}, **{**SETTINGS, **change})


def test_a_missing_file_names_the_variable_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRESAT_REAL_DATA", raising=False)
    rasters = LocalRasters(
        files={"a/b.tif": "2023-07-05T18:00:00"}, bands={"B12": 1}, root=str(tmp_path), **SETTINGS
    )
    with pytest.raises(ConfigError, match=f"no file {tmp_path}/a/b.tif: set FIRESAT_REAL_DATA to"):
        rasters.fetch(rasters.search(BLOCK)[0], tmp_path)
