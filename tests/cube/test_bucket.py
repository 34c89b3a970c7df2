"""The same promises in an S3 bucket, on a real server: one PUT an object, no half object ever."""

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import boto3
import numpy as np
import obstore
import pytest
import xarray as xr
import yaml
import zarr
from obstore.store import S3Store

from firesat.cli.main import main
from firesat.cube import cube_hash, cube_info, grid_of, open_cube
from firesat.cube.verify import Verifier
from firesat.errors import ConfigError, CubeError, StoreError
from firesat.jobs.ingest import Unwatched, ingest
from firesat.manifest import Manifest, Receipt, leave_receipt
from firesat.project import CubeSettings, Project, load
from firesat.samples import Inputs, Reader
from firesat.sources.settings import IngestSettings
from firesat.store import Holder, address, exists, in_bucket, store_of
from firesat.store.bucket import BucketStore
from firesat.window import Period
from tests.cube.faults import Killed, as_process
from tests.cube.small import DAYS, GRID, Made, check_readable, make, sources
from tests.tiny_cube import write_tiny_cube

ROOT = Path(__file__).parents[2]


def in_(bucket: str, name: str = "a") -> Path:
    return Path(f"s3://{bucket}/canada/{name}.zarr")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("whole") / "a.zarr"
    make(path, sources())
    return cube_hash(path)


def test_a_cube_in_a_bucket_is_the_same_cube(
    bucket: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = in_(bucket)
    make(path, sources())
    assert cube_hash(path) == wanted
    assert grid_of(path) == GRID
    assert cube_info(path)["groups"]["optical"]["completeness"] == 1.0
    assert cube_info(path)["path"] == f"s3://{bucket}/canada/a.zarr"
    assert check_readable(path, sources()) == 2 * 3 + 2
    assert Verifier(path).run(lambda *_: None).damages == []
    again = sources()
    make(path, again)
    assert not any(source.fetched for source in again)
    assert main(["cube", "hash", f"s3://{bucket}/canada/a.zarr"]) == 0
    assert capsys.readouterr().out.strip() == wanted


def test_zarr_and_xarray_read_it_without_firesat(bucket: str) -> None:
    make(in_(bucket), sources())
    native = S3Store(bucket, prefix="canada/a.zarr", client_options={"allow_http": True})
    store = zarr.storage.ObjectStore(native, read_only=True)
    theirs = xr.open_zarr(store, group="weather", consolidated=False, chunks=None)
    ours = open_cube(in_(bucket), "weather")
    np.testing.assert_array_equal(theirs["t2m"].values, ours["t2m"].values)
    assert np.isfinite(theirs["t2m"].values).any()


def test_each_shard_is_one_put(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    puts: list[str] = []
    real = obstore.put

    def put(store: S3Store, key: str, *rest: bytes, **kw: object) -> object:
        puts.append(key)
        return real(store, key, *rest, **kw)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "put", put)
    make(in_(bucket), sources())
    shards = [key for key in puts if "/c/" in key and key.split("/")[1] in ("clear", "t2m")]
    assert sorted(shards) == [
        "optical/clear/c/0/0/0", "optical/clear/c/1/0/0", "optical/clear/c/2/0/0",
        "weather/t2m/c/0/0/0", "weather/t2m/c/1/0/0",
    ]  # fmt: skip


def killed_at(number: int, path: Path, patch: pytest.MonkeyPatch) -> bool:
    """Run the job and die before one of its requests that change something."""
    requests = itertools.count(1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    def dying(name: str) -> None:
        real = getattr(obstore, name)

        def call(*arguments: object, **kw: object) -> object:
            if next(requests) >= number:
                raise Killed(name)
            return real(*arguments, **kw)

        context.setattr(obstore, name, call)

    with as_process(replace(Holder.here(), pid=gone.pid), patch), patch.context() as context:
        dying("put")
        dying("delete")
        try:
            make(path, sources())
        except Killed:
            return True
    return False


def loop(bucket: str, wanted: str, start: int, step: int, patch: pytest.MonkeyPatch) -> int:
    for times, number in enumerate(itertools.count(start, step)):
        path = in_(bucket, str(number))
        died = killed_at(number, path, patch)
        check_readable(path, sources())
        ledger = Manifest(path.with_suffix(".ledger"))
        kept = {row.key for row in (*ledger.rows(), *ledger.loose())}
        again = sources()
        make(path, again)
        assert not kept & {key for source in again for key in source.fetched}
        assert cube_hash(path) == wanted
        if not died:
            return times
    raise AssertionError


def test_death_before_some_requests_loses_nothing(
    bucket: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loop(bucket, wanted, 5, 17, monkeypatch) >= 2


@pytest.mark.exhaustive
def test_death_before_any_request_loses_nothing(
    bucket: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request that changes something: complete for this job."""
    assert loop(bucket, wanted, 1, 1, monkeypatch) > 50


def test_the_manifest_is_made_again_from_receipts_alone(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_(bucket)
    make(path, sources())
    leave_receipt(path.with_suffix(".ledger"), Receipt(key="x/0001/0/0", group="x", status="done"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    manifest = Manifest(path.with_suffix(".ledger"))
    assert manifest.counts()["optical"] == {"done": 3}
    assert manifest.unfolded("x") == {"x/0001/0/0"}


def test_of_several_that_want_a_bucket_s_lease_one_has_it(bucket: str) -> None:
    ledger = in_(bucket).with_suffix(".ledger")
    code = (
        "import sys, time; from pathlib import Path; from firesat.errors import CubeError\n"
        "from firesat.manifest import Manifest\n"
        "manifest, rounds = Manifest(Path(sys.argv[1])), 3\n"
        "while rounds:\n"
        "    try:\n"
        "        with manifest.lease():\n"
        "            assert manifest.store.create('alone', str(time.time_ns()).encode())\n"
        "            manifest.store.delete('alone')\n"
        "            rounds -= 1\n"
        "    except CubeError: pass\n"
    )
    command = [sys.executable, "-c", code, str(ledger)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(store_of(ledger).names("lease")) == 9  # no number was given away twice


def test_what_a_store_promises_holds_for_a_bucket(bucket: str) -> None:
    store = store_of(in_(bucket))
    store.put([("g/zarr.json", [b"{", b"}"]), ("g/a/zarr.json", [b"1"]), ("x", [b"2"])])
    assert store.read("g/zarr.json") == b"{}"
    assert store.create("new", b"mine")
    assert store.create("new", b"mine")  # our own, whose answer was lost
    assert not store.create("new", b"another's")
    assert store.names("g") == ["a/zarr.json", "zarr.json"]
    assert store.names("nothing") == []
    store.put([("h/other", [b""])])
    assert store.folders("zarr.json") == ["g"]
    assert store.modified("x").tzinfo is not None
    store.delete("x")
    store.delete("x")
    with pytest.raises(FileNotFoundError):
        store.read("x")
    assert not exists(in_(bucket), "x")
    assert store.address == f"s3://{bucket}/canada/a.zarr"


def test_what_a_bucket_refuses_is_said_in_one_line(bucket: str) -> None:
    store = BucketStore("no-such-bucket", "a.zarr")
    for call in (
        lambda: store.put([("x", [b"123"])]),
        lambda: store.create("x", b"123"),
        lambda: store.names("x"),
        lambda: store.folders("x"),
    ):
        with pytest.raises(StoreError, match=r"no-such-bucket.*check the AWS_\* variables") as said:
            call()
        assert "\n" not in str(said.value)


def test_a_wrong_key_is_said_in_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto lets every key in, so the refusal is ours; its words are obstore's."""
    store = BucketStore(bucket, "a.zarr")
    error = obstore.exceptions.PermissionDeniedError("403 Forbidden")

    def refuse(*_: object, **__: object) -> None:
        raise error

    for name in ("get", "head", "delete"):
        monkeypatch.setattr(obstore, name, refuse)
    for call in (store.read, store.modified, store.delete):
        with pytest.raises(StoreError, match="403 Forbidden"):
            call("x")


def test_paths_name_disks_and_buckets() -> None:
    assert in_bucket(Path("s3://a/b.zarr"))
    assert not in_bucket(Path("/s3/a/b.zarr"))
    assert address(Path("s3://a/b/c.zarr")) == "s3://a/b/c.zarr"
    assert address(Path("a/c.zarr")) == "a/c.zarr"
    with pytest.raises(ConfigError, match="write s3://bucket/folder"):
        store_of(Path("s3://bucket"))


def test_a_project_says_where_downloads_of_a_bucket_s_cube_rest(tmp_path: Path) -> None:
    period = {"start": "2021-05-01", "end": "2021-05-03"}
    content = {"cube": {"path": "s3://a/b.zarr", "periods": [period]}}
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"s3://a/b\.zarr is in a bucket: say with cube\.cache"):
        load(path)
    project = load(path, [f"cube.cache={tmp_path / 'work' / 'cache'}"])
    assert in_bucket(project.cube.path)
    assert project.cube.folder == tmp_path / "work"


@pytest.mark.slow
def test_an_ingest_into_a_bucket(bucket: str, tmp_path: Path) -> None:
    path = in_(bucket)
    project = Project(
        cube=CubeSettings(
            path=path,
            cache=tmp_path / "cache",
            periods=[Period(start=str(DAYS[0]), end=str(DAYS[-1]))],
        ),
        grid=GRID,
        ingest=IngestSettings(sources=[Made()], workers=1),
    )
    assert ingest(project, Unwatched()).counts == {"optical": {"done": 3}}
    assert check_readable(path, [Made()]) == 6
    assert not np.isnat(open_cube(path, "optical")["available_time"].values).any()
    assert ingest(project, Unwatched()).counts == {}
    with pytest.raises(CubeError, match="has no group"):
        open_cube(path, "other")


def test_chips_are_read_from_a_bucket_as_from_a_disk(bucket: str, tmp_path: Path) -> None:
    groups = ("modis_vi", "era5_land", "static")
    local = write_tiny_cube(tmp_path / "t.zarr", days=40, groups=groups)
    client = boto3.client("s3", region_name="us-east-1")
    for file in local.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), bucket, f"t.zarr/{file.relative_to(local)}")
    inputs = Inputs(modis=("ndvi",), weather=("t2m",), fire_weather=())
    cells = grid_of(local).region_geobox(100)
    there = Reader(Path(f"s3://{bucket}/t.zarr"), inputs).day("2023-06-05", cells)
    here = Reader(local, inputs).day("2023-06-05", cells)
    for name in ("modis", "weather", "static"):
        np.testing.assert_array_equal(there.inputs[name], here.inputs[name])
        assert np.isfinite(here.inputs[name]).any()
