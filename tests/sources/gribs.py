"""GRIB messages made by ecCodes, the way reanalysis comes."""

from typing import Any

import eccodes
import numpy as np

LATITUDES = np.round(55.6 - 0.1 * np.arange(6), 6)
LONGITUDES = np.round(-95.0 + 0.1 * np.arange(8), 6)
PARAMETERS = {"t2m": 167, "d2m": 168, "skt": 235, "u10": 165, "v10": 166, "tp": 228,
              "swvl1": 39, "sd": 141}  # fmt: skip


def grib_message(
    values: np.ndarray,
    moment: np.datetime64,
    *,
    parameter: int = 167,
    edition: int = 1,
    bits: int = 16,
    step: int = 0,
    keys: dict[str, Any] | None = None,
) -> bytes:
    """One field on the small grid, valid `step` hours after `moment`; NaN = missing."""
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    text = str(moment.astype("datetime64[h]"))
    settings = {
        "centre": "ecmf",
        "Ni": len(LONGITUDES),
        "Nj": len(LATITUDES),
        "latitudeOfFirstGridPointInDegrees": LATITUDES[0],
        "latitudeOfLastGridPointInDegrees": LATITUDES[-1],
        "longitudeOfFirstGridPointInDegrees": LONGITUDES[0] % 360,
        "longitudeOfLastGridPointInDegrees": LONGITUDES[-1] % 360,
        "iDirectionIncrementInDegrees": 0.1,
        "jDirectionIncrementInDegrees": 0.1,
        "dataDate": int(text[:10].replace("-", "")),
        "dataTime": int(text[11:13]) * 100,
        "paramId": parameter,
        "missingValue": 9999.0,
        **(keys or {}),
    }
    for key, value in settings.items():
        eccodes.codes_set(handle, key, value)
    if eccodes.codes_get(handle, "edition") == 2 and parameter == PARAMETERS["tp"]:
        eccodes.codes_set(handle, "stepRange", f"0-{step}")
    elif step:
        eccodes.codes_set(handle, "stepRange", step)
    eccodes.codes_set(handle, "bitmapPresent", int(np.isnan(values).any()))
    eccodes.codes_set(handle, "bitsPerValue", bits)
    eccodes.codes_set_values(handle, np.nan_to_num(values, nan=9999.0).ravel().astype("float64"))
    message: bytes = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


def raw_values(message: bytes) -> np.ndarray:
    """What ecCodes decodes, NaN where missing."""
    handle = eccodes.codes_new_from_message(message)
    eccodes.codes_set(handle, "missingValue", 1e34)
    values = eccodes.codes_get_values(handle)
    eccodes.codes_release(handle)
    return np.where(values == 1e34, np.nan, values)
