"""Sentinel Hub: login, Catalog and Process, as the Copernicus Data Space offers them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from firesat.sandbox.encode.geotiff import encode_geotiff
from firesat.sandbox.observe.sentinel2 import Acquisition
from firesat.sandbox.servers import catalog
from firesat.sandbox.servers.evalscript import parse
from firesat.sandbox.servers.messages import (
    RefusalError,
    Request,
    Response,
    Route,
    json_response,
)
from firesat.sandbox.servers.outline import outline
from firesat.sandbox.servers.passes import Passes
from firesat.sandbox.servers.process import Renderer, pixels, processing_units, resampling
from firesat.sandbox.servers.tokens import is_valid_token, issue_token
from firesat.sandbox.world import World

TOKEN_PATH = "/auth/realms/main/protocol/openid-connect/token"
TOKEN_SECONDS = 600
_RETRY_AFTER_MS = "50"  # milliseconds, unlike everybody else's seconds
_CODES = {
    400: ("Bad Request", "COMMON_BAD_PAYLOAD"),
    401: ("Unauthorized", "COMMON_UNAUTHORIZED"),
    403: ("Forbidden", "COMMON_INSUFFICIENT_PERMISSIONS"),
    429: ("Too Many Requests", "RATE_LIMIT_EXCEEDED"),
    500: ("Internal Server Error", "COMMON_EXCEPTION"),
}
_ORDERS = ("mostRecent", "leastRecent", "leastCC")


class SentinelHub:
    """The service, for one collection: Sentinel-2 L1C.

    Parameters
    ----------
    world : World
        What is seen.
    client : str
        The only client id, and its secret.
    """

    prefix = "/sentinelhub"

    def __init__(self, world: World, client: str = "sandbox") -> None:
        self._world = world
        self._client = client
        self._passes = Passes(world)
        self._renderer = Renderer(world)
        self._footprint = outline(world.geobox, "EPSG:4326")

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Token, Catalog search and Process.
        """
        return (
            Route(method="POST", pattern=TOKEN_PATH, handle=self._token, spared=True),
            Route(
                method="POST",
                pattern="/api/v1/catalog/1.0.0/search",
                handle=self._search,
                bearer=True,
            ),
            Route(method="POST", pattern="/api/v1/process", handle=self._process, bearer=True),
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
            JSON with ``error``.
        """
        title, code = _CODES.get(status, ("Error", "COMMON_EXCEPTION"))
        error = {"status": status, "reason": title, "message": reason, "code": code}
        response = json_response({"error": error}, status)
        if status == 429:
            response.headers["Retry-After"] = _RETRY_AFTER_MS
        return response

    def _token(self, request: Request, groups: tuple[str, ...]) -> Response:
        """OAuth 2 client credentials."""
        form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return json_response({"error": "unsupported_grant_type"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (self._client, self._client):
            description = "Invalid client or Invalid client credentials"
            return json_response({"error": "invalid_client", "error_description": description}, 401)
        return json_response(
            {
                "access_token": issue_token(self._client, TOKEN_SECONDS),
                "expires_in": TOKEN_SECONDS,
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "scope": "profile",
            }
        )

    def _search(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Catalog search."""
        _authorise(request)
        body = request.json()
        if body.get("collections") != [catalog.COLLECTION]:
            raise RefusalError(400, f"collections must be ['{catalog.COLLECTION}']")
        if "datetime" not in body:
            raise RefusalError(400, "datetime is required")
        where, passes = catalog.area(body), catalog.cloud_filter(body)
        found: list[Acquisition] = []
        if where is None or where.intersects(self._footprint):
            start, end = catalog.interval(str(body["datetime"]))
            found = [
                acquisition
                for acquisition in self._passes.between(start, end)
                if passes(acquisition.cloud_cover)
            ]
        found.sort(key=lambda acquisition: acquisition.time, reverse=True)
        features = [catalog.feature(acquisition, self._footprint) for acquisition in found]
        page = catalog.page(features, body)
        response = json_response(page)
        return Response(body=response.body, kind="application/geo+json")

    def _process(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Process: one GeoTIFF."""
        _authorise(request)
        body = request.json()
        given, output = body.get("input", {}), body.get("output", {})
        _check_output(output)
        data = _only_data(given)
        script = parse(str(body.get("evalscript", "")))
        cells = pixels(given.get("bounds", {}), output)
        rule = resampling(data.get("processing", {}), cells, self._world.geobox)
        chosen = self._chosen(data.get("dataFilter", {}))
        picture = self._renderer.draw(script, chosen, cells, rule)
        return Response(
            body=encode_geotiff(picture, cells),
            kind="image/tiff",
            headers={"X-ProcessingUnits-Spent": str(processing_units(script, cells))},
        )

    def _chosen(self, wanted: dict[str, Any]) -> list[Acquisition]:
        """Acquisitions of a data filter, the preferred one first."""
        try:
            start, end = (catalog.parse_time(wanted["timeRange"][key]) for key in ("from", "to"))
        except KeyError:
            raise RefusalError(400, "dataFilter.timeRange needs from and to") from None
        order = wanted.get("mosaickingOrder", "mostRecent")
        if order not in _ORDERS:
            raise RefusalError(400, f"mosaickingOrder must be one of {', '.join(_ORDERS)}")
        cloudiest = float(wanted.get("maxCloudCoverage", 100))
        found = [
            acquisition
            for acquisition in self._passes.between(start, end)
            if acquisition.cloud_cover <= cloudiest
        ]
        if order == "leastCC":
            return sorted(found, key=lambda acquisition: acquisition.cloud_cover)
        return sorted(
            found, key=lambda acquisition: acquisition.time, reverse=order == "mostRecent"
        )


def _authorise(request: Request) -> None:
    """Refuse a request without a valid token."""
    kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
    if kind != "Bearer" or not is_valid_token(token):
        raise RefusalError(401, "You are not authorized! Please provide a valid access token.")


def _only_data(given: dict[str, Any]) -> dict[str, Any]:
    """The one data source that the sandbox can mix."""
    data = given.get("data", [])
    if len(data) != 1 or data[0].get("type") != catalog.COLLECTION:
        raise RefusalError(400, f"input.data must be one source of type {catalog.COLLECTION}")
    only: dict[str, Any] = data[0]
    return only


def _check_output(output: dict[str, Any]) -> None:
    """Refuse anything but one TIFF."""
    responses = output.get("responses", [])
    formats = [response.get("format", {}).get("type") for response in responses]
    if formats != ["image/tiff"]:
        raise RefusalError(400, f"the sandbox answers with one image/tiff, not {formats}")
