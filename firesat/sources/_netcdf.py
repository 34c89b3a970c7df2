"""NetCDF weather files, whose names, dims and units differ from service to service."""

from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.errors import CorruptFileError
from firesat.sources._declared import refuse_larger
from firesat.sources._layers import georeferenced

# One spelling for what the stores call by many names: ECMWF short names on the right.
_NAMES = {
    "lat": "latitude", "lon": "longitude",
    "tas": "t2m", "tdps": "d2m", "uas": "u10", "vas": "v10", "sfcWind": "ws", "hurs": "rh",
    "pr": "tp", "swe": "sd",
}  # fmt: skip
# (wanted, found): factor, offset.
_UNITS = {
    **dict.fromkeys((("K", "kelvin"), ("K", "Kelvin")), (1.0, 0.0)),
    **{("K", name): (1.0, 273.15) for name in ("degC", "C", "celsius", "Celsius", "degrees_C")},
    ("m", "mm"): (1e-3, 0.0),
    ("m", "kg m-2"): (1e-3, 0.0),
    ("m", "m of water equivalent"): (1.0, 0.0),
    ("%", "1"): (100.0, 0.0),
    ("%", ""): (100.0, 0.0),
    ("m s-1", "km h-1"): (1 / 3.6, 0.0),
}
_WANTED = {
    "t2m": "K", "d2m": "K", "skt": "K", "u10": "m s-1", "v10": "m s-1", "ws": "m s-1",
    "rh": "%", "tp": "m", "sd": "m", "swvl1": "m3 m-3",
}  # fmt: skip
_FLUX = ("kg m-2 s-1", "kg m**-2 s**-1")
_UNUSED = ("number", "surface", "step")
_INCREMENT = "GRIB_{}DirectionIncrementInDegrees"  # the Climate Data Store's converter notes it
_CELL = 0.25  # degrees: of ERA5, where nothing tells
_AXES = ("time", "latitude", "longitude")
FINAL, PRELIMINARY = 1, 5  # ERA5's expver: consolidated, and as first published (ERA5T)


def read_netcdf(path: Path) -> xr.Dataset:
    """Read a NetCDF weather file, classic or HDF5.

    Parameters
    ----------
    path : Path
        Gridded in degrees, or a series of places.

    Returns
    -------
    xr.Dataset
        float32 variables under ECMWF's short names (``t2m``, ``tp``, ...) in ``K``, ``m s-1``,
        ``%`` and ``m`` of water; a precipitation flux becomes the water of one time step. Dims
        ``(time, y, x)``, north up, longitudes from -180, with a CRS; places keep the file's dims.
        Where the file tells consolidated from preliminary values, each step has the former if it
        is there, and a coordinate ``expver (time)`` says which: 1 consolidated, 5 preliminary.

    Raises
    ------
    CorruptFileError
        If it cannot be read or declares more than it can hold, its times are not of a real
        calendar, or a unit is unknown.
    """
    with path.open("rb") as file:
        newer = file.read(4) == b"\x89HDF"
    engine: Literal["h5netcdf", "netcdf4"] = "h5netcdf" if newer else "netcdf4"
    try:
        _check_size(path, engine)
        with xr.open_dataset(path, engine=engine) as opened:
            dataset = opened.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # HDF5 has all of these
        raise CorruptFileError(
            f"{path} cannot be read as NetCDF ({error}): delete it and run the command again"
        ) from error
    dataset = _by_valid_time(dataset)
    dataset = dataset.rename({old: new for old, new in _NAMES.items() if old in dataset.variables})
    if "time" not in dataset.coords or dataset["time"].dtype.kind != "M":
        raise CorruptFileError(f"{path} has no time axis of the Gregorian calendar: convert it")
    dataset = dataset.drop_vars([name for name in _UNUSED if name in dataset.variables])
    dataset = _versions_merged(dataset)
    kept = [name for name in dataset.data_vars if "time" in dataset[name].dims]
    dataset = dataset[kept].assign({name: _converted(dataset[name], path) for name in kept})
    return _on_grid(dataset)


def _by_valid_time(dataset: xr.Dataset) -> xr.Dataset:
    """One axis ``time`` of valid times; beside them some services tell runs and steps."""
    name = "valid_time" if "valid_time" in dataset.variables else "time"
    if name not in dataset.variables:
        return dataset
    axes = dataset[name].dims
    others = [each for each in ("time", "step") if each in dataset.variables and each != name]
    if not axes:
        wide = [each for each in dataset.data_vars if dataset[each].ndim > 1]
        return dataset[wide].drop_vars(others).expand_dims(name).rename({name: "time"})
    if axes != (name,):
        stacked = dataset.stack(moment=axes, create_index=False)
        dataset = stacked.drop_vars(others, errors="ignore").swap_dims(moment=name)
    else:
        dataset = dataset.drop_vars(others)
    return dataset.rename({name: "time"}) if name != "time" else dataset


def _check_size(path: Path, engine: Literal["h5netcdf", "netcdf4"]) -> None:
    """Refuse arrays, or chunks that are unpacked whole, that such a file cannot hold."""
    with xr.open_dataset(
        path, engine=engine, decode_cf=False, create_default_indexes=False
    ) as header:
        refuse_larger(path, sum(float(each.nbytes) for each in header.variables.values()), "arrays")
        for each in header.variables.values():
            chunk = np.prod(each.encoding.get("chunksizes") or (1,), dtype="float64")
            refuse_larger(path, chunk * each.dtype.itemsize, "chunks")


def _versions_merged(dataset: xr.Dataset) -> xr.Dataset:
    """One value for each step of a file that mixes consolidated and preliminary ones."""
    if "expver" not in dataset.variables:
        return dataset
    if "expver" not in dataset.dims:
        versions = dataset["expver"].astype(str).str.strip().astype("int64")
        plain = dataset.drop_vars("expver")
        if versions.dims not in ((), ("time",)):
            return plain
        return plain.assign_coords(expver=versions.broadcast_like(dataset["time"]))
    numbered = dataset.assign_coords(expver=dataset["expver"].astype(str).astype("int64"))
    final, first = (_version(numbered, number) for number in (FINAL, PRELIMINARY))
    merged = final.combine_first(first)
    dims = [dim for dim in numbered.dims if dim not in ("time", "expver")]
    names = [name for name in final.data_vars if "time" in final[name].dims]
    there = final[names].to_array().notnull().any(["variable", *dims])
    versions = PRELIMINARY + (FINAL - PRELIMINARY) * there.astype("int64")
    return merged.assign_coords(expver=versions)


def _version(dataset: xr.Dataset, number: int) -> xr.Dataset:
    """A version of all values; NaN where the file has none of it."""
    whole: xr.Dataset = dataset.reindex(expver=[number]).isel(expver=0, drop=True)
    return whole


def _converted(variable: xr.DataArray, path: Path) -> xr.DataArray:
    """The variable in the unit that its name stands for."""
    found = str(variable.attrs.get("units", "")).replace("**", "")
    wanted = _WANTED.get(str(variable.name), found)
    if found in _FLUX and wanted == "m":
        factor, offset = _seconds_per_step(variable) / 1000.0, 0.0
    elif found == wanted:
        factor, offset = 1.0, 0.0
    elif (wanted, found) in _UNITS:
        factor, offset = _UNITS[wanted, found]
    else:
        raise CorruptFileError(f"{path} gives {variable.name} in {found!r}, not {wanted}: convert")
    values = variable.astype("float64") * factor + offset
    return values.astype("float32").assign_attrs(variable.attrs | {"units": wanted})


def _seconds_per_step(variable: xr.DataArray) -> float:
    """Length of a time step."""
    steps = np.diff(np.unique(variable["time"].values)).astype("timedelta64[s]").astype("float64")
    return float(np.median(steps)) if steps.size else 86_400.0


def _on_grid(dataset: xr.Dataset) -> xr.Dataset:
    """Give a gridded file rows from the north, columns from -180, and a CRS."""
    if not {"latitude", "longitude"} <= set(dataset.dims):
        return dataset
    longitude = (dataset["longitude"] + 180) % 360 - 180
    if not _crosses_date_line(longitude.values):
        dataset = dataset.assign_coords(longitude=longitude).sortby("longitude")
    dataset = dataset.sortby("latitude", ascending=False)
    y, x = dataset["latitude"].values.astype(float), dataset["longitude"].values.astype(float)
    dx, dy = _steps(dataset, x, y)
    affine = Affine(dx, 0, x[0] - dx / 2, 0, -dy, y[0] + dy / 2)
    cells = GeoBox((len(y), len(x)), affine, "EPSG:4326")
    single = [dim for dim, size in dataset.sizes.items() if size == 1 and dim not in _AXES]
    plain = dataset.squeeze(single, drop=True).rename({"latitude": "y", "longitude": "x"})
    moved = plain.transpose("time", ..., "y", "x")
    return georeferenced({str(name): moved[name] for name in moved.data_vars}, cells)


def _steps(
    dataset: xr.Dataset, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, float]:
    """Width and height of a cell; a single column or row is as wide as the file says, or square."""
    noted = {
        axis: each.attrs[_INCREMENT.format(axis)]
        for axis in ("i", "j")
        for each in dataset.data_vars.values()
        if _INCREMENT.format(axis) in each.attrs
    }
    dx = (x[-1] - x[0]) / (len(x) - 1) if len(x) > 1 else noted.get("i")
    dy = (y[0] - y[-1]) / (len(y) - 1) if len(y) > 1 else noted.get("j")
    return float(dx or dy or _CELL), float(dy or dx or _CELL)


def _crosses_date_line(longitude: NDArray[np.float64]) -> bool:
    """Whether a regional grid runs over 180 degrees, where its longitudes must not be cut."""
    gaps = np.diff(np.sort(longitude))
    return bool(gaps.size and gaps.max() > 1.5 * gaps.min() and gaps.max() < 350)
