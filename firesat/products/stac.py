"""STAC: an item that describes a forecast and its files, and a static catalog of all of them."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely import segmentize
from shapely.geometry import Polygon, box, mapping

from firesat.grid import crs_of
from firesat.manifest import write_json
from firesat.products.base import Asset, Issue
from firesat.products.strips import State
from firesat.products.wording import LANGUAGES, STATES, moment, notice

EXTENSIONS = (
    "https://stac-extensions.github.io/forecast/v0.2.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/timestamps/v1.1.0/schema.json",
)

_MEDIA = {".tif": pystac.MediaType.COG, ".qml": pystac.MediaType.XML, ".png": pystac.MediaType.PNG}
_STATISTICS = {"minimum": "MINIMUM", "maximum": "MAXIMUM", "mean": "MEAN", "stddev": "STDDEV"}
_SHA256 = "1220"  # multihash: code of SHA-256, then 32 bytes
_CODE = re.compile(r"[A-Z]+:\d+")
_EDGE_STEP = 10_000  # metres between vertices of the footprint: edges of a cone are curved


def write_item(
    folder: Path, issue: Issue, cells: GeoBox, assets: Sequence[Asset], created: datetime
) -> Path:
    """Describe a forecast beside its map, and list it in the folder's catalog.

    Parameters
    ----------
    folder : Path
        Output folder.
    issue : Issue
        What is forecast.
    cells : GeoBox
        Cells of the maps.
    assets : sequence of Asset
        Every file of the forecast, already written.
    created : datetime
        Now, UTC.

    Returns
    -------
    Path
        ``NAME.json``.
    """
    start, end = issue.valid_time
    footprint = _footprint(cells)
    item = pystac.Item(
        id=issue.name,
        geometry=mapping(footprint),
        bbox=list(footprint.bounds),
        datetime=start,
        start_datetime=start,
        end_datetime=end,
        properties=_properties(issue, cells, created),
        stac_extensions=list(EXTENSIONS),
    )
    for asset in assets:
        item.add_asset(_key(asset, issue), _describe(asset, folder))
    for rel in (pystac.RelType.ROOT, pystac.RelType.PARENT):
        item.add_link(pystac.Link(rel, "./catalog.json", pystac.MediaType.JSON))
    path = folder / f"{issue.name}.json"
    write_json(path, item.to_dict(include_self_link=False, transform_hrefs=False))
    _write_catalog(folder)
    return path


def _footprint(cells: GeoBox) -> Polygon:
    """Outline in degrees, counter-clockwise as RFC 7946 asks."""
    outline = segmentize(box(*cells.boundingbox.bbox, ccw=True), _EDGE_STEP)
    to_degrees = Transformer.from_crs(crs_of(cells).to_wkt(), "EPSG:4326", always_xy=True)
    return Polygon(zip(*to_degrees.transform(*outline.exterior.xy), strict=True))


def _properties(issue: Issue, cells: GeoBox, created: datetime) -> dict[str, Any]:
    """What holds for the whole forecast."""
    start, end = issue.valid_time
    horizon = f"P{issue.window.horizon}D"
    local = [moment(time, issue.utc_offset) for time in (start, end)]
    return {
        "title": f"Wildfire probability, {local[0]} to {local[1]}",
        "description": "\n\n".join(
            [*([issue.note] if issue.note else []), *_notices(issue)],
        ),
        "created": _iso(created),
        "expires": _iso(end),
        "gsd": abs(cells.resolution.x),
        "forecast:reference_datetime": _iso(start),
        "forecast:horizon": horizon,
        "forecast:duration": horizon,
        **_projection(cells),
        "processing:level": "L4",
        "processing:software": {"firesat": issue.version},
        "processing:lineage": (
            f"{issue.model}, checkpoint sha256:{issue.checkpoint}; weather: {issue.regime}"
        ),
        "firesat:model": issue.model,
        "firesat:checkpoint": f"{_SHA256}{issue.checkpoint}",
        "firesat:regime": issue.regime,
        **({"firesat:weather_forecasts": list(issue.forecasts)} if issue.forecasts else {}),
    }


def _notices(issue: Issue) -> list[str]:
    """The notice in each language."""
    return [notice(issue.valid_time, issue.utc_offset, language) for language in LANGUAGES]


def _projection(cells: GeoBox) -> dict[str, Any]:
    """Fields of the projection extension."""
    crs, a = crs_of(cells), cells.affine
    named = _CODE.fullmatch(str(crs)) is not None
    return {
        "proj:code": str(crs) if named else None,
        **({} if named else {"proj:wkt2": crs.to_wkt()}),
        "proj:shape": list(cells.shape),
        "proj:transform": [a.a, a.b, a.c, a.d, a.e, a.f],
        "proj:bbox": list(cells.boundingbox.bbox),
    }


def _key(asset: Asset, issue: Issue) -> str:
    """Short name of an asset: what its file's name adds to the forecast's, and its kind."""
    added = asset.path.stem.removeprefix(issue.name).strip("_") or "forecast"
    return added if asset.path.suffix == ".tif" else f"{added}-{asset.path.suffix[1:]}"


def _describe(asset: Asset, folder: Path) -> pystac.Asset:
    """Where a file stands, what is in it, and its checksum."""
    fields: dict[str, Any] = {
        "file:size": asset.path.stat().st_size,
        "file:checksum": _SHA256 + sha256(asset.path),
    }
    if asset.path.suffix == ".tif":
        fields |= _bands(asset)
    return pystac.Asset(
        href=f"./{asset.path.relative_to(folder).as_posix()}",
        title=asset.title,
        media_type=_MEDIA.get(asset.path.suffix),
        roles=list(asset.roles),
        extra_fields=fields,
    )


def _bands(asset: Asset) -> dict[str, Any]:
    """Bands of a GeoTIFF as the file itself names them."""
    with rasterio.open(asset.path) as file:
        bands = [
            {
                "name": file.descriptions[number - 1],
                **_optional("description", file.tags(number).get("long_name")),
                **_optional("unit", file.units[number - 1]),
                **_optional("nodata", file.nodata),
                "data_type": file.dtypes[number - 1],
                **_optional("statistics", _statistics(file.tags(number))),
            }
            for number in file.indexes
        ]
        resolution = abs(file.transform.a)
    fields: dict[str, Any] = {"bands": bands, "raster:spatial_resolution": resolution}
    if "data-mask" in asset.roles:
        fields["classification:classes"] = [
            {"value": int(state), "name": state.name.lower(), "description": STATES[state]["en"]}
            for state in State
        ]
    return fields


def _optional(key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401  whatever JSON can hold
    """The entry, or nothing where there is no value."""
    return {} if value in (None, "", {}) else {key: value}


def _statistics(tags: dict[str, str]) -> dict[str, float]:
    """Statistics of a band from its tags."""
    found = {key: tags.get(f"STATISTICS_{name}") for key, name in _STATISTICS.items()}
    return {key: float(value) for key, value in found.items() if value is not None}


def sha256(path: Path) -> str:
    """Hash a file.

    Parameters
    ----------
    path : Path
        Of any size.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_catalog(folder: Path) -> None:
    """List every item that lies in the folder."""
    catalog = pystac.Catalog(
        id="firesat-forecasts",
        title="firesat forecasts",
        description="Experimental wildfire probabilities at 100 m, one item for each issue day.",
    )
    catalog.add_link(pystac.Link(pystac.RelType.ROOT, "./catalog.json", pystac.MediaType.JSON))
    for path in sorted(folder.glob("firesat_*.json")):
        catalog.add_link(
            pystac.Link(pystac.RelType.ITEM, f"./{path.name}", pystac.MediaType.GEOJSON)
        )
    content = catalog.to_dict(include_self_link=False, transform_hrefs=False)
    write_json(folder / "catalog.json", content)


def _iso(time: datetime) -> str:
    """UTC with a Z."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
