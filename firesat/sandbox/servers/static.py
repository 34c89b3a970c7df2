"""A file server with the layers that do not change."""

import threading
from collections.abc import Sequence

import numpy as np

from firesat.sandbox.encode.geotiff import encode_geotiff
from firesat.sandbox.observe import static
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.world import World

NODATA = {"f": -9999.0, "u": 255.0, "i": -9999.0}  # by kind of number


class Layers:
    """One GeoTIFF per layer.

    Parameters
    ----------
    world : World
        The place.
    """

    prefix = "/static"

    def __init__(self, world: World) -> None:
        self._world = world
        self._files: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Files by name.
        """
        return (Route(method="GET", pattern=r"/(\w+\.tif)", handle=self._file),)

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
        return Response(body=f"{status} {reason}\n".encode(), status=status, kind="text/plain")

    def _file(self, request: Request, groups: tuple[str, ...]) -> Response:
        """One layer."""
        with self._lock:
            if not self._files:
                self._files = {
                    f"{name}.tif": encode_geotiff(
                        values[np.newaxis],
                        self._world.geobox,
                        nodata=NODATA[values.dtype.kind],
                        names=(name,),
                    )
                    for name, values in static.layers(self._world).items()
                }
        if groups[0] not in self._files:
            raise RefusalError(404, f"{groups[0]} was not found")
        return Response(body=self._files[groups[0]], kind="image/tiff", download=True)
