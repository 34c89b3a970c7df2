"""Single files of a disk, made durable."""

import json
import os
import tempfile
from pathlib import Path

from firesat.errors import ConfigError


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Parameters
    ----------
    folder : Path
        A local folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_unwritable(folder: Path, setting: str) -> None:
    """Refuse a folder that cannot be written to, before the work that would be lost.

    Nothing stays of the trial, and a folder that is not there yet is not made.

    Parameters
    ----------
    folder : Path
        Where results are to go; it, or the nearest folder above it, is tried.
    setting : str
        What gives another place, such as "--output".

    Raises
    ------
    ConfigError
        Naming the folder and what the system says.
    """
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".firesat-", dir=there):
            pass
    except OSError as error:
        within = "" if there == folder else f" within {there}"
        raise ConfigError(
            f"nothing can be written into {folder}{within}: {error.strerror or error}; give "
            f"another folder as {setting}"
        ) from None


def write_json(path: Path, content: object) -> None:
    """Write JSON so that the file is either whole and on disk, or not there.

    Parameters
    ----------
    path : Path
        Final name.
    content : object
        Anything JSON can hold.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
