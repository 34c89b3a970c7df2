"""Files that lie elsewhere than they should: G1 of the matrix of faults.

200 wrong ones go through the four checks of place, and 500 sound ones: granules' metadata against
tile and catalogue (tolerance: a pixel of 10 m), their images against the metadata, a service's
squares against what was asked for, MODIS tiles against their names. No failure in n tries bounds
its rate at 3/n with 95 % confidence: wrong ones that pass at 1.5 %, sound ones refused at 0.6 %.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from firesat.errors import CorruptFileError
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sources._granule import check
from firesat.sources._hdf4 import SINUSOIDAL, TILE, tile_cells
from firesat.sources._jp2 import read_band
from firesat.sources._mgrs import tile_box
from firesat.sources._mosaic import check_square
from firesat.sources._placing import Placing
from tests.sources.test_safe import RADIOMETRY, product

Check = Callable[[], object]
SIZES = (10, 20, 60)


def sound_tile(rng: np.random.Generator) -> Placing:
    """A granule of some tile of Canada, in its place."""
    zone = int(rng.integers(8, 23))
    columns = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3]
    letters = (rng.choice(list(some)) for some in ("UVW", columns, "ABCDEFGHJKLMNPQRSTUV"))
    name = f"{zone:02d}{''.join(letters)}"
    box = tile_box(name)
    return Placing(
        tile=name, sensed="2021-06-29T18:16:47Z", epsg=box.epsg, left=box.bounds[0],
        top=box.bounds[3], shapes={size: (109_800 // size,) * 2 for size in SIZES},
    )  # fmt: skip


def against_catalogue(rng: np.random.Generator, moved: Callable[[Placing], Placing]) -> Check:
    """A granule's metadata, the tile of its name and the catalogue's footprint."""
    sound = sound_tile(rng)
    stated = tuple(edge + rng.uniform(-4, 4) for edge in sound.bounds)  # rounded by the catalogue
    name = f"S2B_MSIL1C_20210629T181645_N0301_R084_T{sound.tile}_20210629T200645"
    item = product(id=name, tile=sound.tile, bounds=stated)
    return lambda: check(item, replace(RADIOMETRY, uri=f"{name}.SAFE"), moved(sound))


def image(rng: np.random.Generator, path: Path, moved: Callable[[GeoBox], GeoBox]) -> Check:
    """A small granule's image, and the metadata that it has to agree with."""
    size = int(rng.choice(SIZES))
    left, top = 300.0 * float(rng.integers(600, 2700)), 300.0 * float(rng.integers(16_000, 23_000))
    zone = 32600 + int(rng.integers(8, 23))
    shapes = {each: (1200 // each, 1800 // each) for each in SIZES}
    placing = Placing(tile="", sensed="", epsg=zone, left=left, top=top, shapes=shapes)
    cells = moved(GeoBox(shapes[size], Affine(size, 0, left, 0, -size, top), f"EPSG:{zone}"))
    path.write_bytes(encode_jp2(np.full(cells.shape, 900, dtype="uint16"), cells))
    return lambda: read_band(path, placing, size, (0, 65535))


def square(rng: np.random.Generator, path: Path, moved: Callable[[GeoBox], GeoBox]) -> Check:
    """A square of a service, and what was asked for."""
    x0, y0 = 25_000.0 * float(rng.integers(6, 32)), 25_000.0 * float(rng.integers(190, 280))
    zone, side = 32600 + int(rng.integers(8, 23)), 50
    asked = zone, (x0, y0, x0 + 25_000, y0 + 25_000)
    cells = moved(GeoBox((side, side), Affine(500, 0, x0, 0, -500, y0 + 25_000), f"EPSG:{zone}"))
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=cells.shape[0], width=cells.shape[1],
        dtype="uint16", crs=str(cells.crs) if cells.crs else None, transform=cells.affine,
    ) as raster:  # fmt: skip
        raster.write(np.ones((1, *cells.shape), dtype="uint16"))
    return lambda: check_square(path, asked, side, 1)


def modis(rng: np.random.Generator, moved: Callable[[GeoBox], GeoBox], grid: str = "") -> Check:
    """A MODIS tile of Canada, and what its metadata say."""
    horizontal, vertical = int(rng.integers(9, 15)), int(rng.integers(1, 5))
    side = int(rng.choice([1200, 2400]))
    left, top = (horizontal - 18) * TILE, (9 - vertical) * TILE
    sound = GeoBox((side, side), Affine(TILE / side, 0, left, 0, -TILE / side, top), SINUSOIDAL)
    a = moved(sound).affine
    x0, y1 = a * (0, 0)
    x1, y0 = a * (side, side)
    structure = (
        f"UpperLeftPointMtrs=({x0:.6f},{y1:.6f})\nLowerRightMtrs=({x1:.6f},{y0:.6f})\n"
        f"Projection={grid or 'GCTP_SNSOID'}\n"
    )
    return lambda: np.testing.assert_allclose(
        tile_cells(horizontal, vertical, (side, side), structure, "x.hdf").affine, sound.affine
    )


def as_it_is(cells: GeoBox) -> GeoBox:
    return cells


def shifted(rows: float, columns: float) -> Callable[[GeoBox], GeoBox]:
    """By pixels."""
    return lambda c: GeoBox(c.shape, c.affine @ Affine.translation(columns, rows), c.crs)


def flipped(c: GeoBox) -> GeoBox:
    """Upside down, with the corner where it was."""
    a = c.affine
    return GeoBox(c.shape, Affine(a.a, 0, a.c, 0, -a.e, a.f), c.crs)


def swapped(c: GeoBox) -> GeoBox:
    """Northing and easting changed over."""
    return GeoBox(c.shape, Affine(c.affine.a, 0, c.affine.f, 0, c.affine.e, c.affine.c), c.crs)


def zone_30_on(c: GeoBox) -> GeoBox:
    """180 degrees away."""
    return GeoBox(c.shape, c.affine, f"EPSG:{c.crs.epsg + 30}")


def far(metres: float) -> Callable[[GeoBox], GeoBox]:
    """Some metres to the east."""
    return lambda c: GeoBox(c.shape, Affine.translation(metres, 0) @ c.affine, c.crs)


def unnamed(c: GeoBox) -> GeoBox:
    """Without a CRS."""
    return GeoBox(c.shape, c.affine, None)


def degrees(c: GeoBox) -> GeoBox:
    """Metres called degrees."""
    return GeoBox(c.shape, c.affine, "EPSG:4326")


def wrong(rng: np.random.Generator, path: Path) -> list[Check]:
    """Twenty of each kind once: CRS, axes, direction, 180 degrees, half a pixel."""
    tiff, jp2 = path / "a.tif", path / "a.jp2"
    half = rng.choice([-0.5, 0.5], 2)
    metadata: list[Callable[[Placing], Placing]] = [
        lambda p: replace(p, epsg=p.epsg + 1),
        lambda p: replace(p, left=p.top, top=p.left),
        lambda p: replace(p, top=p.top - 109_800),  # rows counted from below
        lambda p: replace(p, epsg=p.epsg + 30),
        lambda p: replace(p, left=p.left + 30 * half[0]),  # of 60 m
        lambda p: replace(p, top=p.top + 30 * half[1]),
    ]
    return [
        *(against_catalogue(rng, moved) for moved in metadata),
        *(image(rng, jp2.with_name(f"{n}.jp2"), moved) for n, moved in enumerate(
            (zone_30_on, swapped, shifted(half[0], 0), shifted(0, half[1]), degrees))),
        *(square(rng, tiff.with_name(f"{n}.tif"), moved) for n, moved in enumerate(
            (unnamed, swapped, flipped, zone_30_on, shifted(half[0], half[1])))),
        modis(rng, as_it_is, grid="GCTP_GEO"),
        *(modis(rng, moved) for moved in (flipped, shifted(half[0], half[1]), far(18 * TILE))),
    ]  # fmt: skip


def sound(rng: np.random.Generator, path: Path) -> list[Check]:
    """Four, as they come."""
    return [
        against_catalogue(rng, lambda placing: placing),
        image(rng, path / "sound.jp2", as_it_is),
        square(rng, path / "sound.tif", as_it_is),
        modis(rng, as_it_is),
    ]


@pytest.mark.parametrize("rounds", [pytest.param(10, id="G1-200")])
def test_what_lies_elsewhere_is_refused(tmp_path: Path, rounds: int) -> None:
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(rounds):
        for attempt in wrong(rng, tmp_path):
            with pytest.raises(CorruptFileError):
                attempt()
            refused += 1
    assert refused == 20 * rounds


@pytest.mark.parametrize("rounds", [pytest.param(125, id="G1-500")])
def test_what_lies_where_it_should_is_read(tmp_path: Path, rounds: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(rounds):
        for attempt in sound(rng, tmp_path):
            attempt()
