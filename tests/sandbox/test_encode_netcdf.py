"""NetCDF in the form of the Climate Data Store."""

import io

import numpy as np
import xarray as xr

from firesat.sandbox.encode.latlon import LatLonGrid
from firesat.sandbox.encode.netcdf import encode_netcdf
from firesat.sandbox.encode.parameters import ERA5_LAND

GRID = LatLonGrid(north=55.9, west=-95.1, rows=3, columns=4, step=0.1)


def test_a_file_has_the_names_and_the_companions_of_the_new_store() -> None:
    times = np.datetime64("2023-07-01T00", "h") + np.arange(5) * np.timedelta64(6, "h")
    values = np.random.default_rng(0).normal(280, 5, (5, 3, 4)).astype("float32")
    values[2, 1, 1] = np.nan
    body = encode_netcdf({ERA5_LAND[0]: values}, times, GRID)
    assert body[:4] == b"\x89HDF"
    with xr.open_dataset(io.BytesIO(body), engine="h5netcdf") as found:
        assert found.t2m.dims == ("valid_time", "latitude", "longitude")
        np.testing.assert_array_equal(found.t2m, values)
        np.testing.assert_array_equal(found.valid_time.values.astype("datetime64[h]"), times)
        np.testing.assert_allclose(found.latitude, [55.9, 55.8, 55.7])
        np.testing.assert_allclose(found.longitude, [-95.1, -95.0, -94.9, -94.8])
        assert found.expver.values.tolist() == ["0001"] * 5
        assert found.number.item() == 0
        assert found.t2m.attrs["GRIB_paramId"] == 167
