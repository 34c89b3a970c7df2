import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr
import zarr

from firesat.blocks import Block, Layout, Variable, cut
from firesat.cube import (
    Cube,
    cells_of,
    create_cube,
    cube_hash,
    cube_info,
    grid_of,
    groups,
    open_cube,
)
from firesat.cube.hierarchy import array_of, root_of
from firesat.cube.shards import pack
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import Receipt

GRID = Grid(region=(90_000.0, 620_000.0, 110_000.0, 640_000.0))  # across two tiles
DAYS = np.arange(np.datetime64("2021-05-01"), np.datetime64("2021-05-08"))
SENTINEL2 = Layout(
    group="sentinel2",
    level=1000,
    variables=(
        Variable(name="reflectance", dtype="uint16", scale=1e-4, fill=65535, bands=("B04", "B08")),
        Variable(name="clear", dtype="uint8", scale=0.01, fill=255),
    ),
)
WEATHER = Layout(
    group="era5_land", level=10_000, variables=(Variable(name="t2m"),), steps=3, whole_box=True
)


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    return create_cube(tmp_path / "a.zarr", GRID)


def scene(block: Block, value: float = 0.25) -> xr.Dataset:
    rng = np.random.default_rng(block.index[0] * 10 + block.index[2])
    shape = (len(block.times), 2, *block.geobox.shape)
    values = np.full(shape, value) + rng.integers(0, 100, shape) * 1e-4
    values[..., :10, :] = np.nan
    return xr.Dataset(
        {
            "reflectance": (("time", "band", "y", "x"), values),
            "clear": (("time", "y", "x"), np.where(np.isnan(values[:, 0]), np.nan, 0.5)),
        }
    )


def weather(block: Block) -> xr.Dataset:
    days = np.array([t.astype("datetime64[D]").astype(int) for t in block.times], dtype="float32")
    values = 280 + np.broadcast_to(
        days[:, None, None] % 10, (len(block.times), *block.geobox.shape)
    )
    return xr.Dataset({"t2m": (("time", "y", "x"), values)})


def test_blocks_tell_time_place_and_part_of_the_region() -> None:
    blocks = list(cut(SENTINEL2, GRID, DAYS))
    assert len(blocks) == 7 * 2
    assert [b.key for b in blocks[:3]] == [
        "sentinel2/0000/0/0",
        "sentinel2/0000/0/1",
        "sentinel2/0001/0/0",
    ]
    assert blocks[1].extent == (100_000, 620_000, 110_000, 640_000)
    assert blocks[1].region.shape == (20, 10)
    assert [len(b.times) for b in cut(WEATHER, GRID, DAYS)] == [3, 3, 1]


def test_what_is_written_comes_back_in_physical_units(cube: Cube) -> None:
    block = cube.add_group(SENTINEL2, DAYS)[5]
    layer = scene(block)
    assert len(cube.write_block(SENTINEL2, block, layer).checksum) == 64
    opened = open_cube(cube.path, "sentinel2")
    part = opened.sel(time="2021-05-03").isel(x=slice(100, 200))
    np.testing.assert_allclose(
        part["reflectance"].values, layer["reflectance"].values[0], atol=0.5e-4
    )
    np.testing.assert_allclose(part["clear"].values, layer["clear"].values[0], atol=0.005)
    elsewhere = opened["reflectance"].isel(time=2, x=slice(0, 100))
    assert np.isnan(elsewhere.values).all()
    assert cells_of(opened) == GRID.box(1000)
    assert opened["reflectance"].attrs["band_names"] == ["B04", "B08"]


def test_plain_zarr_reads_it_without_firesat(cube: Cube) -> None:
    for block in cube.add_group(WEATHER, DAYS):
        cube.write_block(WEATHER, block, weather(block))
    code = (
        "import sys, xarray as xr; ds = xr.open_zarr(sys.argv[1], group='era5_land', "
        "consolidated=False, chunks=None); print(float(ds.t2m.isel(y=0, x=0).sum()), "
        "ds.spatial_ref.attrs['GeoTransform'])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(cube.path)], capture_output=True, text=True, check=True
    )
    days = DAYS.astype(int)
    assert shown.stdout.startswith(str(float((280 + days % 10).sum())))
    assert "0.0 10000.0 0.0 700000.0 0.0 -10000.0" in shown.stdout


def test_one_block_is_one_file(cube: Cube) -> None:
    block = cube.add_group(SENTINEL2, DAYS)[5]
    before = set(cube.path.rglob("*"))
    cube.write_block(SENTINEL2, block, scene(block))
    made = {p.relative_to(cube.path).as_posix() for p in set(cube.path.rglob("*")) - before}
    files = {name for name in made if (cube.path / name).is_file()}
    assert files == {"sentinel2/reflectance/c/2/0/0/1", "sentinel2/clear/c/2/0/1"}


def test_a_block_with_nothing_in_it_writes_nothing(cube: Cube) -> None:
    block = cube.add_group(SENTINEL2, DAYS)[0]
    before = set(cube.path.rglob("*"))
    assert not cube.write_block(SENTINEL2, block, scene(block) * np.nan)
    assert set(cube.path.rglob("*")) == before


def test_a_block_that_equals_the_fill_value_is_still_vouched_for(cube: Cube) -> None:
    layout = Layout(
        group="hotspots",
        level=1000,
        variables=(
            Variable(name="hotspot_count", dtype="uint16", fill=0),
            Variable(name="frp"),
        ),
    )
    block = cube.add_group(layout, DAYS)[0]
    shape = (1, 100, 100)
    layer = xr.Dataset(
        {
            "hotspot_count": (("time", "y", "x"), np.zeros(shape)),
            "frp": (("time", "y", "x"), np.ones(shape)),
        }
    )
    assert cube.write_block(layout, block, layer)


@pytest.mark.parametrize("spoil", ["shape", "missing"])
def test_part_of_a_block_is_refused(cube: Cube, spoil: str) -> None:
    block = cube.add_group(SENTINEL2, DAYS)[0]
    layer = scene(block)
    layer = layer.drop_vars("clear") if spoil == "missing" else layer.isel(x=slice(50))
    with pytest.raises(CubeError, match=r"without clear|a whole block has \(1, 2, 100, 100\)"):
        cube.write_block(SENTINEL2, block, layer)


def test_values_out_of_range_saturate_and_do_not_wrap(cube: Cube) -> None:
    block = cube.add_group(SENTINEL2, DAYS)[0]
    layer = scene(block)
    layer["reflectance"].values[0, 0, 50, 50] = 99.0
    layer["reflectance"].values[0, 0, 50, 51] = -0.5
    cube.write_block(SENTINEL2, block, layer)
    raw = zarr.open_array(cube.path / "sentinel2/reflectance", mode="r")
    assert raw[0, 0, 50, 50] == 65534
    assert raw[0, 0, 50, 51] == 0


def test_the_hash_knows_content_not_order(tmp_path: Path) -> None:
    cubes = [create_cube(tmp_path / name, GRID) for name in ("a.zarr", "b.zarr")]
    for number, cube in enumerate(cubes):
        blocks = cube.add_group(SENTINEL2, DAYS) + cube.add_group(WEATHER, DAYS)
        for block in blocks[:: -1 if number else 1]:
            if block.group == "era5_land":
                cube.write_block(WEATHER, block, weather(block))
            else:
                cube.write_block(SENTINEL2, block, scene(block))
    first, second = (cube_hash(cube.path) for cube in cubes)
    assert first == second
    block = cubes[1].add_group(SENTINEL2, DAYS)[3]
    layer = scene(block)
    layer["reflectance"].values[0, 1, 99, 99] += 1e-4
    cubes[1].write_block(SENTINEL2, block, layer)
    assert cube_hash(cubes[1].path) != first


def test_the_hash_does_not_know_the_codec_nor_the_unit_of_time(tmp_path: Path) -> None:
    hashes = set()
    for name, codec, unit in (("a", "zstd", "D"), ("b", "lz4", "ns")):
        cube = create_cube(tmp_path / f"{name}.zarr", GRID)
        layout = replace(WEATHER, codec=codec)
        for block in cube.add_group(layout, DAYS.astype(f"datetime64[{unit}]")):
            cube.write_block(layout, block, weather(block))
        hashes.add(cube_hash(cube.path))
    assert len(hashes) == 1


def test_the_coordinator_notes_when_steps_became_available(cube: Cube) -> None:
    blocks = cube.add_group(WEATHER, DAYS)
    available = ["2021-05-05T12:00:00", "", "2021-05-07T12:00:00"]
    cube.record_times(
        [Receipt(key=blocks[1].key, group="era5_land", status="done", available=available)],
        WEATHER,
    )
    times = open_cube(cube.path, "era5_land")["available_time"].values[:, 0, 0]
    assert str(times[3])[:13] == "2021-05-05T12"
    assert np.isnat(times[[0, 1, 2, 4, 6]]).all()


def test_a_box_that_is_no_whole_number_of_chunks_is_written_whole(tmp_path: Path) -> None:
    """Three tiles of 100 cells: the shard is grown to two chunks of 250, and nobody sees it."""
    cube = create_cube(tmp_path / "a.zarr", Grid(region=(0, 600_000, 300_000, 700_000)))
    layout = replace(WEATHER, group="rain", level=1000)
    blocks = cube.add_group(layout, DAYS)
    rng = np.random.default_rng(0)
    for block in blocks:
        values = rng.normal(size=(len(block.times), 100, 300)).astype("float32")
        assert cube.write_block(layout, block, xr.Dataset({"t2m": (("time", "y", "x"), values)}))
    opened = open_cube(cube.path, "rain")["t2m"]
    assert opened.shape == (7, 100, 300)
    np.testing.assert_array_equal(opened.values[6:], values)
    stored = zarr.open_array(cube.path / "rain/t2m", mode="r")
    assert (stored.chunks, stored.shards) == ((3, 100, 250), (3, 100, 500))


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_shard_of_ours_is_the_bytes_that_zarr_would_write(
    cube: Cube, tmp_path: Path, codec: Literal["zstd", "lz4"]
) -> None:
    layout = replace(SENTINEL2, codec=codec)
    block = cube.add_group(layout, DAYS)[4]
    layer = scene(block)
    layer["clear"].values[:] = np.nan
    assert cube.write_block(layout, block, layer)
    for name in ("reflectance", "clear"):
        ours = zarr.open_array(cube.path / "sentinel2" / name, mode="r")
        values = ours[2]
        theirs = zarr.create_array(
            tmp_path / name, shape=ours.shape, dtype=ours.dtype, chunks=ours.chunks,
            shards=ours.shards, compressors=ours.compressors, fill_value=ours.fill_value,
        )  # fmt: skip
        theirs[2] = values
        key = "c/2/0/0/0" if name == "reflectance" else "c/2/0/0"
        if name == "reflectance":
            assert (tmp_path / name / key).read_bytes() == (
                cube.path / "sentinel2" / name / key
            ).read_bytes()
        else:  # zarr leaves out a shard of fill values; ours says that it was looked at
            assert not (tmp_path / name / key).exists()
            assert (cube.path / "sentinel2" / name / key).stat().st_size == 16 + 4
            assert (values == 255).all()


def test_packing_keeps_what_it_can_and_says_what_it_cannot() -> None:
    variable = Variable(name="t", dtype="int16", scale=0.5, fill=-32768)
    values = np.array([[1.24, 1.26, np.nan, 1e9, -1e9, np.inf]])
    assert pack(variable, values).tolist() == [[2, 3, -32768, 32767, -32768, 32767]]
    assert pack(variable, np.array([[2, 3]])).tolist() == [[4, 6]]
    floats = pack(Variable(name="t"), values[:, :3])
    assert floats.dtype == np.float32
    assert np.isnan(floats[0, 2])


def test_a_group_made_otherwise_is_refused_with_the_difference(cube: Cube) -> None:
    cube.add_group(WEATHER, DAYS)
    cube.add_group(WEATHER, DAYS)
    with pytest.raises(CubeError, match="steps: 3 there, 5 now"):
        cube.add_group(replace(WEATHER, steps=5), DAYS)
    with pytest.raises(CubeError, match=r"times: 7 from 2021-05-01 to 2021-05-07 .* 6 from"):
        cube.add_group(WEATHER, DAYS[:-1])
    other = replace(WEATHER, variables=(Variable(name="t2m", dtype="float64"), Variable(name="tp")))
    with pytest.raises(CubeError, match=r"variables\.t2m: \['float32'.* tp: nothing there"):
        cube.add_group(other, DAYS)


def test_a_foreign_group_is_refused(cube: Cube) -> None:
    zarr.open_group(cube.path, mode="a").create_group("era5_land").attrs["firesat_layout"] = 1
    with pytest.raises(CubeError, match="was not made by firesat"):
        cube.add_group(WEATHER, DAYS)


def test_another_region_under_the_same_name_is_refused(cube: Cube) -> None:
    create_cube(cube.path, GRID)
    with pytest.raises(CubeError, match=r"extent: \[90000.0, .* there, \[0, 620000, 20000"):
        create_cube(cube.path, Grid(region=(0, 620_000, 20_000, 640_000)))
    plain = cube.path.with_name("plain.zarr")
    zarr.create_group(plain)
    with pytest.raises(CubeError, match="crs: nothing there, EPSG:3979 now"):
        create_cube(plain, GRID)


def test_a_cube_is_named_zarr(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match=r"write .*cube\.zarr"):
        create_cube(tmp_path / "cube", GRID)


def test_what_is_not_there_is_said(cube: Cube, tmp_path: Path) -> None:
    with pytest.raises(CubeError, match="there is no cube at"):
        groups(tmp_path / "nothing.zarr")
    with pytest.raises(CubeError, match="has no group 'era5', only none"):
        open_cube(cube.path, "era5")
    bare = tmp_path / "bare.zarr"
    zarr.open_group(bare, mode="w", zarr_format=3)
    with pytest.raises(CubeError, match="no firesat cube"):
        grid_of(bare)
    cube.add_group(WEATHER, DAYS)
    with pytest.raises(CubeError, match="is a group where an array"):
        array_of(root_of(cube.path), "era5_land")


def test_info_counts_what_is_complete(cube: Cube) -> None:
    blocks = cube.add_group(SENTINEL2, DAYS)
    cube.manifest().add(
        [Receipt(key=b.key, group=b.group, status="done") for b in blocks[:7]]
        + [Receipt(key=blocks[7].key, group="sentinel2", status="failed", reason="gone")]
    )
    info = json.loads(json.dumps(cube_info(cube.path)))
    assert info["crs"] == "EPSG:3979"
    assert info["tiles"] == ["x26y33", "x27y33"]
    assert info["groups"]["sentinel2"]["completeness"] == 0.5
    assert info["groups"]["sentinel2"]["blocks"] == {"total": 14, "done": 7, "failed": 1}
    assert grid_of(cube.path) == GRID
    shutil.rmtree(cube.ledger)
    assert cube_info(cube.path)["groups"]["sentinel2"]["blocks"] == {"total": 14}
    assert not cube.ledger.exists()  # looking makes nothing
