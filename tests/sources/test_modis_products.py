"""MODIS products one by one: view times, burned area, productions, months."""

from pathlib import Path

import numpy as np
import pytest

from firesat.audit.again import TRUTH
from firesat.bands import BANDS, check
from firesat.errors import BandError
from firesat.labels import SCORING_ONLY, VARIABLES
from firesat.samples import Inputs
from firesat.sources._composites import composite_end, first_day
from firesat.sources._modis_products import PRODUCTS
from firesat.sources._productions import newest
from firesat.sources.modis import Modis
from tests.sources.small import first_block
from tests.sources.test_modis import SIZE, write_hdf

SHAPE = (SIZE, SIZE)
LENGTHS = {
    "MOD13A1": 16, "MOD13A2": 16, "MOD11A1": 1, "MOD11A2": 8, "MOD11B2": 8, "MOD15A2H": 8,
    "MCD64A1": 0,
}  # fmt: skip


def test_one_table_says_of_each_layer_what_its_guide_says() -> None:
    """Fill, valid range and scale: user guides of MOD11, MOD13, MOD15 and MCD64 C6.1."""
    facts = {
        each.sds: (*each.valid, each.scale)
        for product in ("MOD11A1", "MOD13A1", "MOD15A2H", "MCD64A1")
        for each in PRODUCTS[product].layers
    }
    assert facts == {
        "LST_Day_1km": (7500, 65_535, 0.02), "LST_Night_1km": (7500, 65_535, 0.02),
        "Day_view_time": (0, 240, 0.1), "Night_view_time": (0, 240, 0.1),
        "500m 16 days NDVI": (-2000, 10_000, 1e-4), "500m 16 days EVI": (-2000, 10_000, 1e-4),
        "Fpar_500m": (0, 100, 0.01), "Lai_500m": (0, 100, 0.1), "Burn Date": (1, 366, 1.0),
    }  # fmt: skip
    assert {name: product.days for name, product in PRODUCTS.items()} == LENGTHS
    for product in PRODUCTS.values():
        for each in product.layers:
            low, high = (edge * each.scale for edge in each.valid)
            known = BANDS[each.variable.name].valid_range
            assert each.value or known[0] <= low <= high <= known[1] + 1e-6


def test_the_hour_of_a_look_is_told_in_local_solar_time(tmp_path: Path) -> None:
    layers = {
        "LST_Day_1km": np.full(SHAPE, 15_000, dtype="uint16"),
        "QC_Day": np.zeros(SHAPE, dtype="uint8"),
        "LST_Night_1km": np.full(SHAPE, 13_500, dtype="uint16"),
        "QC_Night": np.zeros(SHAPE, dtype="uint8"),
        "Day_view_time": np.full(SHAPE, 87, dtype="uint8"),
        "Night_view_time": np.full(SHAPE, 218, dtype="uint8"),
    }
    layers["Day_view_time"][0, :2] = (255, 241)
    path = write_hdf(tmp_path / "MOD11A1.A2026177.h12v03.061.2026178001533.hdf", layers)
    read = Modis(product="MOD11A1").read(path)
    assert np.isnan(read["lst_day_hour"].values[0, :2]).all()
    np.testing.assert_allclose(read["lst_day_hour"].values[1:], 8.7, rtol=1e-6)
    np.testing.assert_allclose(read["lst_night_hour"].values, 21.8, rtol=1e-6)
    assert read["lst_day_hour"].attrs == {"units": "h", "resampling": "nearest"}
    for name in read.data_vars:
        check(read[name], str(name))


def burned(**changed: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "Burn Date": np.zeros(SHAPE, dtype="int16"),
        "Burn Date Uncertainty": np.zeros(SHAPE, dtype="uint8"),
        "QA": np.full(SHAPE, 0b11, dtype="uint8"),
        **changed,
    }


def test_a_burn_date_is_a_day_with_its_uncertainty_and_codes_are_none(tmp_path: Path) -> None:
    layers = burned()
    layers["Burn Date"][0] = 200
    layers["Burn Date Uncertainty"][0, :3] = (0, 3, 40)
    layers["Burn Date"][1, :3] = (-2, -1, 0)  # water, unmapped, unburned
    layers["Burn Date"][2, :4] = 200
    layers["QA"][2, :4] = (0b10, 0b01, 0b111, 0b1011)  # water; too few data; short; relabelled
    path = write_hdf(tmp_path / "MCD64A1.A2024183.h12v03.061.2024250001533.hdf", layers)
    read = {name: v.values for name, v in Modis(product="MCD64A1").read(path).data_vars.items()}
    day = int(np.datetime64("2024-07-18", "D").astype(int))  # the 200th of a leap year
    assert read["burn_day"][0, :3].tolist() == [day] * 3
    assert read["earliest"][0, :3].tolist() == [day, day - 3, day - 40]
    assert read["latest"][0, :3].tolist() == [day, day + 3, day + 40]
    np.testing.assert_array_equal(read["fraction"][1, :3], [np.nan, np.nan, 0.0])
    assert np.isnan(read["burn_day"][1]).all()
    np.testing.assert_array_equal(read["fraction"][2, :4], [np.nan, np.nan, 1.0, 1.0])
    assert read["fraction"][0].tolist() == [1.0] * SIZE


def test_burned_area_comes_by_the_month_and_known_two_months_later() -> None:
    source = Modis(product="MCD64A1")
    days = np.arange(np.datetime64("2023-06-29"), np.datetime64("2023-08-02"))
    assert source.times(days).astype(str).tolist() == ["2023-06-01", "2023-07-01", "2023-08-01"]
    assert str(composite_end(np.datetime64("2023-12-01"), 0)) == "2024-01-01"
    assert str(first_day("2024366")) == "2024-12-31"
    assert first_block(source).times[0] == np.datetime64("2023-07-01")
    assert float(source.layout.attrs["latency_hours"]) == 60 * 24


@pytest.mark.parametrize("name", ["burn_day", "fraction", "earliest", "latest"])
def test_burned_area_cannot_be_asked_for_as_an_input(name: str) -> None:
    with pytest.raises(BandError, match=f"MODIS has no band '{name}'"):
        Inputs(modis=(name,))


def test_the_audit_knows_burned_area_as_a_truth_by_group_and_by_name() -> None:
    layout = Modis(product="MCD64A1").layout
    assert layout.group in TRUTH
    assert {each.name for each in layout.variables} <= {*VARIABLES, *SCORING_ONLY}


def test_the_newest_production_wins_and_remembers_the_others() -> None:
    stem, more = "MOD13A1.A2023177.h12v03.061", "MOD13A1.A2023193.h12v03.061"
    listed = [
        (f"{stem}.{made}", made) for made in ("2023194001533", "2024003120000", "2023200000000")
    ]
    others = [(f"{more}.2025001000000", "x"), ("MOD13A2.A2023177.h12v03.061.2023194001533", "y"),
              (f"{stem.replace('v03', 'v04')}.2025001000000", "z"), ("nonsense", "")]  # fmt: skip
    (found,) = newest([*listed, *others], "MOD13A1", "2023177", {(12, 3)})
    assert (found.name, found.url) == (f"{stem}.2024003120000", "2024003120000")
    assert found.older == (f"{stem}.2023194001533", f"{stem}.2023200000000")
