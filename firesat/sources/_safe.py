"""What a Sentinel-2 L1C product says of itself: its numbers' meaning and its granule's place.

The elements are those of the Product Specification Document (S2-PDGS-TAS-DI-PSD, level 1C). A
document type, and with it every entity and outside reference, is refused where it begins.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Never
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError
from firesat.sources._placing import CELLS, Placing

_LARGEST = 64 << 20  # bytes: the longest real one has less than 1 MiB
_NUMBER = re.compile(r"[-+]?[0-9]{1,12}(\.[0-9]{1,12})?")
_OFFSETS_SINCE = (4, 0)  # baseline from which each product must state its offsets
_QUALITY = re.compile(r"MSK_QUALIT_B[0-9A-Z]{2}\.jp2", re.ASCII)
_TILE_ID = re.compile(r"S2[A-Z]_OPER_MSI_L1C_TL_\w+_T(\w{5})_N[0-9]{2}\.[0-9]{2}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """How digital numbers become reflectance, as the product itself says.

    Parameters
    ----------
    uri : str
        Name of the product's folder.
    baseline : str
        Of the processing, such as "05.09".
    offsets : tuple of float
        ``RADIO_ADD_OFFSET`` of each band, in the order of `bands.SENTINEL2_BANDS`; 0 before
        baseline 04.00.
    quantification : float
        ``QUANTIFICATION_VALUE``: numbers of reflectance 1.
    nodata, saturated : int
        Numbers that are no measurement.
    """

    uri: str
    baseline: str
    offsets: tuple[float, ...]
    quantification: float
    nodata: int
    saturated: int

    @property
    def special(self) -> tuple[int, int]:
        """Numbers that are no measurement.

        Returns
        -------
        tuple of int
            No data, saturated.
        """
        return self.nodata, self.saturated


def read_radiometry(path: Path) -> Radiometry:
    """Read ``MTD_MSIL1C.xml``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Radiometry
        Reflectance = (number + offset) / quantification.

    Raises
    ------
    CorruptFileError
        If it is no such file, of another level, or incomplete.
    """
    root = _parse(path)
    level = _text(root, "PROCESSING_LEVEL", path)
    if level != "Level-1C":
        raise CorruptFileError(f"{path} is of {level}, not of Level-1C: delete it and run again")
    special = {
        _text(pair, "SPECIAL_VALUE_TEXT", path): _number(pair, "SPECIAL_VALUE_INDEX", path)
        for pair in root.iter("Special_Values")
    }
    if not {"NODATA", "SATURATED"} <= set(special):
        raise CorruptFileError(f"{path} knows the special values {sorted(special)} only: run again")
    baseline = _text(root, "PROCESSING_BASELINE", path)
    if not re.fullmatch(r"[0-9]{2}\.[0-9]{2}", baseline):
        raise CorruptFileError(f"{path}: {baseline[:40]!r} is no baseline such as 05.09: run again")
    quantification = _number(root, "QUANTIFICATION_VALUE", path)
    if quantification <= 0:
        raise CorruptFileError(f"{path}: QUANTIFICATION_VALUE is {quantification:g}: run again")
    return Radiometry(
        uri=_text(root, "PRODUCT_URI", path),
        baseline=baseline,
        offsets=_offsets(root, baseline, path),
        quantification=quantification,
        nodata=int(special["NODATA"]),
        saturated=int(special["SATURATED"]),
    )


def _offsets(root: Element, baseline: str, path: Path) -> tuple[float, ...]:
    """Offsets of all bands: none before baseline 04.00, each since."""
    given = {
        element.get("band_id", ""): _number(element, element.tag, path)
        for element in root.iter("RADIO_ADD_OFFSET")
    }
    wanted = [str(number) for number in range(len(SENTINEL2_BANDS))]
    if not given and tuple(int(part) for part in baseline.split(".")) < _OFFSETS_SINCE:
        return (0.0,) * len(wanted)
    missing = [SENTINEL2_BANDS[int(number)] for number in wanted if number not in given]
    if missing:
        raise CorruptFileError(
            f"{path} of baseline {baseline} states no RADIO_ADD_OFFSET of {', '.join(missing)}: "
            "numbers cannot be turned into reflectance"
        )
    return tuple(given[number] for number in wanted)


def read_placing(path: Path) -> Placing:
    """Read ``MTD_TL.xml``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Placing
        Its tile, time and pixels.

    Raises
    ------
    CorruptFileError
        If it is no such file, or its pixel sizes do not fit together.
    """
    root = _parse(path)
    name = _text(root, "TILE_ID", path)
    tile = _TILE_ID.fullmatch(name)
    code = re.fullmatch(r"EPSG:([0-9]{5})", _text(root, "HORIZONTAL_CS_CODE", path))
    if tile is None or code is None:
        raise CorruptFileError(
            f"{path} describes {name[:80]!r}, which is no L1C granule: run again"
        )
    shapes = dict(_shapes(root, path))
    corners = {
        (_number(place, "ULX", path), _number(place, "ULY", path))
        for place in root.iter("Geoposition")
    }
    extents = {(rows * size, columns * size) for size, (rows, columns) in shapes.items()}
    if set(shapes) != {10, 20, 60} or len(corners) != 1 or len(extents) != 1:
        raise CorruptFileError(
            f"{path}: pixels of {sorted(shapes)} m, corners {sorted(corners)} and extents "
            f"{sorted(extents)} are not those of one granule: run again"
        )
    if any(edge % CELLS for edge in extents.pop()):
        raise CorruptFileError(f"{path}: the granule is no whole number of 100 m cells: run again")
    ((left, top),) = corners
    return Placing(
        tile=tile[1],
        sensed=_text(root, "SENSING_TIME", path),
        epsg=int(code[1]),
        left=left,
        top=top,
        shapes=shapes,
        quality=dict(_quality(root)),
    )


def _quality(root: Element) -> Iterator[tuple[int, str]]:
    """Numbers of bands and names of their quality masks, where these are images."""
    for mask in root.iter("MASK_FILENAME"):
        name, band = (mask.text or "").strip().rpartition("/")[2], mask.get("bandId", "")
        if _QUALITY.fullmatch(name) and re.fullmatch("[0-9]{1,2}", band, re.ASCII):
            yield int(band), name


def _shapes(root: Element, path: Path) -> Iterator[tuple[int, tuple[int, int]]]:
    """Rows and columns by pixel size."""
    for size in root.iter("Size"):
        shape = tuple(int(_number(size, name, path)) for name in ("NROWS", "NCOLS"))
        metres = size.get("resolution", "")
        yield int(metres) if metres in ("10", "20", "60") else 0, (shape[0], shape[1])


def _parse(path: Path) -> Element:
    """The root of an XML file without document type: no entity is ever declared or opened."""
    if path.stat().st_size > _LARGEST:
        raise CorruptFileError(f"{path} has {path.stat().st_size} bytes, too many for metadata")

    def refuse(*_: object) -> Never:
        raise CorruptFileError(f"{path} declares a document type, which no product does: run again")

    tree, parser = TreeBuilder(), ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
        return tree.close()
    except (ExpatError, AssertionError) as error:  # the latter: tree without a root
        raise CorruptFileError(f"{path} is no XML ({error}): delete it and run again") from error


def _text(element: Element, name: str, path: Path) -> str:
    """Text of the first descendant of a name."""
    found = next(element.iter(name), None)
    if found is None or not (found.text or "").strip():
        raise CorruptFileError(f"{path} has no {name}: it is incomplete; run again")
    return (found.text or "").strip()


def _number(element: Element, name: str, path: Path) -> float:
    """Number in the first descendant of a name."""
    text = _text(element, name, path)
    if not _NUMBER.fullmatch(text):
        raise CorruptFileError(f"{path}: {name} is {text[:40]!r}, no number: run again")
    return float(text)
