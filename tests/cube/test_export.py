"""A flat Zarr holds the cube's own values, coarse cells repeated, however small the pieces."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.cli.main import main
from firesat.cube import create_cube, grid_of, open_cube
from firesat.cube import export as export_module
from firesat.cube.export import export, plan_export
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import Manifest
from tests import weather_cube
from tests.cube import test_streams
from tests.tiny_cube import write_tiny_cube
from tests.weather_cube import Model

DAYS = ("2023-05-02", "2023-05-04")
GROUPS = ("modis_vi", "era5_land", "static", "hotspots")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cube") / "tiny.zarr"
    return write_tiny_cube(path, days=20, groups=[*GROUPS, "sentinel2"], scene_every=19)


def quiet(*_: object) -> None:
    pass


def test_every_cell_has_the_value_of_the_cell_it_lies_in(
    cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "PIECE", 70)  # many pieces, ending inside coarse cells
    report = export(plan_export(cube, grid_of(cube), DAYS, 100, GROUPS), tmp_path / "f.zarr", quiet)
    flat = xr.open_zarr(tmp_path / "f.zarr", consolidated=False, chunks=None)
    assert flat.sizes["y"] == flat.sizes["x"] == 200
    assert flat["era5_land_time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2023-05-02", "2023-05-03", "2023-05-04",
    ]  # fmt: skip
    assert "modis_vi_time" not in flat.dims  # no composite begins on these days
    assert "static_fuel" not in flat
    for name in ("t2m", "ws"):
        coarse = open_cube(cube, "era5_land")[name].sel(time=slice(*DAYS))
        wanted = coarse.sel(x=flat["x"], y=flat["y"], method="nearest").values
        np.testing.assert_array_equal(flat[f"era5_land_{name}"].values, wanted)
    fine = open_cube(cube, "hotspots")["hotspot_count"].sel(time=slice(*DAYS))
    wanted = fine.sel(x=flat["x"], y=flat["y"], method="nearest").values
    np.testing.assert_array_equal(flat["hotspots_hotspot_count"].values, wanted)
    known = open_cube(cube, "era5_land")["available_time"].values[1:4, 0, 0]
    np.testing.assert_array_equal(flat["era5_land_available_time"].values, known)
    assert flat.odc.geobox == grid_of(cube).region_geobox(100)
    assert report["bytes"] > 0


def test_a_forecast_keeps_its_lead_times(tmp_path: Path) -> None:
    model = Model(value=lambda _, day, lead: day + 100.0 * lead, days=3, names=("rh",))
    cube = weather_cube.write(tmp_path / "a.zarr", model)
    days = ("2023-05-03", "2023-05-04")
    export(plan_export(cube, grid_of(cube), days, 1000, ["nwp_gdps"]), tmp_path / "f.zarr", quiet)
    flat = xr.open_zarr(tmp_path / "f.zarr", consolidated=False, chunks=None)
    assert flat["nwp_gdps_rh"].dims == ("nwp_gdps_time", "nwp_gdps_lead_time", "y", "x")
    np.testing.assert_array_equal(
        flat["nwp_gdps_rh"].values[:, :, 0, 0], [[2, 102, 202], [3, 103, 203]]
    )
    lead = open_cube(cube, "nwp_gdps")["lead_time"]
    np.testing.assert_array_equal(flat["nwp_gdps_lead_time"].values, lead.values)


def test_the_latest_time_over_the_tiles_of_the_region_counts(tmp_path: Path) -> None:
    """Two tiles; the right one of the last day was never written."""
    cube = create_cube(tmp_path / "two.zarr", test_streams.GRID)
    test_streams.write(cube, test_streams.NRT, 280.0, 1)
    flat = plan_export(cube.path, cube.grid, ("2021-05-03", "2021-05-04"), 1000)
    export(flat, tmp_path / "f.zarr", quiet)
    both = xr.open_zarr(tmp_path / "f.zarr", consolidated=False, chunks=None)
    days = both["lst_available_time"].values.astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2021-05-04", "2021-05-05"]
    right = Grid(region=(100_000.0, 620_000.0, 110_000.0, 640_000.0))
    flat = plan_export(cube.path, right, ("2021-05-03", "2021-05-04"), 1000)
    export(flat, tmp_path / "right.zarr", quiet)
    alone = xr.open_zarr(tmp_path / "right.zarr", consolidated=False, chunks=None)
    assert np.isnat(alone["lst_available_time"].values).tolist() == [False, True]


def test_bands_and_packing_come_along(cube: Path, tmp_path: Path) -> None:
    part = Grid(region=(20_000.0, 660_000.0, 30_000.0, 670_000.0))
    export(plan_export(cube, part, DAYS, 100, ["sentinel2"]), tmp_path / "f.zarr", quiet)
    flat = xr.open_zarr(tmp_path / "f.zarr", consolidated=False, chunks=None)
    cells = open_cube(cube, "sentinel2").sel(
        time=slice(*DAYS), x=slice(20_000, 30_000), y=slice(670_000, 660_000)
    )
    np.testing.assert_array_equal(flat["sentinel2_reflectance"].values, cells["reflectance"].values)
    assert flat["sentinel2_reflectance"].dims == ("sentinel2_time", "band", "y", "x")
    assert np.isnat(flat["sentinel2_available_time"].values).all()  # no scene on these days


def test_a_day_that_is_the_last_of_the_cube_is_included(cube: Path, tmp_path: Path) -> None:
    days = ("2023-05-20", "2023-12-31")
    export(plan_export(cube, grid_of(cube), days, 1000, ["era5_land"]), tmp_path / "f.zarr", quiet)
    flat = xr.open_zarr(tmp_path / "f.zarr", consolidated=False, chunks=None)
    assert flat.sizes == {"era5_land_time": 1, "y": 20, "x": 20}


def test_what_cannot_be_exported_is_said_before_anything_is_written(
    cube: Path, tmp_path: Path
) -> None:
    with pytest.raises(CubeError, match="no group 'rain': choose of"):
        plan_export(cube, grid_of(cube), DAYS, 100, ["rain"])
    with pytest.raises(CubeError, match="cells of 100 m: take --resolution 100"):
        plan_export(cube, grid_of(cube), DAYS, 500, ["static"])
    with pytest.raises(CubeError, match="leaves the cube's"):
        plan_export(cube, Grid(region=(0.0, 660_000.0, 20_000.0, 680_000.0)), DAYS)
    flat = plan_export(cube, grid_of(cube), DAYS, 1000, ["era5_land"])
    (tmp_path / "there.zarr").mkdir()
    with pytest.raises(CubeError, match="is there already"):
        export(flat, tmp_path / "there.zarr", quiet)


def test_an_export_that_is_stopped_leaves_no_half_of_it(cube: Path, tmp_path: Path) -> None:
    flat = plan_export(cube, grid_of(cube), DAYS, 1000, ["era5_land"])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(flat, tmp_path / "f.zarr", stop)
    assert not (tmp_path / "f.zarr").exists()
    export(flat, tmp_path / "f.zarr", quiet)
    assert not list(tmp_path.glob(".f.zarr*"))


def test_the_command_exports_a_part(
    cube: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "f.zarr")
    part = ["--region", "20000,660000,30000,670000", "--groups", "era5_land"]
    days = ["--start", DAYS[0], "--end", DAYS[1]]
    assert main(["cube", "export", str(cube), out, *part, *days, "--dry-run"]) == 0
    assert "would write era5_land" in capsys.readouterr().err
    assert not Path(out).exists()
    assert main(["cube", "export", str(cube), out, *part, *days, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arrays"][0].startswith("era5_land_")
    shutil.rmtree(out)
    bbox = "--bbox=-95,53.1,-94.9,53.2"
    assert main(["cube", "export", str(cube), out, bbox]) == 1
    assert "leaves the cube" in capsys.readouterr().err
    assert main(["cube", "export", str(cube), out, *part]) == 0
    assert "GB: era5_land_" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "C"], "needs a second folder"),
        (["info", "C", "more.zarr"], "leave out more.zarr"),
        (["hash", "C", "--repair"], "--repair is of firesat cube verify, not hash"),
        (["export", "C", "x.zarr", "--region", "1,2,3"], "is not four numbers"),
        (["unlock", "nowhere.zarr"], "nothing to unlock"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_2(
    cube: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cube", *(word.replace("C", str(cube)) for word in words)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_command_unlocks_and_informs(cube: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cube", "unlock", str(cube)]) == 0
    assert "nobody held it" in capsys.readouterr().err
    from tests.test_lease import ELSEWHERE, claim

    claim(Manifest(cube.with_suffix(".ledger")), ELSEWHERE, 3600)
    assert main(["cube", "unlock", str(cube)]) == 0
    assert "taken from process 1 on elsewhere" in capsys.readouterr().err
    assert main(["cube", "unlock", str(cube), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["taken_from"] is None
    assert main(["cube", "info", str(cube)]) == 0
    assert "EPSG:3979" in capsys.readouterr().err
    assert main(["cube", "info", str(cube), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["crs"] == "EPSG:3979"
