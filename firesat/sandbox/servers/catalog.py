"""Sentinel Hub's Catalog: STAC search in acquisitions."""

import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from firesat.sandbox.observe.sentinel2 import Acquisition
from firesat.sandbox.servers.messages import RefusalError

COLLECTION = "sentinel-2-l1c"
MAX_PAGE = 100
_OPEN = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_CLAUSE = re.compile(r"eo:cloud_cover\s*(<=|>=|<|>|=)\s*([\d.]+)")

Json = dict[str, Any]


def parse_time(text: str) -> datetime:
    """Read an ISO time.

    Parameters
    ----------
    text : str
        With or without time zone; UTC without.

    Returns
    -------
    datetime
        UTC.

    Raises
    ------
    RefusalError
        If it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusalError(400, f"{text!r} is no ISO 8601 time") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def interval(text: str) -> tuple[datetime, datetime]:
    """Read a STAC interval, both ends within.

    Parameters
    ----------
    text : str
        ``start/end``; ".." is an open end. A single time stands for itself.

    Returns
    -------
    tuple of datetime
        Start and end, UTC.

    Raises
    ------
    RefusalError
        If it is none.
    """
    first, _, last = text.partition("/")
    start = _OPEN[0] if first in ("", "..") else parse_time(first)
    if "/" not in text:
        return start, start + timedelta(milliseconds=999)
    end = _OPEN[1] if last in ("", "..") else parse_time(last)
    return start, end


def cloud_filter(body: Json) -> Callable[[float], bool]:
    """Read a filter on cloud cover.

    Parameters
    ----------
    body : dict
        Search; ``filter`` is CQL2 text such as ``eo:cloud_cover < 40``, clauses joined by AND.

    Returns
    -------
    callable
        Whether a cloud cover in percent passes.

    Raises
    ------
    RefusalError
        If the filter is about anything else.
    """
    text = body.get("filter")
    if not text:
        return lambda cover: True
    clauses = []
    for part in re.split(r"\s+and\s+", str(text).strip(), flags=re.IGNORECASE):
        found = _CLAUSE.fullmatch(part.strip())
        if found is None or body.get("filter-lang", "cql2-text") != "cql2-text":
            raise RefusalError(400, f"Unsupported filter: {text}")
        clauses.append((_COMPARE[found[1]], float(found[2])))
    return lambda cover: all(compare(cover, limit) for compare, limit in clauses)


def area(body: Json) -> BaseGeometry | None:
    """Read where a search looks.

    Parameters
    ----------
    body : dict
        Search with ``bbox`` or ``intersects`` in degrees, or neither.

    Returns
    -------
    shapely geometry or None
        None means everywhere.

    Raises
    ------
    RefusalError
        If the box has not four numbers.
    """
    if "intersects" in body:
        return shape(body["intersects"])
    if "bbox" not in body:
        return None
    if len(body["bbox"]) != 4:
        raise RefusalError(400, "bbox must have 4 numbers")
    return box(*body["bbox"])


def feature(acquisition: Acquisition, footprint: BaseGeometry) -> Json:
    """Describe an acquisition as a STAC item.

    Parameters
    ----------
    acquisition : Acquisition
        What was taken.
    footprint : shapely geometry
        Where, in degrees.

    Returns
    -------
    dict
        A GeoJSON feature.
    """
    moment = acquisition.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
            "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
        ],
        "type": "Feature",
        "id": acquisition.id,
        "collection": COLLECTION,
        "bbox": list(footprint.bounds),
        "geometry": mapping(footprint),
        "properties": {
            "datetime": moment,
            "platform": "sentinel-2" + acquisition.platform[-1].lower(),
            "instruments": ["msi"],
            "constellation": "sentinel-2",
            "gsd": 10,
            "eo:cloud_cover": round(acquisition.cloud_cover, 2),
        },
        "assets": {},
        "links": [],
    }


def page(features: Sequence[Json], body: Json) -> Json:
    """Cut one page out of a search's result.

    Parameters
    ----------
    features : sequence of dict
        The whole result.
    body : dict
        Search with ``limit``, ``next`` and ``fields``.

    Returns
    -------
    dict
        A feature collection whose ``context.next`` says where the next page starts.

    Raises
    ------
    RefusalError
        If the limit is out of range.
    """
    limit, start = int(body.get("limit", 10)), int(body.get("next", 0))
    if not 1 <= limit <= MAX_PAGE:
        raise RefusalError(400, f"limit must be 1 to {MAX_PAGE}, got {limit}")
    chosen = [_select(item, body.get("fields") or {}) for item in features[start : start + limit]]
    context: Json = {"limit": limit, "returned": len(chosen)}
    if start + limit < len(features):
        context["next"] = start + limit
    return {"type": "FeatureCollection", "features": chosen, "links": [], "context": context}


def _select(item: Json, fields: Json) -> Json:
    """Keep the fields that were included and drop the excluded ones; dots lead into objects."""
    include, exclude = fields.get("include") or [], fields.get("exclude") or []
    kept: Json = {} if include else {**item, "properties": dict(item["properties"])}
    for name in include:
        head, _, tail = name.partition(".")
        if not tail and head in item:
            kept[head] = item[head]
        elif tail in item.get(head, {}):
            kept.setdefault(head, {})[tail] = item[head][tail]
    for name in exclude:
        head, _, tail = name.partition(".")
        (kept.get(head, {}) if tail else kept).pop(tail or head, None)
    return kept
