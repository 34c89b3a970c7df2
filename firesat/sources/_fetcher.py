"""The files of one granule: fetched side by side, read, deleted."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError
from firesat.sources import _pace
from firesat.sources._eodata import Archive, connection
from firesat.sources._products import Product, Stored
from firesat.sources.commons import Commons, commons

PIXELS = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}
"""Metres of a band's pixels."""


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Where a granule's files come from and lie meanwhile.

    Parameters
    ----------
    archive : Archive
        The bucket.
    client : botocore.client.S3
        Its client.
    product : Product
        Whose files.
    cache : Path
        Folder shared by all workers.
    folder : Path
        Folder of this granule's files, gone afterwards.
    connections : int
        How many all workers may have open together.
    shared : Commons
        What the provider allows, and where what is used is counted.
    """

    archive: Archive
    client: Any
    product: Product
    cache: Path
    folder: Path
    connections: int
    shared: Commons = field(default_factory=commons)

    def get(self, name: str) -> Path:
        """Fetch one file.

        Parameters
        ----------
        name : str
            A band, "MTD_MSIL1C" or "MTD_TL", or the name of a quality mask.

        Returns
        -------
        Path
            The whole file, as the catalogue describes it.
        """
        stored = self.product.files.get(name) or self._beside(name)
        path = self.folder / stored.key.rpartition("/")[2]
        with connection(self.cache, self.connections), _pace.connection(self.shared):
            _pace.wait_turn(self.shared, requests=1)
            self.archive.download(self.client, stored, path)
        self.shared.meter.requests += 1
        self.shared.meter.bytes += path.stat().st_size
        return path

    def _beside(self, name: str) -> Stored:
        """A quality mask, which lies where the format says; the catalogue does not list it."""
        folder = self.product.files["MTD_TL"].key.rpartition("/")[0]
        return Stored(key=f"{folder}/QI_DATA/{name}")

    def use[T](self, name: str, path: Path, read: Callable[[Path], T]) -> T:
        """Read a file and delete it; fetch it once more if it cannot be read.

        Parameters
        ----------
        name : str
            As in `get`.
        path : Path
            Where it lies.
        read : callable
            Of the file.

        Returns
        -------
        object
            What `read` gives.

        Raises
        ------
        CorruptFileError
            If it cannot be read twice.
        """
        try:
            return read(path)
        except CorruptFileError:  # it may have been damaged on its way
            return read(self.get(name))
        finally:
            path.unlink(missing_ok=True)


def arrivals(fetcher: Fetcher, first: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Fetch the images of a granule side by side, large ones first.

    Parameters
    ----------
    fetcher : Fetcher
        Of the granule.
    first : collection of str
        Bands that go before the others.

    Yields
    ------
    tuple of (str, Path)
        Band and file, as they arrive; meanwhile the others go on.
    """
    pool = ThreadPoolExecutor(fetcher.connections)
    try:
        order = sorted(SENTINEL2_BANDS, key=lambda band: (band not in first, PIXELS[band]))
        waiting = {pool.submit(fetcher.get, band): band for band in order}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
