"""L1C products: what the catalogue's items say, and which of several productions counts.

The catalogue's answers are not trusted: of an address only the key in the one bucket is used, and
only if it is exactly where a product of that name has to lie. Names of an item's fields are those
that the catalogue's own generator writes (github.com/eu-cdse/eometadatatool, sentinel-2-l1c).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import ProviderError
from firesat.sources import _mgrs

BUCKET = "eodata"
_SAME_STRIP = timedelta(seconds=5)  # reprocessing may move the start of a datastrip by a little

_TIME = r"[0-9]{8}T[0-9]{6}"
_ID = re.compile(
    rf"S2[A-Z]_MSIL1C_(?P<taken>{_TIME})_N[0-9]{{4}}_R[0-9]{{3}}_T(?P<tile>{_mgrs.PATTERN})"
    rf"_(?P<produced>{_TIME})"
)
_FOLDER = re.compile(
    r"Sentinel-2/MSI/L1C(_N[0-9]{4})?/[0-9]{4}/[0-9]{2}/[0-9]{2}/(?P<id>\w+)\.SAFE"
    rf"/GRANULE/L1C_T(?P<tile>\w+)_A[0-9]{{6}}_(?P<strip>{_TIME})/IMG_DATA",
    re.ASCII,
)
# Multihash prefixes, code and length: github.com/multiformats/multicodec, table.csv. The archive
# states SHA3-256 of images.
_DIGESTS = {"d50110": "md5", "1220": "sha256", "1620": "sha3_256"}
_CHECKSUM = re.compile(r"[0-9a-f]{8,160}")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One file of the bucket.

    Parameters
    ----------
    key : str
        Its key.
    size : int, optional
        Bytes, where the catalogue says so.
    checksum : str
        Multihash, hexadecimal; "" = not stated.
    """

    key: str
    size: int | None = None
    checksum: str = ""

    @property
    def digest(self) -> tuple[str, str]:
        """What its checksum is.

        Returns
        -------
        tuple of str
            Name of the algorithm, as hashlib has it, and digest; empty where none is stated, or
            one of a kind that is not known here.
        """
        for prefix, name in _DIGESTS.items():
            digest = self.checksum.removeprefix(prefix)
            if self.checksum.startswith(prefix) and len(digest) == 2 * int(prefix[-2:], 16):
                return name, digest
        return "", ""


@dataclass(frozen=True, kw_only=True)
class Product:
    """One production of one granule.

    Parameters
    ----------
    id : str
        ESA's name of it.
    tile : str
        Square of the Military Grid Reference System, such as "15UVB".
    observed : datetime
        Of its sensing, UTC.
    cloud : float
        Per cent.
    strip : datetime
        Start of sensing of its datastrip, UTC: one overpass may reach a tile in two.
    files : dict of Stored
        By band, and "MTD_MSIL1C" and "MTD_TL" for the metadata.
    bounds : tuple of float
        x0, y0, x1, y1 in metres where the catalogue says so, else empty.
    older : tuple of str
        Ids of older productions of the same granule.
    """

    id: str
    tile: str
    observed: datetime
    cloud: float
    strip: datetime
    files: dict[str, Stored]
    bounds: tuple[float, ...] = ()
    older: tuple[str, ...] = ()

    @property
    def pass_(self) -> tuple[str, str, str]:
        """What all productions of its granule share.

        Returns
        -------
        tuple of str
            Platform, start of the datatake, tile.
        """
        return self.id[:3], self.id[11:26], self.tile

    @property
    def produced(self) -> str:
        """When it was made.

        Returns
        -------
        str
            Such as "20230701T203212"; sorts by time.
        """
        return self.id[-15:]


def newest(products: list[Product]) -> Iterator[Product]:
    """Of several productions of one granule keep the newest, which remembers the others.

    Parameters
    ----------
    products : list of Product
        In any order.

    Yields
    ------
    Product
        One for each granule.
    """
    ordered = sorted(products, key=attrgetter("pass_", "strip"))
    for _, of_pass in groupby(ordered, key=attrgetter("pass_")):
        group: list[Product] = []
        for product in of_pass:
            if group and product.strip - group[-1].strip > _SAME_STRIP:
                yield _merged(group)
                group = []
            group.append(product)
        yield _merged(group)


def _merged(productions: list[Product]) -> Product:
    """The newest of some productions, with the ids of the others."""
    *older, last = sorted(productions, key=attrgetter("produced", "id"))
    names = dict.fromkeys(product.id for product in older if product.id != last.id)
    return replace(last, older=tuple(names))


def product_of(item: Mapping[str, Any]) -> Product:
    """Read one item of the catalogue.

    Parameters
    ----------
    item : mapping
        As it came.

    Returns
    -------
    Product
        With the files of all bands and the metadata.

    Raises
    ------
    ProviderError
        If its name, one of its addresses or a field is not as such an item's has to be.
    """
    name = str(item.get("id"))
    match = _ID.fullmatch(name)
    if match is None:
        raise ProviderError(
            f"the catalogue lists {name[:80]!r}, which is no name of an L1C product: refused"
        )
    try:
        fields, assets = item["properties"], item["assets"]
        files = {band: _stored(assets[band]) for band in SENTINEL2_BANDS}
        folder, strip = _folder(match, files)
        return Product(
            id=name,
            tile=match["tile"],
            observed=_utc(str(fields["datetime"])),
            cloud=float(fields.get("eo:cloud_cover") or 0.0),
            strip=_utc(strip),
            files=files | _metadata(folder),
            bounds=tuple(float(edge) for edge in assets["B02"].get("proj:bbox") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderError(
            f"the catalogue's item {name} is not understood ({type(error).__name__}: "
            f"{str(error)[:80]}): run again later"
        ) from error


def _utc(text: str) -> datetime:
    """A time that states its zone, or is ESA's compact form, which is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None and "-" in text:
        raise ValueError(f"{text} states no time zone")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _stored(asset: Mapping[str, Any]) -> Stored:
    """A file of the bucket; any other scheme, host or bucket is refused."""
    scheme = f"s3://{BUCKET}/"
    href, size = str(asset["href"]), asset.get("file:size")
    if not href.startswith(scheme):
        raise ProviderError(f"the catalogue points to {href[:80]!r}, not into {scheme}: refused")
    checksum = str(asset.get("file:checksum") or "")
    return Stored(
        key=href.removeprefix(scheme),
        size=None if size is None else int(size),
        checksum=checksum if _CHECKSUM.fullmatch(checksum) else "",
    )


def _folder(name: "re.Match[str]", files: Mapping[str, Stored]) -> tuple[str, str]:
    """The one folder that must hold the files of all bands, and its datastrip's time."""
    folder = files["B01"].key.rpartition("/")[0]
    match = _FOLDER.fullmatch(folder)
    keys = {
        band: f"{folder}/T{name['tile']}_{name['taken']}_{band}.jp2" for band in SENTINEL2_BANDS
    }
    if (
        match is None
        or (match["id"], match["tile"]) != (name[0], name["tile"])
        or any(files[band].key != key for band, key in keys.items())
    ):
        raise ProviderError(
            f"the catalogue's addresses of {name[0]} are not those of such a product "
            f"({folder[:120]!r}): refused"
        )
    return folder, match["strip"]


def _metadata(folder: str) -> dict[str, Stored]:
    """Files of the metadata, which lie where the format says."""
    product, granule = folder.partition("/GRANULE/")[0], folder.removesuffix("/IMG_DATA")
    return {
        "MTD_MSIL1C": Stored(key=f"{product}/MTD_MSIL1C.xml"),
        "MTD_TL": Stored(key=f"{granule}/MTD_TL.xml"),
    }
