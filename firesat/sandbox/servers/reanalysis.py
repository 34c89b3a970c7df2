"""The file that answers a request to a data store."""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from firesat.errors import ProviderError
from firesat.sandbox.encode.archive import encode_zip
from firesat.sandbox.encode.grib import encode_grib
from firesat.sandbox.encode.latlon import LatLonGrid
from firesat.sandbox.encode.netcdf import encode_netcdf
from firesat.sandbox.encode.parameters import Parameter
from firesat.sandbox.servers.datasets import DataSet, Json
from firesat.sandbox.servers.jobs import Asset
from firesat.sandbox.servers.span import in_seasons
from firesat.sandbox.world import World

Fields = dict[Parameter, NDArray[np.float32]]
_KINDS = {"grib": "application/x-grib", "nc": "application/netcdf", "zip": "application/zip"}


def make(world: World, data_set: DataSet, request: Json) -> Asset:
    """Make the file that a request asks for.

    Parameters
    ----------
    world : World
        What is observed.
    data_set : DataSet
        Where it is asked.
    request : dict
        Normalised.

    Returns
    -------
    Asset
        GRIB, NetCDF or a zip. NetCDF comes zipped whenever instants and accumulations are mixed,
        whatever was asked.

    Raises
    ------
    ProviderError
        If the world has nothing for these dates.
    """
    asked = data_set.times(request)
    times = asked[in_seasons(world, asked)]
    if not len(times):
        raise ProviderError(
            "MultiAdaptorNoDataError: no data is available within your requested subset"
        )
    grid = data_set.grid(request)
    parameters = data_set.chosen(request)
    observed = data_set.observe(world, [each.name for each in parameters], times, grid)
    fields = {each: observed[each.name] for each in parameters}
    versions = data_set.versions(world, times)
    members = _members(data_set, request, fields, (times, grid, versions))
    text = json.dumps([data_set.name, request], sort_keys=True)
    stem = hashlib.sha256(text.encode()).hexdigest()[:32]
    if len(members) > 1 or request["download_format"] == ["zip"]:
        return _asset(stem, "zip", encode_zip(members))
    name, body = next(iter(members.items()))
    return _asset(stem, name.rpartition(".")[2], body)


def _members(
    data_set: DataSet,
    request: Json,
    fields: Fields,
    where: tuple[NDArray[np.datetime64], LatLonGrid, NDArray[np.int64] | None],
) -> dict[str, bytes]:
    """The files of an answer, by name."""
    if request["data_format"] == ["grib"]:
        times, grid, versions = where
        body = encode_grib(fields, times, grid, forecast=data_set.forecast, versions=versions)
        return {"data.grib": body}
    kinds: dict[str, Fields] = {"instant": {}, "accum": {}}
    for parameter, values in fields.items():
        kinds["accum" if parameter.accumulated else "instant"][parameter] = values
    used = {kind: some for kind, some in kinds.items() if some}
    if len(used) == 1:
        return {"data_0.nc": encode_netcdf(fields, *where)}
    return {
        f"data_stream-oper_stepType-{kind}.nc": encode_netcdf(some, *where)
        for kind, some in used.items()
    }


def _asset(stem: str, ending: str, body: bytes) -> Asset:
    """A file under a name of its own."""
    return Asset(name=f"{stem}.{ending}", kind=_KINDS[ending], body=body)
