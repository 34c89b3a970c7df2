"""Weather files by what they are, and the physics of moisture and wind."""

from collections.abc import Iterator
from functools import lru_cache, partial, reduce
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from firesat.errors import CorruptFileError
from firesat.sources._grib import read_grib
from firesat.sources._grib_parts import read_grib_parts
from firesat.sources._netcdf import read_netcdf
from firesat.sources._zips import extract, members, reading

Field = NDArray[np.float32]

_SUFFIXES = (".nc", ".nc4", ".grib", ".grb", ".grib2", ".grb2")
_SAME_PLACE = 1e-4  # degrees: a thousandth of a cell; converters round coordinates differently
_SURFACE = ("t2m", "d2m", "skt", "u10", "v10", "si10", "r2", "tp", "swvl1", "sd", "p0_1_8")


def open_weather(path: Path) -> xr.Dataset:
    """Read a weather file by its first bytes, not its name: services answer with what they like.

    Parameters
    ----------
    path : Path
        GRIB, NetCDF, or a zip archive of these.

    Returns
    -------
    xr.Dataset
        Dims ``(time, ..., y, x)``, ECMWF short names, valid times in UTC, NaN where missing.

    Raises
    ------
    CorruptFileError
        If it is neither, or damaged.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"GRIB"):
        return read_grib(path)
    if start.startswith((b"\x89HDF", b"CDF")):
        return read_netcdf(path)
    if start.startswith(b"PK"):
        return _open_zip(path)
    raise CorruptFileError(
        f"{path} is neither GRIB, NetCDF nor zip; it starts with {start!r}: delete it and run the "
        "command again"
    )


def dims_of(raw: xr.Dataset, path: Path) -> tuple[str, ...]:
    """Give the dimensions that all quantities wanted share.

    Parameters
    ----------
    raw : xr.Dataset
        What :func:`open_weather` gives.
    path : Path
        The file.

    Returns
    -------
    tuple of str
        Empty where there is none of them.

    Raises
    ------
    CorruptFileError
        If some have levels or members, and others not.
    """
    kinds = {tuple(map(str, raw[name].dims)) for name in _SURFACE if name in raw.data_vars}
    if len(kinds) > 1:
        words = " and ".join("(" + ", ".join(each) + ")" for each in sorted(kinds))
        raise CorruptFileError(
            f"{path} holds quantities along {words}, levels or members of some only: fetch the "
            "surface"
        )
    return next(iter(kinds), ())


def weather_parts(path: Path) -> Iterator[xr.Dataset]:
    """Read a weather file part by part, as far as its format allows.

    Parameters
    ----------
    path : Path
        As for :func:`open_weather`.

    Yields
    ------
    xr.Dataset
        GRIB: the messages of six hours, in order of time; other files whole.

    Raises
    ------
    CorruptFileError
        If it is neither, or damaged.
    """
    with path.open("rb") as file:
        grib = file.read(4) == b"GRIB"
    if grib:
        yield from read_grib_parts(path)
    else:
        yield open_weather(path)


def _open_zip(path: Path) -> xr.Dataset:
    """Merge the members of an archive; stores split what is instantaneous from what accumulates."""
    parts = []
    with TemporaryDirectory() as folder:
        for number, member in enumerate(members(path, _SUFFIXES)):
            part = Path(folder) / f"{number}{PurePosixPath(member).suffix}"
            extract(path, member, part)
            with reading(path, member):
                parts.append(_open_member(part))
    if not parts:
        raise CorruptFileError(f"{path} holds no weather file: delete it and run the command again")
    return reduce(partial(_joined, path), parts)


def _joined(path: Path, whole: xr.Dataset, part: xr.Dataset) -> xr.Dataset:
    """Two members in one: other quantities, or other times of the same cells."""
    axes = [axis for axis in ("y", "x") if axis in whole.dims or axis in part.dims]
    for axis in axes:
        one, other = (np.asarray(each.get(axis, np.empty(0))) for each in (whole, part))
        if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=_SAME_PLACE):
            raise CorruptFileError(
                f"{path} holds fields of different cells: unpack it and give one member"
            )
    placed = part.assign_coords({axis: whole[axis] for axis in axes})
    # as a variable: of coordinates that differ combine_first keeps none
    with_versions = [each.reset_coords("expver") if "expver" in each.coords else each
                     for each in (whole, placed)]  # fmt: skip
    joined = with_versions[0].combine_first(with_versions[1])
    return joined.set_coords("expver") if "expver" in joined else joined


def _open_member(path: Path) -> xr.Dataset:
    """Read a member, which is no archive itself: of those there may be many inside each other."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise CorruptFileError(f"{path} is an archive in an archive: unpack it")
    return open_weather(path)


def vapour_pressure(dewpoint: Field) -> Field:
    """Compute the pressure of water vapour from the dew point, over water.

    Tetens' formula with the constants of the model that made the data: IFS documentation, part IV,
    equation 7.5 (Buck 1981, over water), valid to within 0.3 % from 230 to 320 K.

    Parameters
    ----------
    dewpoint : ndarray of float
        Kelvin; the air temperature gives the saturation pressure instead.

    Returns
    -------
    ndarray of float32
        hPa.
    """
    celsius_like = (dewpoint - 273.16) / (dewpoint - 32.19)
    pressure: Field = (6.1121 * np.exp(17.502 * celsius_like)).astype("float32")
    return pressure


def relative_humidity(temperature: Field, dewpoint: Field) -> Field:
    """Compute relative humidity over water, as the fire weather index wants it in frost too.

    Parameters
    ----------
    temperature : ndarray of float
        Air temperature in Kelvin.
    dewpoint : ndarray of float
        Dew point in Kelvin.

    Returns
    -------
    ndarray of float32
        Per cent, 0 to 100.
    """
    ratio = vapour_pressure(dewpoint) / vapour_pressure(temperature)
    humidity: Field = np.clip(100 * ratio, 0, 100).astype("float32")
    return humidity


def fill_sea(field: Field) -> Field:
    """Give cells without land the value of the nearest land, lest the coast erode when resampled.

    Parameters
    ----------
    field : ndarray of float, shape (..., Y, X)
        NaN over sea, at the same cells in all leading axes.

    Returns
    -------
    ndarray of float, shape (..., Y, X)
        Without NaN, unless there is no land at all.
    """
    flat = field.reshape(-1, *field.shape[-2:])
    sea = np.isnan(flat).all(axis=0)
    if not sea.any() or sea.all():
        return field
    rows, columns = _nearest_land(np.packbits(sea).tobytes(), *sea.shape)
    filled: Field = field.copy()
    filled[..., sea] = field[..., rows, columns]
    return filled


@lru_cache(maxsize=4)  # a file's quantities and days lie over the same sea
def _nearest_land(packed: bytes, height: int, width: int) -> tuple[NDArray[np.intp], ...]:
    """Row and column of the land nearest to each point of the sea."""
    count = height * width
    sea = np.unpackbits(np.frombuffer(packed, "uint8"), count=count).reshape(height, width) > 0
    nearest = distance_transform_edt(sea, return_distances=False, return_indices=True)
    return tuple(axis[sea] for axis in nearest)
