"""MODIS composites: ranges, seasons, gaps."""

from datetime import date

import numpy as np
import pytest

from firesat.errors import ConfigError
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.observe import modis
from firesat.sandbox.world import World

JULY = date(2023, 7, 12)


def means(world: World, product: str, name: str, *days: date) -> list[float]:
    return [float(np.nanmean(modis.composite(world, product, day)[name])) for day in days]


@pytest.mark.parametrize(
    ("product", "names", "size"),
    [
        ("MOD13A1", {"ndvi", "evi"}, 40),
        ("MOD15A2H", {"lai", "fpar"}, 40),
        ("MOD11A2", {"lst_day", "lst_night"}, 20),
        ("MOD11A1", {"lst_day", "lst_night"}, 20),
    ],
)
def test_a_composite_has_its_fields_on_its_cells(
    small_world: World, product: str, names: set[str], size: int
) -> None:
    fields = modis.composite(small_world, product, JULY)
    assert set(fields) == names | {"quality"}
    assert {field.shape for field in fields.values()} == {(size, size)}
    assert {field.dtype for field in fields.values()} == {np.dtype("float32")}
    assert set(np.unique(fields["quality"])) <= {0.0, 1.0, 2.0}
    main = fields[min(names)]
    np.testing.assert_array_equal(np.isnan(main), fields["quality"] == 2)


def test_vegetation_greens_toward_july(small_world: World) -> None:
    april, may, july = means(
        small_world, "MOD13A1", "ndvi", date(2023, 4, 7), date(2023, 5, 9), JULY
    )
    assert april < may < july
    assert 0.4 < july < 0.9


def test_water_has_no_leaves(small_world: World) -> None:
    water = (small_world.landscape.cover == Cover.WATER).reshape(40, 5, 40, 5).mean((1, 3))
    fields = modis.composite(small_world, "MOD13A1", JULY)
    assert np.nanmean(fields["ndvi"][water == 1]) < 0 < np.nanmean(fields["ndvi"][water == 0])
    leaves = modis.composite(small_world, "MOD15A2H", JULY)
    assert np.nanmax(leaves["lai"][water == 1]) < 0.3


def test_days_are_warmer_than_nights_and_july_than_april(small_world: World) -> None:
    fields = modis.composite(small_world, "MOD11A2", JULY)
    assert np.nanmean(fields["lst_day"]) > np.nanmean(fields["lst_night"]) + 4
    april, july = means(small_world, "MOD11A2", "lst_day", date(2023, 4, 7), JULY)
    assert july > april + 12
    assert 275 < july < 315


def test_single_days_have_gaps_that_eight_days_fill(small_world: World) -> None:
    days = [date(2023, 6, day) for day in range(10, 26)]
    gaps = [(modis.composite(small_world, "MOD11A1", day)["quality"] == 2).mean() for day in days]
    eight = (modis.composite(small_world, "MOD11A2", days[0])["quality"] == 2).mean()
    assert 0.1 < np.mean(gaps) < 0.9
    assert eight < np.mean(gaps[:8])


def test_burned_area_is_dated_by_the_first_clear_look_after_the_fire(small_world: World) -> None:
    hours = small_world.season(2023).burn_hour.reshape(40, 5, 40, 5)
    share = np.isfinite(hours).mean((1, 3))
    months = [modis.composite(small_world, "MCD64A1", date(2023, m, 1)) for m in range(5, 10)]
    dated = np.stack([month["burn_date"] for month in months])
    burned = (dated > 0).any(axis=0)
    assert ((dated > 0).sum(axis=0) <= 1).all()  # a cell burns in one month
    assert (share[burned] >= 0.5).all()
    assert burned.sum() > 0.7 * (share >= 0.5).sum() > 10  # a few are lost to clouds
    counted = np.isfinite(hours).sum((1, 3))[burned]
    day = 121 + np.nansum(hours, (1, 3))[burned] / counted / 24  # since 1 May, 00 UTC
    found = dated.max(axis=0)[burned]
    error = np.stack([month["uncertainty"] for month in months]).max(axis=0)[burned]
    assert (day <= found + 0.71).all()  # Terra passes there at 16.8 UTC
    assert (day >= found - error + 0.69).all()
    assert (months[2]["quality"] == 1).any()  # water


def test_what_is_not_served_is_refused(small_world: World) -> None:
    with pytest.raises(ConfigError, match="no MODIS product 'MCD45A1'"):
        modis.composite(small_world, "MCD45A1", JULY)
    with pytest.raises(ConfigError, match="no 1999"):
        modis.composite(small_world, "MOD13A1", date(1999, 7, 12))
