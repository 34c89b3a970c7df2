import numpy as np
import pytest
import xarray as xr

from firesat.bands import BANDS, SENTINEL2_BANDS, band, check, check_names
from firesat.errors import BandError


def test_names_are_keys_and_ranges_are_ordered() -> None:
    for name, entry in BANDS.items():
        assert entry.name == name
        assert entry.valid_range[0] < entry.valid_range[1]
        assert entry.attrs["units"] == entry.units
    assert len(SENTINEL2_BANDS) == 13
    assert set(SENTINEL2_BANDS) <= set(BANDS)


def test_an_unknown_band_gets_the_nearest_names() -> None:
    with pytest.raises(BandError, match="did you mean t2m"):
        band("t2mm")
    with pytest.raises(BandError, match="did you mean"):
        band("zzzzzz")


def test_a_source_without_the_band_is_named() -> None:
    check_names(["ndvi"], ["ndvi", "evi"], "modis_vi")
    with pytest.raises(BandError, match="modis_vi has no band 'ndwi': did you mean ndvi"):
        check_names(["ndwi"], ["ndvi", "evi"], "modis_vi")
    with pytest.raises(BandError, match="it has ndvi, evi"):
        check_names(["q"], ["ndvi", "evi"], "modis_vi")


def test_kelvin_under_the_name_of_a_band_in_kelvin_passes() -> None:
    check(xr.DataArray([280.0, np.nan], attrs={"units": "K"}), "t2m")
    check(xr.DataArray([np.nan]), "t2m")


def test_wrong_units_and_wrong_scales_are_refused() -> None:
    with pytest.raises(BandError, match="t2m comes in degC, its Band says K"):
        check(xr.DataArray([12.0], attrs={"units": "degC"}), "t2m")
    with pytest.raises(BandError, match=r"t2m holds 12 to 12 K, possible is 180 to 335"):
        check(xr.DataArray([12.0]), "t2m")
    with pytest.raises(BandError, match="wrong unit, scale or offset"):
        check(xr.DataArray([0.3, 7000.0]), "B04")
