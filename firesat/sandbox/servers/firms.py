"""NASA's FIRMS: detections of a sensor in an area, behind a map key that stands in the address."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from firesat.sandbox.law.noise import stream
from firesat.sandbox.observe import nrcan
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.world import World

SENSOR = "VIIRS_SNPP"  # whose passes the made world has; the others saw nothing
OTHERS = ("VIIRS_NOAA20", "VIIRS_NOAA21", "MODIS")
MOST_DAYS = 5
POWER = 90  # random stream
_COLUMNS = (
    "latitude", "longitude", "bright_ti4", "scan", "track", "acq_date", "acq_time", "satellite",
    "instrument", "confidence", "version", "bright_ti5", "frp", "daynight",
)  # fmt: skip


class Detections:
    """The area and data-availability services.

    Parameters
    ----------
    world : World
        What burnt.
    key : str
        The map key that opens it.
    """

    prefix = "/firms"

    def __init__(self, world: World, key: str) -> None:
        self._world, self._key = world, key
        self._lock = threading.Lock()

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Two kinds of table.
        """
        area = r"/api/area/csv/(\w+)/(\w+)/([-\d.,]+)/(\d+)/(\d{4}-\d{2}-\d{2})"
        return (
            Route(method="GET", pattern=area, handle=self._area),
            Route(
                method="GET",
                pattern=r"/api/data_availability/csv/(\w+)/(\w+)",
                handle=self._availability,
            ),
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
            Plain text.
        """
        return Response(body=f"{reason}\n".encode(), status=status, kind="text/plain")

    def _check(self, key: str, product: str) -> None:
        """Refuse other keys and products."""
        if key != self._key:
            raise RefusalError(400, "Invalid MAP_KEY.")
        if product.rpartition("_")[0] not in (SENSOR, *OTHERS):
            raise RefusalError(400, f"Invalid source {product}.")

    def _availability(self, request: Request, groups: tuple[str, ...]) -> Response:
        """First and last date."""
        key, product = groups
        self._check(key, product)
        seasons = self._world.config.seasons
        span = f"{min(seasons)}-01-01,{max(seasons)}-12-31"
        return _csv(f"data_id,min_date,max_date\n{product},{span}\n")

    def _area(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Detections of some days in a box."""
        key, product, area, days, date = groups
        self._check(key, product)
        edges = area.split(",")
        if len(edges) != 4 or not 1 <= int(days) <= MOST_DAYS:
            raise RefusalError(400, f"Invalid area or day range. Expects [1..{MOST_DAYS}].")
        west, south, east, north = map(float, edges)
        start = datetime.fromisoformat(date).replace(tzinfo=UTC)
        if not product.startswith(SENSOR):
            return _csv(",".join(_COLUMNS) + "\n")
        with self._lock:
            table = nrcan.hotspots(self._world, start, start + timedelta(days=int(days)))
        rng = stream(self._world.config.seed, POWER, start.toordinal())
        power = np.round(rng.lognormal(2.0, 1.0, len(table)), 2)
        here = table["lon"].between(west, east) & table["lat"].between(south, north)
        lines = [
            f"{lat},{lon},330.0,0.4,0.4,{when[:10]},{when[11:13]}{when[14:16]},N,VIIRS,n,2.0NRT,"
            f"295.0,{megawatts},D"
            for lat, lon, when, megawatts in zip(
                table["lat"][here], table["lon"][here], table["rep_date"][here], power[here],
                strict=True,
            )
        ]  # fmt: skip
        return _csv("\n".join([",".join(_COLUMNS), *lines]) + "\n")


def _csv(text: str) -> Response:
    """A table."""
    return Response(body=text.encode(), kind="text/csv")
