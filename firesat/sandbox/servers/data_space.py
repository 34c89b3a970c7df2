"""The Copernicus Data Space: its STAC catalogue, and its archive over S3."""

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from firesat.sandbox.observe.granules import QUANTIFICATION, Granule
from firesat.sandbox.servers import catalog
from firesat.sandbox.servers.messages import (
    RefusalError,
    Request,
    Response,
    Route,
    json_response,
)
from firesat.sandbox.servers.outline import outline
from firesat.sandbox.servers.safe import SIZE_OF, SafeArchive, checksum, image_keys
from firesat.sandbox.servers.sigv4 import check_signature

BUCKET = "eodata"
COLLECTION = "sentinel-2-l1c"
MAX_PAGE = 1000
_TOKEN = re.compile(rf"next:{COLLECTION}:(\d{{1,9}})")
_WAIT = {"Retry-After": "1"}  # seconds
_CODES = {401: (403, "ExpiredToken"), 429: (429, "SlowDown"), 500: (500, "InternalError"),
          404: (404, "NoSuchKey")}  # fmt: skip

Json = dict[str, Any]


class StacCatalogue:
    """The search for products; it needs no key.

    Parameters
    ----------
    archive : SafeArchive
        What there is to find.
    """

    prefix = "/cdse/v1"

    def __init__(self, archive: SafeArchive) -> None:
        self._archive = archive
        self._outline = outline(archive.world.geobox, "EPSG:4326")

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Landing page and search.
        """
        return (
            Route(method="GET", pattern="/?", handle=self._landing, spared=True),
            Route(method="POST", pattern="/search", handle=self._search),
        )

    def refuse(self, status: int, reason: str) -> Response:
        """Word an error.

        Parameters
        ----------
        status : int
            HTTP status.
        reason : str
            What is wrong.

        Returns
        -------
        Response
            JSON with ``detail``.
        """
        response = json_response({"detail": reason}, status)
        return Response(body=response.body, status=status, headers=_WAIT if status == 429 else {})

    def _landing(self, request: Request, groups: tuple[str, ...]) -> Response:
        """What this is."""
        links = [{"rel": "search", "href": f"{request.base}{self.prefix}/search", "method": "POST"}]
        return json_response(
            {"type": "Catalog", "stac_version": "1.1.0", "id": "sandbox", "links": links}
        )

    def _search(self, request: Request, groups: tuple[str, ...]) -> Response:
        """One page of items, the newest first."""
        body = request.json()
        if body.get("collections") != [COLLECTION]:
            raise RefusalError(400, f"collections must be ['{COLLECTION}']")
        limit, first = int(body.get("limit", 10)), _first(body)
        if not 1 <= limit <= MAX_PAGE:
            raise RefusalError(400, f"limit must be 1 to {MAX_PAGE}, got {limit}")
        start, end = catalog.interval(str(body.get("datetime", "")))
        found = [
            (granule, place)
            for granule in self._archive.between(start, end)
            if (place := self._footprint(granule, catalog.area(body))) is not None
        ]
        found.sort(key=lambda pair: (pair[0].acquisition.time, pair[0].id), reverse=True)
        items = [self._item(*pair) for pair in found[first : first + limit]]
        page: Json = {"type": "FeatureCollection", "features": items, "links": []}
        page["numberReturned"] = len(items)
        if first + limit < len(found):
            page["links"].append(self._next(request, body, first + limit))
        return json_response(page, kind="application/geo+json")

    def _next(self, request: Request, body: Json, first: int) -> Json:
        """The link to the next page: the same search with a token."""
        return {
            "rel": "next",
            "type": "application/geo+json",
            "method": "POST",
            "href": f"{request.base}{self.prefix}/search",
            "body": {**body, "token": f"next:{COLLECTION}:{first}"},
        }

    def _footprint(self, granule: Granule, area: BaseGeometry | None) -> BaseGeometry | None:
        """Where a granule shows the world, if that is in the area."""
        place = outline(granule.cells(10), "EPSG:4326").intersection(self._outline)
        wanted = not place.is_empty and (area is None or area.intersects(place))
        return place if wanted else None

    def _item(self, granule: Granule, place: BaseGeometry) -> Json:
        """A product as a STAC item."""
        taken = f"{granule.acquisition.time:%Y-%m-%dT%H:%M:%S.024000Z}"
        files = self._archive.files(granule)
        assets = {
            name: _asset(granule, name, key, files[key])
            for name, key in image_keys(granule).items()
        }
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "collection": COLLECTION,
            "id": granule.id,
            "bbox": list(place.bounds),
            "geometry": mapping(place),
            "properties": {
                "datetime": taken,
                "start_datetime": taken,
                "end_datetime": taken,
                "platform": f"sentinel-{granule.acquisition.platform[1:].lower()}",
                "constellation": "sentinel-2",
                "instruments": ["msi"],
                "product:type": "S2MSI1C",
                "processing:version": granule.baseline,
                "eo:cloud_cover": granule.acquisition.cloud_cover,
                "sat:relative_orbit": granule.acquisition.relative_orbit,
                "grid:code": f"MGRS-{granule.tile}",
            },
            "links": [],
            "assets": assets,
        }


class Eodata:
    """The archive: files of one bucket, for whoever signs with the one key.

    Parameters
    ----------
    archive : SafeArchive
        The files.
    key : str
        The only access key, and its secret.
    """

    prefix = "/cdse/v1/s3"

    def __init__(self, archive: SafeArchive, key: str = "sandbox") -> None:
        self._archive = archive
        self._key = key

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Files by key, path-style.
        """
        return (Route(method="GET", pattern=rf"/{BUCKET}/(.+)", handle=self._object, bearer=True),)

    def refuse(self, status: int, reason: str) -> Response:
        """Word an error.

        Parameters
        ----------
        status : int
            HTTP status.
        reason : str
            What is wrong, or S3's own code for it.

        Returns
        -------
        Response
            XML with ``Code``.
        """
        status, code = _CODES.get(status, (status, reason))
        body = f"<Error><Code>{escape(code)}</Code><Message>{escape(reason)}</Message></Error>"
        return Response(
            body=f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(),
            status=status,
            kind="application/xml",
            headers=_WAIT if status == 429 else {},
        )

    def _object(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Send a file."""
        check_signature(request, self._key, self._key)
        body = self._archive.file(groups[0])
        if body is None:
            raise RefusalError(404, "The specified key does not exist.")
        return Response(body=body, kind="application/octet-stream", download=True)


def _first(body: Json) -> int:
    """Where a page begins, by its token."""
    if "token" not in body:
        return 0
    found = _TOKEN.fullmatch(str(body["token"]))
    if found is None:
        raise RefusalError(400, "the token is invalid")
    return int(found[1])


def _asset(granule: Granule, name: str, key: str, content: bytes) -> Json:
    """One image as an asset."""
    cells = granule.cells(SIZE_OF[name])
    return {
        "type": "image/jp2",
        "roles": ["data", "reflectance"],
        "bands": [{"name": name}],
        "data_type": "uint16",
        "nodata": 0,
        "raster:scale": 1 / QUANTIFICATION,
        "raster:offset": granule.offset / QUANTIFICATION,
        "gsd": SIZE_OF[name],
        "proj:code": f"EPSG:{granule.epsg}",
        "proj:shape": list(cells.shape),
        "proj:bbox": list(cells.boundingbox.bbox),
        "file:size": len(content),
        "file:checksum": checksum(content),
        "href": f"s3://{BUCKET}/{key}",
    }
