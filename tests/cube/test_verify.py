"""Every flipped bit of a cube is found, named, and mended by fetching its block again.

The exhaustive form flips 5 000 bits: 0 undetected bounds the rate of undetected flips below 3/5000,
0.06 %, with 95 % confidence. CRC-32C finds every single flipped bit by construction; what the
counts prove is that no file is left out and that nothing on the way hides a damage.
"""

import json
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from firesat.cli.main import main
from firesat.cube import cube_hash, open_cube
from firesat.cube.verify import Findings, Verifier, repair
from firesat.errors import CubeError
from firesat.manifest import Manifest, Receipt, leave_receipt
from tests.cube.small import GRID, Made, check_readable, make, sources


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    make(path, sources())
    late = Receipt(key="weather/0009/0/0", group="weather", status="empty")
    leave_receipt(path.with_suffix(".ledger"), late)  # one that has not been folded
    return path


@pytest.fixture
def cube(whole: Path, memory: Path) -> Path:
    return copy(whole, memory / "a.zarr")


def copy(whole: Path, path: Path) -> Path:
    shutil.copytree(whole, path)
    shutil.copytree(whole.with_suffix(".ledger"), path.with_suffix(".ledger"))
    return path


def look(path: Path) -> Findings:
    return Verifier(path).run(lambda *_: None)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def vouched(path: Path) -> list[Path]:
    """The files that a verification answers for: all but the lease, the clock and the table."""
    ledger = path.with_suffix(".ledger")
    folders = (path, ledger / "packs", ledger / "receipts", ledger / "groups")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return sorted(file for file in files if file.suffix != ".json" or file.name == "zarr.json")


def test_a_cube_as_it_was_written_has_nothing_to_report(cube: Path) -> None:
    found = look(cube)
    assert found.damages == []
    assert found.blocks == 5
    shards = [p for p in cube.rglob("*") if p.is_file()]
    assert found.size >= sum(p.stat().st_size for p in shards if "available_time/c" not in str(p))


def undetected(cube: Path, flips: int, seed: int) -> Iterator[tuple[Path, int]]:
    """Flip bits one at a time in files chosen evenly, and yield those that nobody noticed."""
    rng = np.random.default_rng(seed)
    files = vouched(cube)
    for number in range(flips):
        file = files[number % len(files)]
        bit = int(rng.integers(8 * file.stat().st_size))
        flip(file, bit)
        damages = look(cube).damages
        names = {str(damage) for damage in damages}
        own = file.name.split(".")[0] if "receipts" in str(file) else file.name
        if not any(own in name or str(file.relative_to(cube.parent)) in name for name in names):
            inside = str(file.relative_to(cube)) if file.is_relative_to(cube) else "?"
            if not any(inside.split("/c/")[0] in name for name in names):
                yield file, bit
        flip(file, bit)
    assert look(cube).damages == []


def test_every_flipped_bit_is_found(cube: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(undetected(cube, 100, 0)) == []


@pytest.mark.exhaustive
def test_every_one_of_5000_flipped_bits_is_found(
    cube: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(undetected(cube, 5000, 1)) == []


def test_a_flipped_bit_of_a_shard_names_block_and_chunk(cube: Path) -> None:
    shard = cube / "optical/reflectance/c/1/0/0/0"
    flip(shard, 8 * 100)
    (damage,) = look(cube).damages
    assert str(damage).startswith("optical/0001/0/0: optical/reflectance/c/1/0/0/0 chunk 0/0: its")
    with pytest.raises(ValueError, match="checksum"):  # any other reader is told as well
        open_cube(cube, "optical", packed=True)["reflectance"][1].load()
    flip(shard, 8 * 100)
    flip(shard, 8 * shard.stat().st_size - 8)
    (damage,) = look(cube).damages
    assert damage.part == "index"
    shard.write_bytes(shard.read_bytes()[:-50])
    assert look(cube).damages[0].part == "index"
    shard.unlink()
    (damage,) = look(cube).damages
    assert damage.reason == "it is not there"


def test_a_shard_whose_array_s_metadata_are_damaged_as_well_is_named_whole(cube: Path) -> None:
    flip(cube / "optical/clear/c/2/0/0", 99)
    (cube / "optical/clear/zarr.json").write_text("{")
    found = look(cube)
    assert {(d.kind, d.part) for d in found.damages} == {("metadata", ""), ("block", "")}
    assert found.missing.keys() == {"optical/0002/0/0"}


def flip_table(cube: Path, flips: int, seed: int) -> Iterator[int]:
    """Flip bits of the table and yield those after which it says something else, unnoticed.

    SQLite's pages have unused bytes: a bit flipped there changes no row, and none is reported.
    """
    path = cube.with_suffix(".ledger") / "manifest.sqlite"
    intact = Manifest(path.parent).rows()
    content = path.read_bytes()
    rng = np.random.default_rng(seed)
    for _ in range(flips):
        bit = int(rng.integers(8 * len(content)))
        flip(path, bit)
        noticed = bool(look(cube).damages)  # whatever has flipped, it neither fails nor gives up
        if not noticed and Manifest(path.parent).rows() != intact:
            yield bit
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("place", "bit"),
    [(b"weather/0000", 7), (b"CREATE TABLE packs", 7), (b"CREATE TABLE packs", 0), (b"packs", 1)],
)
def test_a_table_with_spoilt_text_is_made_again(
    cube: Path, place: bytes, bit: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A high bit makes text that is no UTF-8; a low one, words that SQLite does not know."""
    path = cube.with_suffix(".ledger") / "manifest.sqlite"
    whole = Manifest(path.parent)
    intact = sorted([*whole.rows(), *whole.loose()], key=lambda row: row.key)
    flip(path, 8 * (path.read_bytes().index(place) + 2) + bit)
    with caplog.at_level(logging.ERROR):
        repair(cube, look(cube))
        make(cube, sources())
        assert Manifest(path.parent).rows() == intact
        assert look(cube).damages == []


def test_a_flipped_bit_of_the_table_is_found_or_changes_nothing(
    cube: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(flip_table(cube, 40, 0)) == []


@pytest.mark.exhaustive
def test_many_flipped_bits_of_the_table_are_found_or_change_nothing(
    cube: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(flip_table(cube, 2000, 1)) == []


SPOILT = {
    "a shard": "a.zarr/optical/clear/c/2/0/0",
    "a group's metadata": "a.zarr/optical/zarr.json",
    "an array's metadata": "a.zarr/weather/t2m/zarr.json",
    "a coordinate": "a.zarr/weather/x/c/0",
    "the cube's metadata": "a.zarr/zarr.json",
    "the times": "a.zarr/optical/available_time/c/0/0/0",
    "a group's checksums": "a.ledger/groups/optical.sums",
    "the table": "a.ledger/manifest.sqlite",
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_repaired_is_fetched_again_and_the_rest_is_not(
    cube: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = cube_hash(cube)
    path = cube.parent / SPOILT[what]
    flip(path, 8 * 30 if what == "the table" else 4 * path.stat().st_size)
    with caplog.at_level(logging.ERROR):
        found = look(cube)
        repair(cube, found)
        if what == "a shard":
            assert np.isnat(open_cube(cube, "optical")["available_time"].values[2]).all()
        again = sources()
        make(cube, again)
        assert look(cube).damages == []
    assert found.damages or what == "the table"
    fetched = {key for source in again for key in source.fetched}
    assert fetched == ({"optical/0002/0/0"} if what == "a shard" else set())
    assert cube_hash(cube) == before


def test_a_damaged_pack_costs_its_block_alone(cube: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = cube_hash(cube)
    pack = next(
        p for p in (cube.with_suffix(".ledger") / "packs").iterdir() if b"weather" in p.read_bytes()
    )
    flip(pack, 8 * (pack.read_bytes().index(b"weather/0001") + 3))
    with caplog.at_level(logging.ERROR):
        found = look(cube)
        assert set(found.missing) == {"weather/0001/0/0"}
        repair(cube, found)
        again = sources()
        make(cube, again)
    assert [source.fetched for source in again] == [[], ["weather/0001/0/0"]]
    assert look(cube).damages == []
    assert cube_hash(cube) == before


def test_times_that_were_changed_are_found_and_put_right(cube: Path) -> None:
    from firesat.cube.times import Times

    times = Times(cube, "optical")
    table = times.read()
    table[1] += 3600
    times.write(table)
    (damage,) = look(cube).damages
    assert (damage.kind, damage.part) == ("times", "optical/0001/0/0")
    repair(cube, look(cube))
    assert look(cube).damages == []


def test_a_cube_without_its_ledger_cannot_be_verified(cube: Path) -> None:
    shutil.rmtree(cube.with_suffix(".ledger"))
    with pytest.raises(CubeError, match="has no ledger beside it"):
        Verifier(cube)


def test_verifying_is_quick(cube: Path, memory: Path) -> None:
    """The checksum alone runs at more than 1 GB/s on one core; here with a margin for busy ones."""
    from firesat.manifest.receipt import crc32c

    content = np.random.default_rng(0).bytes(50_000_000)
    start = time.process_time()
    crc32c(content)
    assert len(content) / (time.process_time() - start) > 1e9


def test_the_command_says_what_is_damaged_and_what_to_run(
    cube: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cube", "verify", str(cube)]) == 0
    assert "every bit is as it was written" in capsys.readouterr().err
    flip(cube / "optical/clear/c/2/0/0", 99)
    assert main(["cube", "verify", str(cube)]) == 1
    said = capsys.readouterr().err
    assert "optical/0002/0/0" in said
    assert "firesat cube verify --repair" in said
    assert main(["cube", "verify", str(cube), "--repair", "--dry-run"]) == 1
    assert Manifest(cube.with_suffix(".ledger")).counts()["optical"] == {"done": 3}
    assert main(["cube", "verify", str(cube), "--repair", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["repaired"] is False
    assert len(report["damaged"]) == 1
    assert main(["cube", "verify", str(cube), "--repair"]) == 0
    assert Manifest(cube.with_suffix(".ledger")).counts()["optical"] == {"done": 2, "failed": 1}


def project_file(folder: Path, cube: Path) -> Path:
    """A project of local rasters cannot be so small; the source is the tests' own, so no class."""
    content = {
        "grid": {"region": list(GRID.extent)},
        "cube": {"path": str(cube), "periods": [{"start": "2021-05-01", "end": "2021-05-03"}]},
    }
    path = folder / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_command_fetches_again_what_the_config_says(
    cube: Path, memory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firesat.cli import cube as command
    from firesat.project import Project, load

    def with_source(arguments: object) -> Project:
        project = load(project_file(memory, cube))
        project.ingest.sources.append(Made())
        return project

    monkeypatch.setattr(command, "project_of", with_source)
    flip(cube / "optical/clear/c/2/0/0", 99)
    config = str(project_file(memory, cube))
    assert main(["cube", "verify", str(cube), "--repair", "--config", config]) == 0
    assert "1 damages, all repaired" in capsys.readouterr().err
    assert check_readable(cube, sources()) == 8


def test_a_config_of_another_cube_is_refused(
    cube: Path, memory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(cube / "optical/clear/c/2/0/0", 99)
    config = str(project_file(memory, memory / "b.zarr"))
    assert main(["cube", "verify", str(cube), "--repair", "--config", config]) == 2
    assert "another cube" in capsys.readouterr().err
