"""Rows of tables that are left out: from the file to the receipt, the manifest and the screen."""

import json
from pathlib import Path

import numpy as np
import pytest

from firesat.blocks import cut
from firesat.cli.main import main
from firesat.cube import Cube, create_cube, cube_info, open_cube
from firesat.errors import ConfigError
from firesat.jobs.ingest import IngestReport, Workplace, ingest_block
from firesat.manifest.remarks import remarks
from firesat.sources.base import Source
from firesat.sources.fires import FireLists, LocalHotspots
from tests.sources.small import DAYS, GRID

SPAN = "2023-07-01/2023-07-03"
HEAD = "latitude,longitude,bright_ti4,acq_date,acq_time,satellite,confidence,frp,daynight"
LINE = (
    "fires.csv: 2 of 4 rows left out: impossible coordinates 1 (row 2); unreadable time 1 (row 4)"
)


@pytest.fixture
def hotspots(tmp_path: Path) -> LocalHotspots:
    rows = [
        "54.7,-94.7,330,2023-07-01,2030,N,n,4.5,D",
        "547.0,-94.7,330,2023-07-01,2030,N,n,4.5,D",
        "54.7,-94.7,330,2023-07-02,1159,N,n,9.5,D",
        "54.7,-94.7,330,2023-07-02,,N,n,9.5,D",
    ]
    (tmp_path / "fires.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return LocalHotspots(files={"fires.csv": SPAN}, root=str(tmp_path), root_env="")


def ingested(source: Source, folder: Path) -> tuple[Cube, IngestReport]:
    cube, report = create_cube(folder / "cube.zarr", GRID), IngestReport()
    times = source.times(DAYS)
    cube.add_group(source.layout, times)
    for block in cut(source.layout, GRID, times):
        report.add(ingest_block(source, block, Workplace(cube=cube, cache=folder / "cache")))
    cube.record_times(cube.manifest().fold(), source.layout)
    return cube, report


def test_rows_left_out_stand_in_receipt_manifest_and_info(
    hotspots: LocalHotspots, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cube, report = ingested(hotspots, tmp_path)
    (receipt,) = cube.manifest().rows("hotspots")
    assert (receipt.status, receipt.reason) == ("done", LINE)
    assert report.remarks == {"hotspots": {LINE: 1}}
    assert report.complete
    assert remarks(cube.manifest().table, "hotspots") == {LINE: 1}
    assert cube_info(cube.path)["groups"]["hotspots"]["remarks"] == {LINE: 1}
    assert main(["cube", "info", str(cube.path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["groups"]["hotspots"]["remarks"] == {LINE: 1}
    assert main(["cube", "info", str(cube.path)]) == 0
    assert f"hotspots, 1 blocks: {LINE}" in capsys.readouterr().out


def test_own_hotspots_are_counted_on_the_days_that_their_file_covers(
    hotspots: LocalHotspots, tmp_path: Path
) -> None:
    cube, _ = ingested(hotspots, tmp_path)
    group = open_cube(cube.path, "hotspots")
    counts, before, power = (group[each.name].values for each in hotspots.layout.variables)
    assert np.nansum(counts, axis=(1, 2)).tolist() == [1, 1, 0, 0]
    assert np.nansum(before, axis=(1, 2)).tolist() == [0, 1, 0, 0]  # at 11:59, out at 14:59
    assert np.nanmax(power) == 9.5
    # the fire day of 3 July reaches into the 4th, which no file covers
    assert [bool(np.isfinite(day).any()) for day in counts] == [True, True, False, False]
    known = group.available_time.values[:, 0, 0]
    assert known[0] == np.datetime64("2023-07-02T12:00:00")
    assert np.isnat(known[2:]).all()
    assert group.attrs["stream"] == "final"


def test_a_file_without_such_rows_leaves_no_remark(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "agency,lat,lon,start_date\nMB,54.7,-94.7,2023-07-02\nMB,54.7,-94.7,2023-07-02\n"
    )
    source = FireLists(files={"list.csv": SPAN}, root=str(tmp_path), root_env="")
    cube, report = ingested(source, tmp_path)
    assert report.remarks == {}
    assert cube_info(cube.path)["groups"]["fire_reports"]["remarks"] == {}
    new = open_cube(cube.path, "fire_reports")["new_fires"].values
    assert np.nansum(new, axis=(1, 2)).tolist() == [0, 2, 0, 0]


def test_a_file_that_is_not_there_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    for kind in (FireLists, LocalHotspots):
        source = kind(files={"none.csv": SPAN}, root=str(tmp_path), root_env="")
        with pytest.raises(ConfigError, match=r"there is no file .*none\.csv"):
            source.check()
