"""Numbers in another unit, scale or offset than their file says: G2 of the matrix of faults.

What a band's range can tell is refused; what it cannot, such as an offset of 0.1 of reflectance or
metres of rain taken for millimetres, is why offsets and units are read from each file and never
guessed. No failure in 30 tries bounds the rate at 10 % with 95 % confidence.
"""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.bands import BANDS, check
from firesat.errors import BandError, CorruptFileError
from firesat.jobs.ingest.layers import onto
from firesat.sources._netcdf import read_netcdf
from firesat.sources.era5 import Era5Land
from firesat.sources.modis import Modis
from tests.sources.small import first_block
from tests.sources.test_calendars import TIMES, grid, written
from tests.sources.test_modis import vegetation, write_hdf

WRONG = {
    "t2m in C": ("t2m", (-5.0, 24.0)), "t2m in F": ("t2m", (23.0, 75.0)),
    "t2m packed": ("t2m", (26_800.0, 29_700.0)), "t2m_max in C": ("t2m_max", (9.0, 31.0)),
    "t2m_min in C": ("t2m_min", (-9.0, 11.0)), "t2m_noon in C": ("t2m_noon", (2.0, 29.0)),
    "skt in C": ("skt", (-3.0, 41.0)), "skt twice K": ("skt", (543.3, 587.0)),
    "lst_day in C": ("lst_day", (3.0, 38.0)), "lst_day unscaled": ("lst_day", (13_800.0, 15_600.0)),
    "lst_night in C": ("lst_night", (-7.0, 12.0)), "rh over 100": ("rh", (2100.0, 9700.0)),
    "rh negative": ("rh", (-9.0, 80.0)), "vp in Pa": ("vp", (410.0, 1900.0)),
    "ws in mm s-1": ("ws", (300.0, 9000.0)), "ws negative": ("ws", (-6.0, 7.0)),
    "tp in um": ("tp", (0.0, 12_000.0)), "tp negative": ("tp", (-30.0, 4.0)),
    "swvl1 in %": ("swvl1", (11.0, 46.0)), "sd in mm": ("sd", (0.0, 310.0)),
    "ndvi unscaled": ("ndvi", (1200.0, 8800.0)), "evi x 10": ("evi", (1.1, 6.2)),
    "fpar in %": ("fpar", (12.0, 93.0)), "lai unscaled": ("lai", (3.0, 61.0)),
    "reflectance unscaled": ("B04", (400.0, 2500.0)), "offset twice": ("B12", (-0.11, 0.2)),
    "ffmc in thousands": ("ffmc", (55_000.0, 91_000.0)),
    "elevation in cm": ("elevation", (2e4, 9e5)),
    "water in %": ("water", (0.0, 100.0)), "slope in %": ("slope", (0.0, 140.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"G2-{case}")
def test_another_unit_scale_or_offset_leaves_the_band_s_range(case: str) -> None:
    name, (low, high) = WRONG[case]
    values = np.linspace(low, high, 20, dtype="float32").reshape(4, 5)
    layer = xr.DataArray(values, dims=("y", "x"), attrs={"units": BANDS[name].units})
    with pytest.raises(BandError, match=f"{name} holds .* wrong unit, scale or offset"):
        check(layer, name)


def test_thirty_cases_are_thirty() -> None:
    assert len(WRONG) == 30


def test_a_file_that_calls_celsius_kelvin_is_refused_where_it_is_read(tmp_path: Path) -> None:
    made = grid(TIMES, np.full((6, 2, 3), 17.0), ("time", "latitude", "longitude"))
    source = Era5Land()
    block = first_block(source)
    read = source.read(written(tmp_path / "x.nc", made))
    with pytest.raises(BandError, match="t2m holds 17 to 17 K"):
        onto(read, block, block.times[0])


def test_a_unit_that_the_file_states_is_converted_and_another_refused(tmp_path: Path) -> None:
    made = grid(TIMES, np.full((6, 2, 3), 17.0), ("time", "latitude", "longitude"))
    made["t2m"].attrs["units"] = "degC"
    found = read_netcdf(written(tmp_path / "x.nc", made))
    np.testing.assert_allclose(found["t2m"], 290.15, rtol=1e-6)
    made["t2m"].attrs["units"] = "degF"
    with pytest.raises(CorruptFileError, match="gives t2m in 'degF', not K"):
        read_netcdf(written(tmp_path / "y.nc", made))


def test_a_file_s_own_scale_of_modis_is_not_believed(tmp_path: Path) -> None:
    layers = vegetation(**{"500m 16 days NDVI": np.full((24, 24), 9000, dtype="int16")})
    path = write_hdf(tmp_path / "MOD13A1.A2023177.h12v03.061.2023194001533.hdf", layers)
    from pyhdf.SD import SD, SDC

    file = SD(str(path), SDC.WRITE)
    file.select("500m 16 days NDVI").attr("scale_factor").set(SDC.FLOAT64, 1e-4)  # it multiplies
    file.end()
    np.testing.assert_allclose(Modis().read(path)["ndvi"], 0.9, rtol=1e-6)
