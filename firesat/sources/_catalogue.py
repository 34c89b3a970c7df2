"""The Copernicus Data Space catalogue: which L1C granules there are."""

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely import box, segmentize, transform
from shapely.geometry import mapping

from firesat.errors import ProviderError
from firesat.grid import crs_of
from firesat.sources._door import open_session
from firesat.sources._http import checked, silent
from firesat.sources._pace import connection
from firesat.sources._products import Product, newest, product_of
from firesat.sources.commons import commons

log = logging.getLogger(__name__)

COLLECTION = "sentinel-2-l1c"
_PAGE = 100  # items; the service's own limit is 1000
_MOST_PAGES = 50  # a block and day has one
_LEGACY = re.compile(r"S2[A-Z]_(OPER|USER)_PRD_MSIL1C_\w+", re.ASCII)  # before December 2016


def search(
    url: str, region: GeoBox, period: tuple[datetime, datetime], max_cloud: float
) -> list[Product]:
    """List the granules of a region and period, of each the newest production.

    Parameters
    ----------
    url : str
        Root of the catalogue.
    region : GeoBox
        Cells of any CRS.
    period : tuple of datetime
        First and last second, UTC.
    max_cloud : float
        Granules with a larger share of cloud, in per cent, are left out.

    Returns
    -------
    list of Product
        By time and name.

    Raises
    ------
    ProviderError
        If the catalogue fails, or gives an answer that no such catalogue gives.
    """
    start, end = period
    wanted = [
        product
        for product in _products(url, region, period)
        if start <= product.observed <= end and product.cloud <= max_cloud
    ]
    return sorted(newest(wanted), key=attrgetter("observed", "id"))


def _products(url: str, region: GeoBox, period: tuple[datetime, datetime]) -> Iterator[Product]:
    """All productions that the catalogue lists."""
    legacy = 0
    for item in _items(url, region, period):
        if _LEGACY.fullmatch(str(item.get("id"))):
            legacy += 1
            continue
        yield product_of(item)
    if legacy:
        log.warning("%s: %d products of the format before 2016 are left out", url, legacy)


def _items(
    url: str, region: GeoBox, period: tuple[datetime, datetime]
) -> Iterator[Mapping[str, Any]]:
    """Items of a search, page by page: only the token of a next page is taken from the answer."""
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in period)
    body: dict[str, Any] = {
        "collections": [COLLECTION],
        "intersects": outline(region),
        "datetime": f"{start}/{end}",
        "limit": _PAGE,
    }
    with open_session(url) as session:
        for _ in range(_MOST_PAGES):
            page = _ask(session, f"{url}/search", body)
            yield from page["features"]
            token = _next(page)
            if token is None:
                return
            body["token"] = token
    raise ProviderError(f"{url} gives more than {_MOST_PAGES} pages for one block: run again later")


def _ask(session: requests.Session, url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """One page, checked for its form."""
    try:
        with connection(commons()):
            response = session.post(url, json=body, allow_redirects=False)
        if response.is_redirect:
            raise ProviderError(f"{url} sends to another address, which is not followed")
        page = checked(response).json()
    except requests.RequestException as error:  # the answer's not being JSON is one, too
        raise silent(url, error) from error
    features = page.get("features") if isinstance(page, dict) else None
    if not isinstance(features, list) or not all(isinstance(item, dict) for item in features):
        raise ProviderError(f"{url} gave no list of items: check base_url, or run again later")
    found: Mapping[str, Any] = page
    return found


def _next(page: Mapping[str, Any]) -> str | None:
    """Token of the next page."""
    try:
        links = [link for link in page.get("links") or [] if link["rel"] == "next"]
        return str(links[0]["body"]["token"]) if links else None
    except (KeyError, TypeError, IndexError) as error:
        raise ProviderError("the catalogue's next page has no token: run again later") from error


def outline(region: GeoBox) -> dict[str, Any]:
    """Draw cells as a polygon in degrees.

    Parameters
    ----------
    region : GeoBox
        Cells of any CRS.

    Returns
    -------
    dict
        GeoJSON; its edges follow those of the region within a few metres.
    """
    to_degrees = Transformer.from_crs(crs_of(region).to_wkt(), "EPSG:4326", always_xy=True)
    edges = segmentize(box(*region.boundingbox.bbox), 10_000)

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_degrees.transform(*points.T))

    found: dict[str, Any] = mapping(transform(edges, project))
    return found
