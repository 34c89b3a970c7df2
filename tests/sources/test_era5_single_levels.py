"""ERA5 on single levels: rain of single hours, its own names and grid, two versions."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest
import xarray as xr

from firesat.blocks import Block
from firesat.errors import ConfigError
from firesat.raster import align
from firesat.sources.commons import Commons, OwnTokens, sharing
from firesat.sources.era5 import Era5Land
from firesat.sources.era5_single_levels import Era5SingleLevels
from firesat.sources.quotas import quota_of
from tests.sources.small import first_block, scene

ERA5 = Era5SingleLevels()
HOUR = np.timedelta64(1, "h")
every = np.arange(np.datetime64("2023-06-30T00"), np.datetime64("2023-07-06T00"), HOUR)
GRID = {"north": 55.5, "west": -95.5, "rows": 6, "columns": 8, "step": 0.25}
NUMBERS = {"t2m": 167, "d2m": 168, "skt": 235, "u10": 165, "v10": 166, "tp": 228, "swvl1": 39,
           "sd": 141}  # fmt: skip


@pytest.fixture
def block() -> Block:
    return first_block(ERA5)


@pytest.fixture
def rain() -> np.ndarray:
    """mm of the hour that ends at each of `every`."""
    return np.random.default_rng(1).gamma(0.3, 2.0, len(every))


def composed(
    source: Any, block: Block, moments: np.ndarray, tp: np.ndarray, **attrs: Any
) -> xr.Dataset:
    names = ("t2m", "skt", "rh", "vp", "ws", "swvl1", "sd")
    series = dict.fromkeys(names, np.ones(len(moments))) | {"tp": tp}
    shape = (len(moments), *block.geobox.shape)
    fields = {
        name: (("time", "y", "x"), np.broadcast_to(values[:, None, None], shape).astype("float32"))
        for name, values in series.items()
    }
    made = xr.Dataset(fields, coords={"time": moments}, attrs=attrs)
    return source.compose([(scene(block, moments[-1], 120.0), made)], block)


def inside(layer: xr.Dataset, name: str) -> np.ndarray:
    """The series of one cell within the region."""
    values = layer[name].values
    row, column = np.argwhere(np.isfinite(values).any(axis=0))[0]
    return values[:, row, column]


@pytest.mark.parametrize("day_start", [12, 0])
def test_rain_of_a_day_is_the_sum_of_24_single_hours(
    block: Block, rain: np.ndarray, day_start: int
) -> None:
    layer = composed(Era5SingleLevels(day_start=day_start), block, every, rain)
    for name, end_hour in (("tp", 24 + day_start), ("tp_noon", 18)):  # noon at 94.7 W is 18 UTC
        for day, found in zip(block.times, inside(layer, name), strict=True):
            end = day.astype("datetime64[h]") + end_hour * HOUR
            wanted = rain[(every > end - 24 * HOUR) & (every <= end)]
            assert len(wanted) == 24
            assert found == pytest.approx(wanted.sum(), rel=1e-5)


def test_both_reanalyses_tell_the_same_rain_each_from_its_own_stamps(
    block: Block, rain: np.ndarray
) -> None:
    midnight = (every - HOUR).astype("datetime64[D]").astype("datetime64[h]")
    since = np.array(
        [rain[(every > m) & (every <= e)].sum() for m, e in zip(midnight, every, strict=True)]
    )
    of_hours = composed(ERA5, block, every, rain)
    accumulated = composed(Era5Land(), replace(block, group="era5_land"), every, since)
    for name in ("tp", "tp_noon"):
        np.testing.assert_allclose(inside(of_hours, name), inside(accumulated, name), rtol=1e-4)
    mistaken = composed(ERA5, block, every, since)  # which is what the two must never be taken for
    assert (inside(mistaken, "tp") > 3 * inside(of_hours, "tp")).all()


def test_a_day_without_one_hour_of_rain_is_missing_and_an_hour_counts_once(
    block: Block, rain: np.ndarray
) -> None:
    holed = np.where(every == np.datetime64("2023-07-02T20", "h"), np.nan, rain)
    again = np.concatenate([every, every[40:60]])  # hours that another file holds, too
    layer = composed(ERA5, block, again, np.concatenate([holed, 100 + rain[40:60]]))
    whole = composed(ERA5, block, every, rain)
    assert np.isnan(inside(layer, "tp")).tolist() == [False, True, False, False]
    # the 24 h to noon of 3 July hold that hour
    assert np.isnan(inside(layer, "tp_noon")).tolist() == [False, False, True, False]
    np.testing.assert_array_equal(inside(layer, "tp")[2:], inside(whole, "tp")[2:])
    assert inside(layer, "tp")[0] == inside(whole, "tp")[0]


def test_packing_noise_never_makes_negative_rain(block: Block) -> None:
    layer = composed(ERA5, block, every, np.full(len(every), -1e-6))
    assert inside(layer, "tp").tolist() == [0.0] * 4


def test_the_final_stream_lies_beside_and_takes_no_preliminary_hour(
    block: Block, rain: np.ndarray
) -> None:
    first = np.datetime64("2023-07-03T12", "h")
    versions = tuple(np.where(every >= first, 5, 1).tolist())
    layer = composed(ERA5, block, every, rain, versions=versions)
    assert inside(layer, "preliminary").tolist() == [0.0, 0.0, 1.0, 1.0]
    final = Era5SingleLevels(stream="final")
    assert (ERA5.layout.group, final.layout.group) == ("era5", "era5_final")
    kept = composed(final, replace(block, group="era5_final"), every, rain, versions=versions)
    assert np.isfinite(inside(kept, "t2m")).tolist() == [True, True, False, False]
    # The last hour of rain of the fire day of 2 July is preliminary already.
    assert np.isfinite(inside(kept, "tp")).tolist() == [True, False, False, False]


def test_requests_are_of_all_hours_in_era5_s_own_words() -> None:
    days = np.arange(np.datetime64("2023-06-29"), np.datetime64("2023-07-03"))
    scenes = ERA5.search(first_block(ERA5, days))
    request = scenes[0].request
    assert [each.request["month"] for each in scenes] == ["06", "07"]
    assert request["product_type"] == ["reanalysis"]
    assert request["time"] == [f"{hour:02d}:00" for hour in range(24)]
    assert {"snow_depth", "total_precipitation"} < set(request["variable"])
    np.testing.assert_array_equal(4 * np.array(request["area"]) % 1, 0)
    land = {each.id for each in Era5Land().search(first_block(Era5Land(), days))}
    assert land.isdisjoint(each.id for each in scenes)  # one cache, no file for both


def test_a_month_is_one_job_and_less_where_an_account_has_less() -> None:
    days = np.arange(np.datetime64("2023-07-02"), np.datetime64("2023-07-31"))
    block = first_block(ERA5, days)
    assert ERA5.cost([block]).largest == 8 * 24 * 31 <= quota_of("cds", {}).fields_per_job
    quota = quota_of("cds", {"cds": {"fields_per_job": 1000}})
    with sharing(Commons(tokens=OwnTokens(), quota=quota)):
        cost = ERA5.cost([block])
    assert (cost.jobs, cost.largest, cost.fields) == (7, 8 * 24 * 5, 8 * 24 * 31)


def test_hours_that_are_none_are_refused() -> None:
    for wrong in ({"noon_hour": 0}, {"noon_hour": 24}, {"day_start": 24}):
        with pytest.raises(ConfigError, match="give hours UTC up to 23, noon from 1"):
            Era5SingleLevels(**wrong)


def field(name: str, moment: np.datetime64) -> np.ndarray:
    """What a quantity is at a moment, in ERA5's units, sea and land alike."""
    rng = np.random.default_rng([NUMBERS[name], int(moment.astype(np.int64))])
    low, high = {"tp": (0, 4e-3), "swvl1": (0, 0.4), "sd": (0, 0.1)}.get(name, (270, 290))
    if name in ("u10", "v10"):
        low, high = -6, 6
    return rng.uniform(low, high, (GRID["rows"], GRID["columns"]))


def grib_of(moments: np.ndarray, preliminary: np.datetime64) -> bytes:
    """As the store keeps them: edition 1, rain from the runs of 06 and 18 UTC hour by hour."""
    messages = []
    for moment in moments:
        for name, number in NUMBERS.items():
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            run, step = moment, 0
            if name == "tp":
                step = int((moment - np.datetime64("2023-01-01T07")) / HOUR) % 12 + 1
                run = moment - step * HOUR
            settings = {
                "centre": "ecmf", "expver": "0005" if moment >= preliminary else "0001",
                "Ni": GRID["columns"], "Nj": GRID["rows"],
                "latitudeOfFirstGridPointInDegrees": GRID["north"],
                "latitudeOfLastGridPointInDegrees": GRID["north"] - 0.25 * (GRID["rows"] - 1),
                "longitudeOfFirstGridPointInDegrees": GRID["west"],
                "longitudeOfLastGridPointInDegrees": GRID["west"] + 0.25 * (GRID["columns"] - 1),
                "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25,
                "dataDate": int(str(run)[:10].replace("-", "")),
                "dataTime": 100 * int(str(run)[11:13]),
                "paramId": number, "bitsPerValue": 24,
            }  # fmt: skip
            if step:
                settings |= {"stepType": "accum", "stepRange": f"{step - 1}-{step}"}
            for key, value in settings.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, field(name, moment).ravel())
            messages.append(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    return b"".join(messages)


def zip_of(moments: np.ndarray, preliminary: np.datetime64, path: Path) -> None:
    """As the store converts them: what accumulates apart, versions as text."""
    units = {"tp": "m", "sd": "m of water equivalent", "swvl1": "m**3 m**-3", "u10": "m s**-1",
             "v10": "m s**-1"}  # fmt: skip
    versions = ["0005" if moment >= preliminary else "0001" for moment in moments]
    coords = {
        "valid_time": moments.astype("datetime64[s]"),
        "latitude": GRID["north"] - 0.25 * np.arange(GRID["rows"]),
        "longitude": GRID["west"] + 0.25 * np.arange(GRID["columns"]),
        "number": 0,
        "expver": ("valid_time", versions),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for part, names in (("instant", set(NUMBERS) - {"tp"}), ("accum", {"tp"})):
            stacks = {n: np.stack([field(n, m) for m in moments]).astype("float32") for n in names}
            dims = ("valid_time", "latitude", "longitude")
            data = {n: (dims, v, {"units": units.get(n, "K")}) for n, v in stacks.items()}
            member = path.with_name(f"data_stream-oper_stepType-{part}.nc")
            xr.Dataset(data, coords=coords).to_netcdf(member, engine="h5netcdf")
            archive.write(member, member.name)


@pytest.mark.parametrize("form", ["grib", "netcdf"])
def test_files_of_the_store_become_days_in_our_units_with_their_versions(
    block: Block, tmp_path: Path, form: str
) -> None:
    preliminary = np.datetime64("2023-07-03T12", "h")
    path = tmp_path / "a.file"
    if form == "grib":
        path.write_bytes(grib_of(every, preliminary))
    else:
        zip_of(every, preliminary, path)
    read = ERA5.read(path)
    rain = np.stack([field("tp", moment) for moment in every])
    np.testing.assert_allclose(read["tp"].values, 1000 * rain, rtol=1e-4, atol=1e-4)
    snow = np.stack([field("sd", moment) for moment in every])
    np.testing.assert_allclose(read["sd"].values, snow, atol=1e-6)
    parts = [(scene(block, every[-1], 120.0), align(p, block.geobox)) for p in ERA5.parts(path)]
    layer = ERA5.compose(parts, block)
    assert inside(layer, "preliminary").tolist() == [0.0, 0.0, 1.0, 1.0]
    row, column = np.argwhere(np.isfinite(layer["tp"].values).all(axis=0))[0]
    hours = align(read, block.geobox)["tp"].values[:, row, column]
    for day, found in zip(block.times, layer["tp"].values[:, row, column], strict=True):
        end = day.astype("datetime64[h]") + 36 * HOUR
        wanted = hours[(every > end - 24 * HOUR) & (every <= end)].sum()
        assert found == pytest.approx(wanted, rel=1e-4)
