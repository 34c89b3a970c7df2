"""The Common Metadata Repository's granule search: its arguments and its answers."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pyproj import Transformer
from shapely.geometry import Polygon, box

from firesat.sandbox.servers.catalog import interval
from firesat.sandbox.servers.granules import COLLECTION, Granule
from firesat.sandbox.servers.messages import RefusalError
from firesat.sandbox.servers.sinusoidal import CRS, TILE, SinusoidalTile

PROVIDER = "LPCLOUD"
MAX_PAGE = 2000
_TIME = "%Y-%m-%dT%H:%M:%S.000Z"
Query = dict[str, list[str]]
Test = Callable[[Granule], bool]
_PATTERN = "options[readable_granule_name][pattern]"


def search(granules: Sequence[Granule], query: Query) -> list[Granule]:
    """Choose granules.

    Parameters
    ----------
    granules : sequence of Granule
        All there are.
    query : dict
        Arguments of the address; names with and without ``[]`` mean the same.

    Returns
    -------
    list of Granule
        Those that pass all conditions.

    Raises
    ------
    RefusalError
        If an argument is unknown or malformed.
    """
    tests = []
    patterned = query.get(_PATTERN, ["false"])[0] == "true"
    for key, values in query.items():
        name = key.removesuffix("[]")
        if name in ("page_size", "page_num") or key == _PATTERN:
            continue
        if name == "readable_granule_name":
            tests.append(_named(values, patterned=patterned))
        elif name in _TESTS:
            tests.append(_TESTS[name](values))
        else:
            raise RefusalError(400, f"Parameter [{name}] was not recognized.")
    return [granule for granule in granules if all(test(granule) for test in tests)]


def page_size(query: Query) -> int:
    """Read how many items a page holds.

    Parameters
    ----------
    query : dict
        Arguments of the address.

    Returns
    -------
    int
        10 unless ``page_size`` says otherwise.

    Raises
    ------
    RefusalError
        If it is no number from 0 to 2000.
    """
    text = query.get("page_size", ["10"])[0]
    if not text.isdigit() or int(text) > MAX_PAGE:
        raise RefusalError(400, f"page_size must be a number between 0 and {MAX_PAGE}")
    return int(text)


def _short_names(values: list[str]) -> Test:
    """By product."""
    return lambda granule: granule.product.name in values


def _versions(values: list[str]) -> Test:
    """By collection."""
    return lambda granule: COLLECTION in values


def _providers(values: list[str]) -> Test:
    """By archive."""
    return lambda granule: PROVIDER in values


def _temporal(values: list[str]) -> Test:
    """By overlap of the composite with any of the periods, written ``start,end``."""
    periods = [interval(value.replace(",", "/")) for value in values]

    def test(granule: Granule) -> bool:
        begin, end = granule.period
        return any(begin <= last and end >= first for first, last in periods)

    return test


def _boxes(values: list[str]) -> Test:
    """By overlap of the tile with any of the boxes, written ``west,south,east,north``."""
    try:
        edges = [[float(edge) for edge in value.split(",")] for value in values]
        boxes = [box(west, south, east, north) for west, south, east, north in edges]
    except ValueError:
        raise RefusalError(400, f"bounding_box {values} is not west,south,east,north") from None
    return lambda granule: any(footprint(granule.tile).intersects(each) for each in boxes)


def _named(values: list[str], *, patterned: bool) -> Test:
    """By name, with ``*`` and ``?`` where patterns are switched on."""
    if patterned:
        return lambda granule: any(
            fnmatchcase(name, value)
            for value in values
            for name in (granule.name, f"{granule.name}.hdf")
        )
    return lambda granule: granule.name in values or f"{granule.name}.hdf" in values


_TESTS: dict[str, Callable[[list[str]], Test]] = {
    "short_name": _short_names,
    "version": _versions,
    "provider": _providers,
    "temporal": _temporal,
    "bounding_box": _boxes,
}


def footprint(tile: SinusoidalTile) -> Polygon:
    """Give a tile's outline.

    Parameters
    ----------
    tile : SinusoidalTile
        Any tile.

    Returns
    -------
    shapely Polygon
        Longitude and latitude, straight between the four corners, as granules carry it.
    """
    (x0, y1), (x1, y0) = tile.upper_left, tile.lower_right
    inset = TILE * 1e-9  # the poles and the date line are the edges of the projection
    corners = [(x0, y0 + inset), (x0, y1 - inset), (x1, y1 - inset), (x1, y0 + inset)]
    to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    return Polygon([to_degrees.transform(x, y) for x, y in corners])


def item(granule: Granule, number: int, base: str) -> dict[str, Any]:
    """Describe a granule in the Unified Metadata Model.

    Parameters
    ----------
    granule : Granule
        What it is about.
    number : int
        For its concept id.
    base : str
        Start of the archive's addresses.

    Returns
    -------
    dict
        ``meta`` and ``umm``.
    """
    return {
        "meta": {
            "concept-type": "granule",
            "concept-id": f"G{2_000_000_000 + number}-{PROVIDER}",
            "revision-id": 1,
            "native-id": granule.name,
            "provider-id": PROVIDER,
            "format": "application/vnd.nasa.cmr.umm+json",
            "revision-date": f"{granule.produced:{_TIME}}",
        },
        "umm": {
            "GranuleUR": granule.name,
            "CollectionReference": {"ShortName": granule.product.name, "Version": COLLECTION},
            "TemporalExtent": {"RangeDateTime": _period(granule)},
            "SpatialExtent": {"HorizontalSpatialDomain": {"Geometry": _geometry(granule)}},
            "RelatedUrls": _addresses(granule, base),
            "DataGranule": _file(granule),
            "MetadataSpecification": {
                "URL": "https://cdn.earthdata.nasa.gov/umm/granule/v1.6.6",
                "Name": "UMM-G",
                "Version": "1.6.6",
            },
        },
    }


def _period(granule: Granule) -> dict[str, str]:
    """First and last second."""
    begin, end = granule.period
    return {"BeginningDateTime": f"{begin:{_TIME}}", "EndingDateTime": f"{end:{_TIME}}"}


def _geometry(granule: Granule) -> dict[str, Any]:
    """The tile's outline."""
    points = [
        {"Longitude": round(x, 6), "Latitude": round(y, 6)}
        for x, y in footprint(granule.tile).exterior.coords
    ]
    return {"GPolygons": [{"Boundary": {"Points": points}}]}


def _addresses(granule: Granule, base: str) -> list[dict[str, str]]:
    """Where the file is, by two protocols."""
    path = f"{granule.product.name}.{COLLECTION}/{granule.name}/{granule.name}.hdf"
    return [
        {"URL": f"{base}/lp-prod-protected/{path}", "Type": "GET DATA"},
        {"URL": f"s3://lp-prod-protected/{path}", "Type": "GET DATA VIA DIRECT ACCESS"},
    ]


def _file(granule: Granule) -> dict[str, Any]:
    """The file's name and when it was made."""
    name = {"Identifier": f"{granule.name}.hdf", "IdentifierType": "ProducerGranuleId"}
    return {
        "DayNightFlag": "Both",
        "ProductionDateTime": f"{granule.produced:{_TIME}}",
        "Identifiers": [name],
    }
