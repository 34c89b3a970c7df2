"""From a path to the store behind it."""

from functools import lru_cache
from pathlib import Path

from firesat.errors import ConfigError
from firesat.store.base import Store
from firesat.store.disk import DiskStore


def in_bucket(path: Path) -> bool:
    """Tell whether a path names a bucket.

    Parameters
    ----------
    path : Path
        Such as ``Path("s3://bucket/canada.zarr")``, of which pathlib keeps one slash.

    Returns
    -------
    bool
        False for a disk.
    """
    return path.parts[:1] == ("s3:",)


def address(path: Path) -> str:
    """Write a path as people do.

    Parameters
    ----------
    path : Path
        On a disk or in a bucket.

    Returns
    -------
    str
        With both slashes of ``s3://``.
    """
    return f"s3://{'/'.join(path.parts[1:])}" if in_bucket(path) else str(path)


def exists(path: Path, key: str) -> bool:
    """Tell whether an object is there.

    Parameters
    ----------
    path : Path
        Of a store.
    key : str
        Of an object.

    Returns
    -------
    bool
        False also where there is no such store.
    """
    if not in_bucket(path):
        return (path / key).is_file()
    try:
        store_of(path).modified(key)
    except FileNotFoundError:
        return False
    return True


@lru_cache(maxsize=64)
def store_of(path: Path) -> Store:
    """Give the store at a path.

    Parameters
    ----------
    path : Path
        A cube's ``.zarr`` or its ``.ledger``, on a disk or in a bucket.

    Returns
    -------
    Store
        Parts of both lie in the ledger.

    Raises
    ------
    ConfigError
        If a bucket is named without a folder in it, or obstore is not installed.
    """
    if not in_bucket(path):
        return DiskStore(path, path.with_suffix(".ledger") / "parts")
    if len(path.parts) < 3:
        raise ConfigError(f"{address(path)} lacks a name: write s3://bucket/folder/cube.zarr")
    from firesat.store.bucket import BucketStore  # an extra that few need

    return BucketStore(path.parts[1], "/".join(path.parts[2:]))
