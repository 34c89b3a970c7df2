"""One granule from the archive to one small file: 13 bands fetched, checked, averaged to 100 m.

The images of a granule have about 600 MB and take a core a minute or two to decode, and each is
needed by some five blocks. Hence it is averaged where it is fetched, once for all of them, and the
images are not kept.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError
from firesat.sources._averages import write_average
from firesat.sources._eodata import Archive, connection
from firesat.sources._jp2 import average_band
from firesat.sources._mgrs import tile_box
from firesat.sources._products import Product
from firesat.sources._safe import Placing, Radiometry, read_placing, read_radiometry
from firesat.sources.commons import Meter, commons

PIXELS = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}
"""Metres of a band's pixels."""

_TOLERANCE = 10.0  # metres, a pixel


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
    meter : Meter
        Where what is used is counted.
    """

    archive: Archive
    client: Any
    product: Product
    cache: Path
    folder: Path
    connections: int
    meter: Meter = field(default_factory=Meter)

    def get(self, name: str) -> Path:
        """Fetch one file.

        Parameters
        ----------
        name : str
            A band, or "MTD_MSIL1C" or "MTD_TL".

        Returns
        -------
        Path
            The whole file, as the catalogue describes it.
        """
        stored = self.product.files[name]
        path = self.folder / stored.key.rpartition("/")[2]
        with connection(self.cache, self.connections):
            self.archive.download(self.client, stored, path)
        self.meter.requests += 1
        self.meter.bytes += path.stat().st_size
        return path

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


def average_granule(
    product: Product, archive: Archive, cache: Path, connections: int, path: Path
) -> None:
    """Fetch a granule's bands and average them to 100 m.

    Parameters
    ----------
    product : Product
        Which one.
    archive : Archive
        Where from.
    cache : Path
        Folder shared by all workers.
    connections : int
        How many all workers may have open together.
    path : Path
        Where to write: a GeoTIFF in the granule's own UTM zone.

    Raises
    ------
    CredentialsError
        If there is no key, or it is refused.
    ProviderError
        If the archive fails.
    CorruptFileError
        If a file is damaged, or is not of this granule.
    """
    with _folder(cache / f".{product.id}") as folder:
        fetcher = Fetcher(
            archive=archive,
            client=archive.client(),
            product=product,
            cache=cache,
            folder=folder,
            connections=connections,
            meter=commons().meter,  # files come through threads, which do not know it
        )
        radiometry = fetcher.use("MTD_MSIL1C", fetcher.get("MTD_MSIL1C"), read_radiometry)
        placing = fetcher.use("MTD_TL", fetcher.get("MTD_TL"), read_placing)
        check(product, radiometry, placing)
        reflectance = np.full((len(SENTINEL2_BANDS), *placing.cells), np.nan, dtype="float32")
        observed = np.ones(placing.cells)
        for band, arrived in arrivals(fetcher):
            average = partial(
                average_band, placing=placing, size=PIXELS[band], special=radiometry.special
            )
            mean, share = fetcher.use(band, arrived, average)
            number = SENTINEL2_BANDS.index(band)
            reflectance[number] = to_reflectance(mean, radiometry, number)
            np.minimum(observed, share, out=observed)
        write_average(path, (reflectance, observed), placing, _tags(product, radiometry, placing))


def to_reflectance(
    numbers: NDArray[np.float64], radiometry: Radiometry, band: int
) -> NDArray[np.float64]:
    """Turn digital numbers into reflectance, as the product's metadata say.

    Source: S2-PDGS-TAS-DI-PSD, level 1C, ``Radiometric_Offset_List``.

    Parameters
    ----------
    numbers : ndarray of float64
        Digital numbers or their means.
    radiometry : Radiometry
        Of the product.
    band : int
        Place of the band in `bands.SENTINEL2_BANDS`.

    Returns
    -------
    ndarray of float64
        At least 0, which is also the least that the service's harmonised numbers have: noise of
        dark ground may lie below. NaN stays NaN.
    """
    found: NDArray[np.float64] = np.maximum(
        (numbers + radiometry.offsets[band]) / radiometry.quantification, 0.0
    )
    return found


def check(product: Product, radiometry: Radiometry, placing: Placing) -> None:
    """Refuse metadata of another granule, and a granule that lies outside its tile.

    Parameters
    ----------
    product : Product
        What was looked for.
    radiometry, placing : Radiometry, Placing
        What its metadata say.

    Raises
    ------
    CorruptFileError
        If they are of another tile or datatake, or lie elsewhere than tile and catalogue say.
    """
    same = re.fullmatch(rf"{product.id[:26]}_\w+_T{product.tile}_\w+\.SAFE", radiometry.uri)
    if placing.tile != product.tile or not same:
        raise CorruptFileError(
            f"{product.id}: its metadata are of tile {placing.tile} and product "
            f"{radiometry.uri[:80]!r}: refused; run the command again later"
        )
    box = tile_box(product.tile)
    x0, y0, x1, y1 = found = placing.bounds
    inside = x0 >= box.bounds[0] and y0 >= box.bounds[1] and x1 <= box.bounds[2]
    stated = product.bounds or found
    moved = max(abs(a - b) for a, b in zip(found, stated, strict=True))
    if placing.epsg != box.epsg or not inside or y1 > box.bounds[3] or moved > _TOLERANCE:
        raise CorruptFileError(
            f"{product.id} lies at {found} in EPSG:{placing.epsg}; tile {product.tile} has "
            f"{box.bounds} in EPSG:{box.epsg}, the catalogue says {stated}: refused"
        )


def arrivals(fetcher: Fetcher) -> Iterator[tuple[str, Path]]:
    """Fetch the images of a granule side by side.

    Parameters
    ----------
    fetcher : Fetcher
        Of the granule.

    Yields
    ------
    tuple of (str, Path)
        Band and file, as they arrive; meanwhile the others go on.
    """
    pool = ThreadPoolExecutor(fetcher.connections)
    try:
        largest_first = sorted(SENTINEL2_BANDS, key=PIXELS.__getitem__)
        waiting = {pool.submit(fetcher.get, band): band for band in largest_first}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """A folder of one's own, without what a killed process may have left in it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _tags(product: Product, radiometry: Radiometry, placing: Placing) -> dict[str, str]:
    """Where the numbers came from, so that no offset is ever taken off twice."""
    return {
        "PRODUCT": product.id,
        "OLDER_PRODUCTIONS": " ".join(product.older),
        "SENSING_TIME": placing.sensed,
        "PROCESSING_BASELINE": radiometry.baseline,
        "RADIO_ADD_OFFSET_APPLIED": " ".join(f"{offset:g}" for offset in radiometry.offsets),
        "QUANTIFICATION_VALUE_APPLIED": f"{radiometry.quantification:g}",
    }
