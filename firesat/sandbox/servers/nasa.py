"""NASA: the Common Metadata Repository, and the land archive with its login."""

import time
from collections.abc import Sequence

from firesat.sandbox.servers import cmr_search
from firesat.sandbox.servers.granules import Archive
from firesat.sandbox.servers.messages import (
    RefusalError,
    Request,
    Response,
    Route,
    json_response,
)
from firesat.sandbox.servers.tokens import is_signed, sign

LINK_SECONDS = 3600
_AFTER = "CMR-Search-After"
_LOGIN = """<!DOCTYPE html>
<html><head><title>Earthdata Login</title></head>
<body><h1>Earthdata Login</h1><p>HTTP {status}: {reason}</p></body></html>
"""


class Cmr:
    """The granule search.

    Parameters
    ----------
    archive : Archive
        What there is to find.
    """

    prefix = "/nasa/search"

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Search for granules.
        """
        return (Route(method="GET", pattern=r"/granules\.umm_json", handle=self._search),)

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
            JSON with ``errors``.
        """
        return json_response({"errors": [reason]}, status)

    def _search(self, request: Request, groups: tuple[str, ...]) -> Response:
        """One page of granules; an empty page ends a search that goes by ``CMR-Search-After``."""
        found = cmr_search.search(self._archive.all(), request.query)
        size = cmr_search.page_size(request.query)
        start = _start(request)
        base = f"{request.base}/nasa"
        items = [
            cmr_search.item(granule, start + number, base)
            for number, granule in enumerate(found[start : start + size])
        ]
        headers = {"CMR-Hits": str(len(found))}
        if items:
            headers[_AFTER] = f'["lpcloud",{start + len(items)}]'
        content = json_response({"hits": len(found), "took": 1, "items": items})
        kind = "application/vnd.nasa.cmr.umm_results+json;version=1.6.6; charset=utf-8"
        return Response(body=content.body, kind=kind, headers=headers)


class LandArchive:
    """The protected files.

    Parameters
    ----------
    archive : Archive
        The files.
    token : str
        The only Earthdata token.
    """

    prefix = "/nasa"

    def __init__(self, archive: Archive, token: str = "sandbox") -> None:
        self._archive = archive
        self._token = token

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Protected files, and where they are sent from.
        """
        return (
            Route(
                method="GET",
                pattern=r"/lp-prod-protected/(\w+\.\d+/[\w.]+/([\w.]+)\.hdf)",
                handle=self._protected,
                bearer=True,
            ),
            Route(
                method="GET", pattern=r"/cloudfront/(\w+\.\d+/[\w.]+/([\w.]+)\.hdf)",
                handle=self._presigned,
            ),
        )  # fmt: skip

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
            A web page, for login errors too: a client that saves it has no HDF file.
        """
        page = _LOGIN.format(status=status, reason=reason)
        return Response(body=page.encode(), status=status, kind="text/html; charset=utf-8")

    def _protected(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Send whoever is logged in to an address that needs no login."""
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise RefusalError(401, "Access denied. Please log in with your Earthdata account.")
        expires = int(time.time()) + LINK_SECONDS
        signature = sign(f"{groups[0]}?{expires}")
        query = f"A-userid=sandbox&Expires={expires}&Signature={signature}"
        location = f"{request.base}{self.prefix}/cloudfront/{groups[0]}?{query}"
        return Response(status=303, kind="text/html", headers={"Location": location})

    def _presigned(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Send a file."""
        path, name = groups
        expires, signature = (request.query.get(key, [""])[0] for key in ("Expires", "Signature"))
        if not is_signed(f"{path}?{expires}", signature) or int(expires) < time.time():
            raise RefusalError(403, "Access denied: the link is not signed, or has expired")
        body = self._archive.file(name)
        if body is None:
            raise RefusalError(404, f"{name} does not exist")
        return Response(body=body, kind="application/x-hdf", download=True)


def _start(request: Request) -> int:
    """Where a page begins: what the page before said, or by number."""
    after = request.headers.get(_AFTER)
    if after is not None:
        number = after.strip("[]").rpartition(",")[2]
        if not number.isdigit():
            raise RefusalError(400, f"The search-after value {after} is invalid.")
        return int(number)
    page = request.query.get("page_num", ["1"])[0]
    return (max(int(page), 1) - 1) * cmr_search.page_size(request.query) if page.isdigit() else 0
