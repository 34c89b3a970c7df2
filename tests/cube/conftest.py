"""Places to put cubes: a folder in memory, and a bucket of a real S3 server on loopback."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import boto3
import pytest

_buckets = count()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A new folder, in memory where the machine offers it: an fsync costs nothing there."""
    shm = Path("/dev/shm")
    if not shm.is_dir():
        yield tmp_path
        return
    folder = Path(mkdtemp(dir=shm, prefix="firesat-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of moto's server, a process of its own that forgets everything when it ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Name of a new bucket; the environment holds its address and keys."""
    settings = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    name = f"cubes-{next(_buckets)}"
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=name)
    return name
