"""Archives that are made to do harm: F3 of the matrix of faults.

Forty of them, each through a reader that unpacks. No failure in n tries bounds its rate at 3/n with
95 % confidence: 40 at 8 %. Nothing may be left of them anywhere.
"""

import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firesat.errors import CorruptFileError
from firesat.sources._hotspots import read_hotspots
from firesat.sources._vectors import read_vectors
from firesat.sources.era5 import Era5Land
from firesat.sources.modis import Modis
from tests.sources.bombs import GRANULE, archive, nested

OUTSIDE = (
    "../{}", "../../../../tmp/{}", "/{}", "/etc/{}", "..\\{}", "a/../../{}", "a\\..\\..\\{}",
    "C:\\{}", "c:/{}", "\\\\server\\share\\{}", "//server/{}", "a/./../../{}", "..", "~/../{}",
    "a/..",
)  # fmt: skip
READERS: dict[str, Callable[[Path], Any]] = {
    "x.nc": Era5Land().read, "x.shp": read_vectors, "x.csv": read_hotspots,
    GRANULE: Modis(product="MOD13A1").read,
}  # fmt: skip


def linked(name: str, target: str) -> bytes:
    """An archive with a symbolic link."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, target)
    return made.getvalue()


def twice(name: str) -> bytes:
    """An archive that holds a name twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile's own, of just this
        return archive((name, b"CDF"), (name, b"other"))


def entries_moved(content: bytes) -> bytes:
    """An archive whose directory says that a member begins where it does not."""
    data = bytearray(content)
    data[data.index(b"PK\x01\x02") + 42] = 7
    return bytes(data)


def cases() -> Iterator[tuple[str, bytes]]:
    """Name of the member that a reader looks for, and an archive."""
    names = list(READERS)
    for number, pattern in enumerate(OUTSIDE):
        name = names[number % 4]
        yield name, archive((pattern.format(name), b"x"), (name, b"x"))
    for name in names:
        yield name, linked(name, "/etc/passwd")
        yield name, linked(f"a/{name}", "../../..")
        yield name, twice(name)
        yield name, nested(name, 1)
        yield name, entries_moved(archive((name, b"x")))
    yield "x.nc", nested("x.nc", 5, 16)  # 42.zip
    yield "x.nc", archive(("x.nc", archive(("x.nc", b"CDF"))))
    yield GRANULE, archive((f"a/{GRANULE}", b""), (f"b/{GRANULE}", b""))
    yield "x.shp", archive(("a/x.shp", b""), ("b/y.shp", b""))
    yield "x.csv", archive(("a.csv", b"lat\n"), ("b.csv", b"lat\n"))


@pytest.mark.parametrize("count", [pytest.param(40, id="F3-40")])
def test_an_archive_that_leads_astray_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    inside = tmp_path / "a" / "b" / "c"
    temporary = inside / "tmp"
    temporary.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(inside)
    given = list(cases())
    assert len(given) == count
    for name, content in given:
        path = inside / f"NBAC_{name}.zip"
        path.write_bytes(content)
        before = set(tmp_path.rglob("*"))
        with pytest.raises(CorruptFileError, match=r"\.zip"):
            READERS[name](path)
        assert set(tmp_path.rglob("*")) == before
        path.unlink()


def test_what_providers_pack_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zip"
    table = b"lat,lon,rep_date,source,sensor\n55.0,-95.0,2023-07-01 18:00:00,NASA,MODIS\n"
    path.write_bytes(archive(("2023..hotspots/readme..txt", b"x"), ("2023/hotspots.csv", table)))
    assert read_hotspots(path).sizes == {"detection": 1}
