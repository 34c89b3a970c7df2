"""Sentinel-2 products of a world: which there are, and their files."""

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from firesat.bands import SENTINEL2_BANDS
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sandbox.encode.safe import (
    GranuleFacts,
    ProductFacts,
    encode_granule_metadata,
    encode_product_metadata,
)
from firesat.sandbox.observe import granules
from firesat.sandbox.observe.granules import NODATA, PIXELS, QUANTIFICATION, SATURATED, Granule
from firesat.sandbox.observe.sentinel2 import STAMP
from firesat.sandbox.observe.tiles import tile_parts
from firesat.sandbox.servers.passes import Passes
from firesat.sandbox.world import World

SIZE_OF = {name: size for size, names in PIXELS.items() for name in names}
_KEPT = 16  # products in memory; one of 20 x 20 km takes some 20 MB
_THREADS = 4
_ISO = "%Y-%m-%dT%H:%M:%S.024Z"


class SafeArchive:
    """All products of a world.

    Parameters
    ----------
    world : World
        What is seen.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._passes = Passes(world)
        self._tiles = tile_parts(world)
        self._files: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def between(self, start: datetime, end: datetime) -> list[Granule]:
        """List the products of a period.

        Parameters
        ----------
        start, end : datetime
            With time zones, both included.

        Returns
        -------
        list of Granule
            By time and tile.
        """
        return [
            granule
            for acquisition in self._passes.between(start, end)
            for granule in granules.granules(acquisition, self._tiles)
        ]

    def file(self, key: str) -> bytes | None:
        """Give a file of the bucket.

        Parameters
        ----------
        key : str
            Its key.

        Returns
        -------
        bytes or None
            None where there is no such file.
        """
        product = key.split("/")[6] if key.count("/") > 5 else ""
        granule = self._granule(product)
        return None if granule is None else self.files(granule).get(key)

    def files(self, granule: Granule) -> dict[str, bytes]:
        """Make a product's files; those of the last few are remembered.

        Parameters
        ----------
        granule : Granule
            One of `between`.

        Returns
        -------
        dict of bytes
            By key.
        """
        with self._lock:
            if granule.id not in self._files:
                self._files[granule.id] = self._encode(granule)
                while len(self._files) > _KEPT:
                    self._files.popitem(last=False)
            self._files.move_to_end(granule.id)
            return self._files[granule.id]

    def _granule(self, product: str) -> Granule | None:
        """The granule of a product's folder, looked up by its time."""
        try:
            taken = datetime.strptime(f"{product[11:26]}Z", f"{STAMP}%z")
        except ValueError:
            return None
        second = timedelta(seconds=1)
        found = self.between(taken - second, taken + second)
        return next((granule for granule in found if f"{granule.id}.SAFE" == product), None)

    def _encode(self, granule: Granule) -> dict[str, bytes]:
        """All files of a product."""
        numbers = granules.numbers(self.world, granule)
        keys = image_keys(granule)
        with ThreadPoolExecutor(_THREADS) as pool:
            images = pool.map(
                lambda name: encode_jp2(numbers[name], granule.cells(SIZE_OF[name])), keys
            )
            files = dict(zip(keys.values(), images, strict=True))
            masks = quality_keys(granule)
            images = pool.map(
                lambda name: encode_jp2(quality(numbers[name]), granule.cells(SIZE_OF[name])), masks
            )
            files |= zip(masks.values(), images, strict=True)
        files[f"{granule.folder}/MTD_MSIL1C.xml"] = encode_product_metadata(_product(granule))
        files[f"{granule.granule_folder}/MTD_TL.xml"] = encode_granule_metadata(_place(granule))
        return files


def image_keys(granule: Granule) -> dict[str, str]:
    """Say where a product's images lie.

    Parameters
    ----------
    granule : Granule
        Any.

    Returns
    -------
    dict of str
        Key by band.
    """
    stem = f"T{granule.tile}_{granule.acquisition.time:{STAMP}}"
    return {
        name: f"{granule.granule_folder}/IMG_DATA/{stem}_{name}.jp2" for name in SENTINEL2_BANDS
    }


def quality_keys(granule: Granule) -> dict[str, str]:
    """Say where a product's quality masks lie.

    Parameters
    ----------
    granule : Granule
        Any.

    Returns
    -------
    dict of str
        Key by band; none before baseline 04.00, whose masks are polygons.
    """
    if granule.baseline < "04.00":
        return {}
    folder = f"{granule.granule_folder}/QI_DATA"
    return {name: f"{folder}/MSK_QUALIT_{name}.jp2" for name in SENTINEL2_BANDS}


def quality(numbers: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Make the quality mask of a band.

    Parameters
    ----------
    numbers : ndarray of uint16, shape (Y, X)
        Digital numbers.

    Returns
    -------
    ndarray of uint8, shape (8, Y, X)
        Planes as the product specification orders them; the made instrument loses no packets and
        has no defects, so only the sixth (no data) and the eighth (saturated) have any.
    """
    planes = np.zeros((8, *numbers.shape), dtype="uint8")
    planes[5], planes[7] = numbers == NODATA, numbers == SATURATED
    return planes


def checksum(content: bytes) -> str:
    """Sum a file as the archive's catalogue does: a multihash of SHA3-256.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    str
        Hexadecimal.
    """
    return f"1620{hashlib.sha3_256(content).hexdigest()}"


def _tile_id(granule: Granule) -> str:
    """Name of the granule, as the ground segment forms it."""
    return (
        f"{granule.acquisition.platform}_OPER_MSI_L1C_TL_SBOX_{granule.produced:{STAMP}}"
        f"_A{granule.orbit:06d}_T{granule.tile}_N{granule.baseline}"
    )


def _product(granule: Granule) -> ProductFacts:
    """What the product says of itself."""
    inside = [key.removeprefix(f"{granule.folder}/") for key in image_keys(granule).values()]
    return ProductFacts(
        uri=f"{granule.id}.SAFE",
        tile_id=_tile_id(granule),
        spacecraft=f"Sentinel-{granule.acquisition.platform[1:]}",
        baseline=granule.baseline,
        sensed=f"{granule.acquisition.time:{_ISO}}",
        produced=f"{granule.produced:{_ISO}}",
        orbit=granule.acquisition.relative_orbit,
        cloud=granule.acquisition.cloud_cover,
        images=tuple(path.removesuffix(".jp2") for path in inside),
        offset=granule.offset or None,
        quantification=QUANTIFICATION,
        special={"NODATA": NODATA, "SATURATED": SATURATED},
    )


def _place(granule: Granule) -> GranuleFacts:
    """What the granule says of its place."""
    return GranuleFacts(
        tile_id=_tile_id(granule),
        sensed=f"{granule.strip:{_ISO}}",
        epsg=granule.epsg,
        corner=granule.corner,
        extent=granule.extent,
        cloud=granule.acquisition.cloud_cover,
        quality=tuple(
            key.removeprefix(f"{granule.folder}/") for key in quality_keys(granule).values()
        ),
    )
