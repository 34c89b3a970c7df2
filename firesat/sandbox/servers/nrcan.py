"""Natural Resources Canada: folders of files behind Apache's listings."""

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from firesat.sandbox.encode.archive import encode_zip
from firesat.sandbox.encode.nbac import encode_shapefile
from firesat.sandbox.observe import nrcan
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.world import World

_DATABASE = "/nfdb/fire_poly/current_version"
RELEASED = "0513"  # month and day, in the year after: part of the composites' names
_ROW = '<tr><td><a href="{name}">{name}</a></td><td align="right">{date}</td></tr>\n'
_PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of {path}</title></head>
<body><h1>Index of {path}</h1>
<table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="../">Parent Directory</a></td><td>&nbsp;</td></tr>
{rows}</table></body></html>
"""


class Downloads:
    """Perimeters and hotspots.

    Parameters
    ----------
    world : World
        What burnt.
    """

    prefix = "/nrcan/downloads"

    def __init__(self, world: World) -> None:
        self._world = world
        self._files: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._years = seasons = world.config.seasons
        self._composites = {f"NBAC_{year}_{year + 1}{RELEASED}.zip": year for year in seasons}
        self._archives = {f"{year}_hotspots.zip": year for year in seasons}
        self._days = {f"{day:%Y%m%d}.csv": day for year in seasons for day in _days_of(world, year)}

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Listings and files.
        """
        return tuple(
            Route(method="GET", pattern=pattern, handle=handle)
            for pattern, handle in (
                ("/nbac/", self._list),
                (f"{_DATABASE}/", self._list),
                (rf"{_DATABASE}/NFDB_poly\.zip", self._database),
                ("/hotspots/", self._list),
                ("/hotspots/archive/", self._list),
                (r"/nbac/([\w.]+)", self._composite),
                (r"/hotspots/([\w.]+)", self._day),
                (r"/hotspots/archive/([\w.]+)", self._year),
            )
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
            A web page.
        """
        page = f"<html><head><title>{status}</title></head><body>{reason}</body></html>"
        return Response(body=page.encode(), status=status, kind="text/html")

    def _list(self, request: Request, groups: tuple[str, ...]) -> Response:
        """A folder."""
        names: dict[str, list[str]] = {
            "/nbac/": list(self._composites),
            f"{_DATABASE}/": ["NFDB_poly.zip"],
            "/hotspots/": ["archive/", *self._days],
            "/hotspots/archive/": list(self._archives),
        }
        folder = request.path.removeprefix(self.prefix)
        rows = "".join(_ROW.format(name=name, date="2024-05-13 12:00") for name in names[folder])
        page = _PAGE.format(path=request.path.rstrip("/"), rows=rows)
        return Response(body=page.encode(), kind="text/html;charset=UTF-8")

    def _composite(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Perimeters of a year."""
        name = groups[0]
        if name not in self._composites:
            raise RefusalError(404, f"{name} was not found on this server")
        with self._lock:
            if name not in self._files:
                perimeters = nrcan.perimeters(self._world, self._composites[name])
                self._files[name] = encode_shapefile(perimeters, name.removesuffix(".zip"))
            return Response(body=self._files[name], kind="application/zip", download=True)

    def _database(self, request: Request, groups: tuple[str, ...]) -> Response:
        """The agencies' perimeters of all years."""
        name = "NFDB_poly.zip"
        with self._lock:
            if name not in self._files:
                fires = nrcan.agency_perimeters(self._world)
                self._files[name] = encode_shapefile(fires, f"NFDB_poly_{max(self._years)}1001")
            return Response(body=self._files[name], kind="application/zip", download=True)

    def _year(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Hotspots of a year."""
        name = groups[0]
        if name not in self._archives:
            raise RefusalError(404, f"{name} was not found on this server")
        year = self._archives[name]
        with self._lock:
            if name not in self._files:
                table = self._hotspots(date(year, 1, 1), date(year + 1, 1, 1))
                self._files[name] = encode_zip({f"{year}_hotspots.csv": table})
            return Response(body=self._files[name], kind="application/zip", download=True)

    def _day(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Hotspots of a day."""
        name = groups[0]
        if name not in self._days:
            raise RefusalError(404, f"{name} was not found on this server")
        day = self._days[name]
        with self._lock:
            body = self._hotspots(day, day + timedelta(days=1))
        return Response(body=body, kind="text/csv", download=True)

    def _hotspots(self, first: date, after: date) -> bytes:
        """A table of hotspots from 00 UTC of one day to that of another."""
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, after))
        table = nrcan.hotspots(self._world, start, end)
        text: str = table.to_csv(index=False, lineterminator="\n")
        return text.encode()


def _days_of(world: World, year: int) -> list[date]:
    """The days of a season."""
    first, last = world.config.first_date(year), world.config.last_date(year)
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]
