"""CanadaFireSat on disk: which files a split has, and what is in them.

Published as `EPFL-ECEO/CanadaFireSat`: a folder for each province or territory, in it files of four
kinds, in each file one row per sample and its arrays as nested lists::

    Alberta/train-00000-of-00123.parquet     validation-*.parquet     test-*.parquet
            test_hard-*.parquet              meta_hf.json: column -> names of its variables
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from firesat.errors import ConfigError, SampleError

SPLITS: dict[str, dict[str, str | None]] = {
    "train": {"train": None},
    "val": {"validation": None},
    "test": {"test": None},
    "test_hard": {"test": "POS", "test_hard": "NEG"},
}
"""Split to its kinds of files, and which rows of them count; None = all."""

KINDS = ("POS", "NEG")
"""What `file_id` says of a sample: some of it burned, or none of it."""

PIXELS = 264
"""Side of a sample in pixels of 10 m."""
CELLS = 26
"""Side of its map in cells of 100 m: the inner 260 pixels."""
STEPS = 8
"""Steps of 8 days before T in every column of the environment."""

IMAGES: dict[str, tuple[tuple[str, ...], int]] = {
    "10x": (("B04", "B03", "B02", "B08"), 264),
    "20x": (("B05", "B06", "B07", "B8A", "B11", "B12"), 132),
    "60x": (("B01", "B09", "B10"), 44),
}
"""Column to its bands, in its order, and the side of its pixels."""

RASTERS = ("env_modis11", "env_modis13_15")
"""Columns of MODIS, each with the places of its pixels in a column named ``_loc``."""
TABLES = ("tab_era5", "tab_cds")
"""Columns of the weather: one value for the whole sample, step and variable."""


def regions(path: Path, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """List provinces and territories.

    Parameters
    ----------
    path : Path
        Folder of the data set.
    wanted : sequence of str, optional
        Some of them, as the folders are called; default all.

    Returns
    -------
    tuple of str
        By name.

    Raises
    ------
    SampleError
        If there are no Parquet files.
    ConfigError
        If one that is wanted has no folder.
    """
    if any(path.glob("*.parquet")):
        raise SampleError(
            f"{path} holds Parquet files itself: give the folder above, which has one folder for "
            "each province or territory"
        )
    there = tuple(sorted(folder.name for folder in _folders(path)))
    if not there:
        raise SampleError(
            f"there is no CanadaFireSat at {path}: it should hold folders such as Alberta with "
            "files such as train-00000-of-00001.parquet"
        )
    for name in wanted or ():
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
            raise ConfigError(f"{path} has no province or territory {name!r}: {hint}")
    return tuple(sorted(set(wanted))) if wanted else there


def _folders(path: Path) -> list[Path]:
    """Folders that hold Parquet files."""
    inside = path.iterdir() if path.is_dir() else []
    shown = [folder for folder in inside if folder.is_dir() and not folder.name.startswith(".")]
    return [folder for folder in shown if any(folder.rglob("*.parquet"))]


def files_of(path: Path, split: str, names: Iterable[str]) -> list[tuple[Path, str, str | None]]:
    """List the files of a split.

    Parameters
    ----------
    path : Path
        Folder of the data set.
    split : str
        A key of `SPLITS`.
    names : iterable of str
        From `regions`.

    Returns
    -------
    list of (Path, str, str or None)
        File, region, and which of its rows count; by region and name.

    Raises
    ------
    ConfigError
        If there is no such split.
    """
    if split not in SPLITS:
        raise ConfigError(f"CanadaFireSat has no split {split!r}: there are {', '.join(SPLITS)}")
    return [
        (file, region, keep)
        for region in names
        for kind, keep in SPLITS[split].items()
        for file in sorted((path / region).rglob(f"{kind}-*.parquet"))
    ]


def brief(error: Exception) -> str:
    """Give an error of another library in one short line.

    Parameters
    ----------
    error : Exception
        Any.

    Returns
    -------
    str
        At most 100 characters.
    """
    return " ".join(str(error).split())[:100]
