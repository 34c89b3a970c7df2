"""One granule from the archive to one small file: 13 bands fetched, checked, averaged to 100 m.

The images of a granule have about 600 MB and take a core a minute or two to decode, and each is
needed by some five blocks. Hence it is masked and averaged where it is fetched, once for all of
them, and the images are not kept.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat import composite
from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError
from firesat.grid import Bounds
from firesat.sources._averages import Average, write_average
from firesat.sources._eodata import Archive
from firesat.sources._fetcher import PIXELS, Fetcher, arrivals
from firesat.sources._fine import MASK, Fine, Grade, clear_share
from firesat.sources._jp2 import read_band
from firesat.sources._mgrs import tile_box
from firesat.sources._placing import Placing
from firesat.sources._products import Product
from firesat.sources._safe import Radiometry, read_placing, read_radiometry
from firesat.sources.commons import commons

_TOLERANCE = 10.0  # metres, a pixel


def average_granule(
    product: Product,
    archive: Archive,
    cache: Path,
    connections: int,
    path: Path,
    *,
    bounds: Bounds | None = None,
) -> None:
    """Fetch a granule's bands, look for clouds at 60 m, and average what is clear to 100 m.

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
    bounds : tuple of float, optional
        Part of it that is wanted, in metres of its zone: no other tiles of its images are decoded.
        None = all.

    Raises
    ------
    CredentialsError
        If there is no key, or it is refused.
    ProviderError
        If the archive fails.
    CorruptFileError
        If a file is damaged, or is not of this granule.
    """
    with _folder(cache / f".{label_of(product, bounds)}") as folder:
        fetcher = Fetcher(
            archive=archive,
            client=archive.client(),
            product=product,
            cache=cache,
            folder=folder,
            connections=connections,
            shared=commons(),  # files come through threads, which do not know it
        )
        radiometry = fetcher.use("MTD_MSIL1C", fetcher.get("MTD_MSIL1C"), read_radiometry)
        placing = fetcher.use("MTD_TL", fetcher.get("MTD_TL"), read_placing)
        check(product, radiometry, placing)
        part = placing.cut(bounds or placing.bounds)
        average = _average(fetcher, radiometry, placing, part)
        write_average(path, average, part, _tags(product, radiometry, placing))


def label_of(product: Product, bounds: Bounds | None) -> str:
    """Name the averages of a part of a granule.

    Parameters
    ----------
    product : Product
        Which granule.
    bounds : tuple of float, optional
        The part, in metres; None = all.

    Returns
    -------
    str
        Without an ending.
    """
    whole = bounds is None or bounds == tile_box(product.tile).bounds
    edges = () if whole or bounds is None else bounds
    return "-".join([product.id, "100m", *(f"{edge:.0f}" for edge in edges)])


def _average(fetcher: Fetcher, radiometry: Radiometry, placing: Placing, part: Placing) -> Average:
    """A part of all bands at 100 m; until the bands that show clouds are there, the others wait."""
    reflectance = np.full((len(SENTINEL2_BANDS), *part.cells), np.nan, dtype="float32")
    observed = np.ones(part.cells, dtype="float32")
    held: dict[str, Fine] = {}
    grade: Grade | None = None
    for band, arrived in arrivals(fetcher, composite.NEEDED):
        held[band] = _read(fetcher, band, arrived, radiometry, placing, part)
        if grade is None and held.keys() >= set(composite.NEEDED):
            grade = _grade(held, fetcher.product, radiometry, part)
        while grade is not None and held:
            name, fine = held.popitem()
            number = SENTINEL2_BANDS.index(name)
            mean, share = fine.average(grade)
            reflectance[number] = to_reflectance(mean, radiometry, number)
            np.minimum(observed, share, out=observed, casting="same_kind")
    assert grade is not None
    clear = clear_share(grade).astype("float32")
    return Average(reflectance=reflectance, observed=observed, clear=clear)


def _read(
    fetcher: Fetcher,
    band: str,
    arrived: Path,
    radiometry: Radiometry,
    placing: Placing,
    part: Placing,
) -> Fine:
    """One band of a part."""
    quality = placing.quality.get(SENTINEL2_BANDS.index(band))
    read = partial(
        read_band,
        placing=placing,
        size=PIXELS[band],
        special=radiometry.special,
        part=part,
        quality=fetcher.get(quality) if quality else None,
    )
    return fetcher.use(band, arrived, read)


def _grade(
    held: Mapping[str, Fine], product: Product, radiometry: Radiometry, part: Placing
) -> Grade:
    """Pixels of 60 m: 0 not observed, 1 doubtful, 2 clear."""
    shape = part.shapes[MASK]
    stack = np.full((len(SENTINEL2_BANDS), *shape), np.nan, dtype="float32")
    for name in composite.NEEDED:
        number = SENTINEL2_BANDS.index(name)
        stack[number] = to_reflectance(held[name].for_mask(), radiometry, number)
    place = Affine(MASK, 0, part.left, 0, -MASK, part.top)
    moment = np.datetime64(product.observed.replace(tzinfo=None), "s")
    sun = composite.sun_over(moment, GeoBox(shape, place, f"EPSG:{part.epsg}"))
    clear = composite.clear_mask(stack, resolution=MASK, sun=sun)
    return np.where(np.isnan(clear), 0, 1 + (clear > 0)).astype("uint8")


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
