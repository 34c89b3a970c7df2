"""What every source offers, and the one way a file gets into the cache."""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr
from filelock import FileLock
from numpy.typing import NDArray

from firesat.blocks import Block, Layout
from firesat.errors import SourceError
from firesat.sources.quotas import Cost
from firesat.store.refusal import refusal

_UNFINISHED = re.compile(r"until-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)-")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One file or one request's worth of one source, not yet downloaded.

    Parameters
    ----------
    id : str
        The provider's own name of it, or one made from what was asked.
    source : str
        The group it belongs to.
    observed : np.datetime64
        End of the observation, UTC.
    available : np.datetime64
        When it became available in operation: `observed` plus the source's declared latency, never
        the archive's production date.
    request : dict
        What `fetch` needs: an address, a provider's request, a bounding box.
    superseded : tuple of str
        Names of older productions of the same, found beside it and left alone.
    """

    id: str
    source: str
    observed: np.datetime64
    available: np.datetime64
    request: dict[str, object] = field(default_factory=dict)
    superseded: tuple[str, ...] = ()


class Source(Protocol):
    """A place that scenes come from. One module each; none knows another."""

    @property
    def provider(self) -> str:
        """Who serves it.

        Returns
        -------
        str
            "sentinelhub", "cdse", "cds", "ewds", "nasa", "firms", "nrcan", "eccc", "ecmwf",
            "static"; "" = local files.
        """
        ...

    @property
    def base_url(self) -> str:
        """Root of the provider's addresses; the sandbox replaces it.

        Returns
        -------
        str
            Without a slash at its end.
        """
        ...

    @property
    def layout(self) -> Layout:
        """How its group is stored in the cube.

        Returns
        -------
        Layout
            Group, level, variables and block.
        """
        ...

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project.

        Returns
        -------
        ndarray of datetime64[D]
            Ascending time steps of its group.
        """
        ...

    def check(self) -> None:
        """Check, without asking anybody, that this machine has what fetching needs.

        Raises
        ------
        CredentialsError
            If a key is missing.
        ConfigError
            If a local file is missing.
        """
        ...

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Estimate what blocks take, without asking anybody.

        Parameters
        ----------
        blocks : collection of Block
            Pieces of its group, a country's worth perhaps; what several share is counted once.

        Returns
        -------
        Cost
            Expected values.
        """
        ...

    def search(self, block: Block) -> list[Scene]:
        """List what a block is made of.

        Parameters
        ----------
        block : Block
            A piece of its group.

        Returns
        -------
        list of Scene
            Empty where the provider has nothing.
        """
        ...

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Bring a scene into the cache, once.

        Parameters
        ----------
        scene : Scene
            One result of `search`.
        cache : Path
            Folder shared by all workers.

        Returns
        -------
        Path
            A complete file: a half one never has this name.
        """
        ...

    def read(self, path: Path) -> xr.Dataset:
        """Read a file in its own geometry.

        Parameters
        ----------
        path : Path
            A result of `fetch`.

        Returns
        -------
        xr.Dataset
            Dims ``(..., y, x)`` with a CRS, our names and units; NaN where missing or doubtful. A
            table, such as one of fires, has neither ``y`` nor ``x`` and is not aligned.
        """
        ...

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        """Turn aligned scenes into the block's content.

        Parameters
        ----------
        scenes : sequence of (Scene, xr.Dataset)
            What `read` gave, aligned to the block's cells unless it is a table.
        block : Block
            The piece to fill.

        Returns
        -------
        xr.Dataset
            The layout's variables with dims ``(time, [band,] y, x)``, ``time`` being the block's
            times, and a coordinate ``available_time (time)``, NaT where there is nothing.
        """
        ...


@runtime_checkable
class InParts(Source, Protocol):
    """A source whose files are too large for memory: read part by part, composed as they come.

    Its `compose` walks over the scenes once and keeps none, so that it can be given an iterable.
    """

    def parts(self, path: Path) -> Iterator[xr.Dataset]:
        """Read a file part by part.

        Parameters
        ----------
        path : Path
            A result of `fetch`.

        Yields
        ------
        xr.Dataset
            As `read` gives them.
        """
        ...


_LONGEST = 180  # characters of a file name; locks and parts add some
_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")


def unfinished_at(now: np.datetime64) -> str:
    """Name a file that was fetched while its day went on.

    Parameters
    ----------
    now : np.datetime64
        When, UTC.

    Returns
    -------
    str
        Such as "until-20230701T1200-", to stand in the scene's `id`.
    """
    return f"until-{now.astype('datetime64[s]').item():%Y%m%dT%H%M}-"


def finished_since(item: str, now: np.datetime64) -> bool:
    """Tell whether a file was fetched while its day went on, which is over by now.

    Parameters
    ----------
    item : str
        The scene's `id`.
    now : np.datetime64
        UTC.

    Returns
    -------
    bool
        True from a day after the fetch on; False of every other file.
    """
    found = _UNFINISHED.search(item)
    if not found:
        return False
    year, month, day, hour, minute = found.groups()
    fetched = np.datetime64(f"{year}-{month}-{day}T{hour}:{minute}", "s")
    return bool(now - fetched >= np.timedelta64(1, "D"))


def cached(cache: Path, name: str, download: Callable[[Path], None]) -> Path:
    """Download into the cache unless it is there already.

    The file appears under its name only when it is complete (temporary file, fsync, rename), and
    two workers that want it at once fetch it once.

    Parameters
    ----------
    cache : Path
        Folder; made if absent.
    name : str
        File name; other characters than letters, digits and ``._=-`` become ``_``, and a digest
        tells such names apart.
    download : callable
        Writes the whole file to the path it is given.

    Returns
    -------
    Path
        The complete file.

    Raises
    ------
    SourceError
        If `download` wrote nothing.
    StoreError
        If the disk refuses: another file would fare no better.
    """
    path = cache / _safe_name(name)
    try:
        return _once(cache, path, name, download)
    except OSError as error:
        raise refusal(error, path, "written") from error


def _once(cache: Path, path: Path, name: str, download: Callable[[Path], None]) -> Path:
    """Download unless it is there, or another worker is at it."""
    cache.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path
    with FileLock(cache / f".{path.name}.lock"):
        if path.exists():
            return path
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        download(part)
        if not part.is_file() or part.stat().st_size == 0:
            raise SourceError(f"{name} came back empty: run the command again, or firesat doctor")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(path)
    return path


def _safe_name(name: str) -> str:
    """A file name that cannot leave its folder, nor be too long; a digest tells changes apart."""
    safe = _UNSAFE.sub("_", name).lstrip(".")
    if safe == name and 0 < len(safe) <= _LONGEST:
        return safe
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
    ending = Path(safe).suffix[:12]
    return f"{safe.removesuffix(ending)[:120]}-{digest}{ending}"
