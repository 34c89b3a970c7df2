"""Zarr over a disk or a bucket: zarr reads from there, and encodes in memory what is written there.

Nothing is written by zarr itself: its files are made in memory and handed to the store, whole.
"""

from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore, ObjectStore

from firesat.errors import CubeError
from firesat.store import address, exists, in_bucket, store_of

NODE = "zarr.json"


def zarr_store(path: Path) -> ZarrStore:
    """Give zarr what it reads from.

    Parameters
    ----------
    path : Path
        A cube, on a disk or in a bucket.

    Returns
    -------
    zarr.abc.store.Store
        Read-only.
    """
    if not in_bucket(path):
        return LocalStore(path, read_only=True)
    bucket: Any = store_of(path)
    return ObjectStore(bucket.native, read_only=True)


def root_of(path: Path) -> zarr.Group:
    """Open a cube's hierarchy for reading.

    Parameters
    ----------
    path : Path
        A cube.

    Returns
    -------
    zarr.Group
        Its root.

    Raises
    ------
    CubeError
        If there is no cube.
    """
    if not exists(path, NODE):
        raise CubeError(f"there is no cube at {address(path)}: make one with firesat ingest")
    return zarr.open_group(zarr_store(path), mode="r", zarr_format=3)


def array_of(root: zarr.Group, name: str) -> "zarr.Array[Any]":
    """Give an array of the hierarchy.

    Parameters
    ----------
    root : zarr.Group
        Of a cube.
    name : str
        Such as "era5_land/t2m".

    Returns
    -------
    zarr.Array
        To read from.

    Raises
    ------
    CubeError
        If it is a group.
    """
    member = root[name]
    if not isinstance(member, zarr.Array):
        raise CubeError(f"{name} is a group where an array was expected")
    return member


class Draft:
    """A hierarchy in memory, whose files are then written as they are.

    Parameters
    ----------
    files : dict
        Files to begin with, by their keys.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        buffer = default_buffer_prototype().buffer
        self._files: dict[str, Any] = {k: buffer.from_bytes(v) for k, v in (files or {}).items()}
        self.store = MemoryStore(self._files)

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """Give the files.

        Parameters
        ----------
        prefix : str
            With which their keys begin.

        Returns
        -------
        dict
            Key to content.
        """
        found = sorted(key for key in self._files if key.startswith(prefix))
        return {key: self._files[key].to_bytes() for key in found}
