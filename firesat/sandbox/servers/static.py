"""A file server with the layers that do not change, and the fires and cuts of past years."""

import threading
from collections.abc import Sequence

import numpy as np

from firesat.sandbox.encode.geotiff import encode_geotiff
from firesat.sandbox.encode.nbac import encode_shapefile
from firesat.sandbox.observe import nrcan, static
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.world import World

_KINDS = {"tif": "image/tiff", "geojson": "application/geo+json", "zip": "application/zip"}
NODATA = {"f": -9999.0, "u": 255.0, "i": -9999.0}  # by kind of number


class Layers:
    """One GeoTIFF per layer; settlements as GeoJSON; the seasons' fires as a zipped shapefile.

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
        return (Route(method="GET", pattern=r"/(\w+\.(?:tif|geojson|zip))", handle=self._file),)

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
        name = groups[0]
        with self._lock:
            if name not in self._files:
                self._files |= self._encoded(name)
        if name not in self._files:
            raise RefusalError(404, f"{name} was not found")
        kind = _KINDS[name.rpartition(".")[2]]
        return Response(body=self._files[name], kind=kind, download=True)

    def _encoded(self, name: str) -> dict[str, bytes]:
        """A file, or all rasters: these are cheap together."""
        if name == "settlements.geojson":
            return {name: static.settlements(self._world).to_json().encode()}
        if name == "fires.zip":
            return {name: encode_shapefile(nrcan.agency_perimeters(self._world), "fires")}
        return {
            f"{layer}.tif": encode_geotiff(
                values[np.newaxis],
                self._world.geobox,
                nodata=NODATA[values.dtype.kind],
                names=(layer,),
            )
            for layer, values in static.layers(self._world).items()
        }
