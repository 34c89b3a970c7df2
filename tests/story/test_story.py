"""From one scene of the sky to one pixel of the GeoTIFF, followed by arithmetic."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rio_cogeo.cogeo import cog_validate

from firesat.cube import cube_info, open_cube
from firesat.jobs.ingest.providers import world_path
from firesat.manifest import Manifest
from firesat.model_folder import load_forecaster
from firesat.project import Project
from firesat.samples import Inputs, Reader
from firesat.sandbox.observe import sentinel2
from firesat.sandbox.world import World
from firesat.scaling import Scaler
from firesat.window import reference_time, to_datetime

DAY = "2022-07-11"
pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def world(workplace: Path, project: Project, story: Path) -> World:
    return World.load(workplace / world_path(project))


def test_everything_the_config_asks_for_is_there(story: Path) -> None:
    info = cube_info(story / "cube.zarr")
    groups = info["groups"]
    assert {"sentinel2", "modis_vi", "modis_lst", "era5_land", "labels"} <= set(groups)
    assert all(group["completeness"] == 1.0 for group in groups.values())
    names = {path.relative_to(story).as_posix() for path in story.rglob("*")}
    wanted = {"chips.zarr", "model/README.md", "quicklook.png", "report.html", "scores.json"}
    assert wanted <= names
    for kind in ("tif", "json", "qml"):
        assert f"forecast/firesat_{DAY}_p8d.{kind}" in names


def test_a_pixel_of_a_scene_is_what_the_satellite_saw(
    story: Path, world: World, project: Project
) -> None:
    """World -> Sentinel Hub -> UTM GeoTIFF -> cube, by a flat and clear piece of ground."""
    cube = open_cube(story / "cube.zarr", "sentinel2").sel(
        x=slice(10_000, 30_000), y=slice(640_000, 620_000)
    )
    clear = (cube["clear"] > 0.9).sum(("y", "x")).values
    day = cube["time"].values[int(clear.argmax())]
    start = to_datetime(reference_time(str(day)[:10]))
    seen = sentinel2.acquisitions(world, start, start.replace(hour=23))
    truth, _ = sentinel2.reflectance(world, seen[0])
    got = cube["reflectance"].sel(time=day).values
    # Two bilinear resamplings (to UTM and back) blur edges: compare where the ground is smooth.
    rough = np.max([np.abs(np.roll(truth[7], s, a) - truth[7]) for s in (-2, 2) for a in (0, 1)], 0)
    smooth = (rough < np.quantile(rough, 0.1)) & np.isfinite(got[7])
    smooth[:5] = smooth[-5:] = smooth[:, :5] = smooth[:, -5:] = False
    assert smooth.sum() > 1000
    difference = np.abs(got - truth)[:, smooth]
    assert np.median(difference) < 0.004
    shifted = np.abs(np.roll(got, 3, axis=2) - truth)[:, smooth]
    assert np.median(shifted) > 1.5 * np.median(
        difference
    )  # the place matters: it is the right one


def test_the_forecaster_was_calibrated_on_maps_of_the_held_out_days(story: Path) -> None:
    kept = json.loads((story / "model" / "calibration.json").read_text())
    receipt = json.loads((story / "receipts" / "calibrate.json").read_text())
    assert kept["days"] == receipt["days"] == ["2021-07-21", "2021-07-29"]
    assert kept["rests_on"] == receipt["rests_on"]
    assert set(kept["curves"]) == {"growth", "new"}
    assert kept["rests_on"]["new"]["cells"] > 10_000
    assert "## Calibration" in (story / "model" / "README.md").read_text()


def test_nothing_entered_before_it_was_available(story: Path) -> None:
    for group in ("sentinel2", "modis_vi", "era5_land", "hotspots"):
        opened = open_cube(story / "cube.zarr", group)
        available = opened["available_time"].values
        observed = opened["time"].values[:, None, None]
        known = ~np.isnat(available)
        assert known.any(), group
        assert (available > observed)[known].all(), group


def test_a_pixel_of_the_map_is_the_network_on_that_place_and_time(
    story: Path, project: Project
) -> None:
    """Cube -> recent looks -> batch -> scaled -> network -> probability -> the GeoTIFF's pixel."""
    forecaster, inputs, scaler = load_forecaster(story / "model")
    reader = Reader(story / "cube.zarr", Inputs.from_record(inputs))
    cells = project.grid.region_geobox(100)
    chip = reader.chip(reader.day(DAY, cells), 60, 60, 80)
    scaled = Scaler.from_record(scaler).apply(chip)
    batch = {name: torch.from_numpy(np.asarray(v)[None]) for name, v in scaled.items()}
    with torch.inference_mode():
        logits = forecaster(batch)[0]
        growth, new = torch.sigmoid(logits).double().numpy()
    # The middle of the chip, beyond the halo of every chip that the map was stitched from, would be
    # exact for a network without memory of its edges; this one pools widely, so a tolerance stays.
    with rasterio.open(story / "forecast" / f"firesat_{DAY}_p8d.tif") as source:
        fire, grow, fresh = source.read()[:, 100, 100]
        assert source.transform * (100.5, 100.5) == (20_050.0, 629_950.0)
    if fire == -9999:
        pytest.fail("the middle of the region is masked: choose another pixel")
    assert grow == pytest.approx(growth[40, 40], rel=0.35)
    assert fresh == pytest.approx(new[40, 40], rel=0.35)
    assert fire == pytest.approx(1 - (1 - grow) * (1 - fresh), rel=2e-3)


@pytest.mark.parametrize("day", ["2022-06-25", "2022-07-11", "2022-07-27"])
def test_maps_are_what_gis_expects(story: Path, day: str) -> None:
    path = story / "forecast" / f"firesat_{day}_p8d.tif"
    valid, errors, warnings = cog_validate(path, strict=True)
    assert valid, (errors, warnings)
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 3979
        assert source.nodata == -9999
        assert source.dtypes == ("float32",) * 3
        assert source.descriptions == ("p_fire", "p_growth", "p_new")
        assert source.overviews(1)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.tags()["reference_time"] == f"{day}T12:00:00Z"
        assert source.tags()["valid_time_end"] > source.tags()["valid_time_start"]
        assert tuple(source.bounds) == (10_000, 620_000, 30_000, 640_000)
        values = source.read(1, masked=True)
        statistics = source.tags(1)
    assert 0 <= values.min() <= values.max() <= 1
    assert float(statistics["STATISTICS_MAXIMUM"]) == pytest.approx(float(values.max()), rel=1e-6)
    item = json.loads(path.with_suffix(".json").read_text())
    assert item["properties"]["forecast:reference_datetime"] == f"{day}T12:00:00Z"


def test_scores_say_where_they_were_measured(story: Path) -> None:
    scores = json.loads((story / "scores.json").read_text())
    assert scores["facts"]["sandbox"] is True
    assert {"climatology", "persistence"} <= {s["forecast"] for s in scores["scores"]}
    assert all(s["prevalence"] is not None for s in scores["scores"])
    page = (story / "report.html").read_text()
    assert "sandbox" in page
    assert "Ne remplace ni l'indice officiel" in page.replace("&#x27;", "'")


def test_the_ledger_vouches_for_every_block(story: Path) -> None:
    rows = Manifest(story / "cube.ledger").rows()
    assert {row.status for row in rows} <= {"done", "empty"}
    assert all(len(row.checksum) == 64 for row in rows if row.status == "done")
