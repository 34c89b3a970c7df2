"""The Fire Weather Index over a season, beside xclim's kernels."""

import warnings

import numpy as np
import xarray as xr

from benchmarks.timing import Timing, interleaved
from firesat import fwi

SHAPE = (120, 256, 256)  # days, y, x
AGREEMENT = 0.5  # FWI units: xclim keeps the older constant of the FFMC conversion


def season() -> list[Timing]:
    """Ours and xclim's on the same weather, noon values, no start-up logic."""
    rng = np.random.default_rng(0)
    temp = rng.normal(18, 6, SHAPE).clip(-5, 38)
    rh = rng.uniform(20, 95, SHAPE)
    wind = rng.gamma(2, 6, SHAPE)
    rain = np.where(rng.random(SHAPE) < 0.25, rng.gamma(1.2, 5, SHAPE), 0.0)
    months = (
        np.arange("2021-05-01", "2021-08-29", dtype="datetime64[D]").astype("M8[M]").astype(int)
        % 12
        + 1
    )
    latitude = np.full(SHAPE[1:], 55.0)

    def ours() -> np.ndarray:
        codes, _ = fwi.series(
            fwi.start(SHAPE[1:]),
            temp=temp, rh=rh, ws=wind, prec=rain, month=months, latitude=latitude,
        )  # fmt: skip
        return codes.fwi

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xclim warns of its own dependencies at import
        from xclim.indices.fire import fire_weather_ufunc

    dims = ("time", "y", "x")
    days = np.arange("2021-05-01", "2021-08-29", dtype="datetime64[D]").astype("datetime64[ns]")

    def field(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=dims, coords={"time": days})

    weather = {
        "tas": field(temp), "hurs": field(rh), "sfcWind": field(wind), "pr": field(rain),
        "lat": xr.DataArray(latitude, dims=dims[1:]),
    }  # fmt: skip
    before = {
        name: xr.DataArray(np.full(SHAPE[1:], value), dims=dims[1:])
        for name, value in (("ffmc0", 85.0), ("dmc0", 6.0), ("dc0", 15.0))
    }

    def theirs() -> np.ndarray:
        codes = fire_weather_ufunc(
            **weather, **before, indexes=["DC", "DMC", "FFMC", "ISI", "BUI", "FWI"]
        )
        return codes["FWI"].transpose(*dims).values

    difference = float(np.abs(ours() - theirs()).max())
    timings = interleaved({"firesat.fwi.series": ours, "xclim fire_weather_ufunc": theirs})
    note = f"largest difference {difference:.3f} FWI" + (
        "" if difference <= AGREEMENT else " (DIFFERENT ANSWER)"
    )
    return [timings[0], Timing(**{**vars(timings[1]), "note": note})]
