"""GRIB that ecCodes and cfgrib understand."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import eccodes
import numpy as np
import pytest
import xarray as xr

from firesat.sandbox.encode.alone import eccodes_alone
from firesat.sandbox.encode.forecast import CODES, encode_forecast
from firesat.sandbox.encode.grib import encode_grib
from firesat.sandbox.encode.latlon import LatLonGrid, snapped
from firesat.sandbox.encode.parameters import CEMS_FIRE, ERA5_LAND, Parameter

GRID = LatLonGrid(north=55.9, west=-95.1, rows=10, columns=16, step=0.1)
LAND = {parameter.name: parameter for parameter in ERA5_LAND}


def hours(first: str, count: int, step: int = 3) -> np.ndarray:
    return np.datetime64(first, "h") + np.arange(count) * np.timedelta64(step, "h")


def fields(names: list[str], count: int) -> dict[Parameter, np.ndarray]:
    rng = np.random.default_rng(1)
    return {LAND[name]: rng.uniform(250, 300, (count, 10, 16)).astype("float32") for name in names}


def messages(body: bytes, path: Path) -> list[dict[str, object]]:
    path.write_bytes(body)
    keys = ("paramId", "shortName", "validityDate", "validityTime", "dataDate", "stepType", "level")
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            found.append({key: eccodes.codes_get(handle, key) for key in keys})
            found[-1]["values"] = eccodes.codes_get_values(handle)
            eccodes.codes_release(handle)
    return found


def test_every_value_comes_back_within_the_packing_error(tmp_path: Path) -> None:
    sent = fields(["t2m", "sp"], 4)
    found = messages(
        encode_grib(sent, hours("2023-07-01T03", 4), GRID, forecast=True), tmp_path / "x"
    )
    assert len(found) == 8
    packing = 50 / (2**16 - 1)  # range over steps; half a step each way, and rounding of reference
    for message, values in zip(found, np.concatenate(list(sent.values())), strict=True):
        np.testing.assert_allclose(message["values"], values.ravel(), atol=packing)


def test_midnight_belongs_to_the_run_of_the_day_before(tmp_path: Path) -> None:
    times = hours("2023-07-01T00", 2, step=1)
    found = messages(encode_grib(fields(["tp"], 2), times, GRID, forecast=True), tmp_path / "x")
    assert [message["dataDate"] for message in found] == [20230630, 20230701]
    assert [message["validityDate"] for message in found] == [20230701, 20230701]
    assert [message["validityTime"] for message in found] == [0, 100]
    assert {message["stepType"] for message in found} == {"accum"}


def test_era5_s_rain_is_of_the_hour_from_the_runs_of_06_and_18_utc(tmp_path: Path) -> None:
    path, times = tmp_path / "x", hours("2023-07-01T00", 24, step=1)
    versions = np.where(np.arange(24) < 20, 1, 5)
    body = encode_grib(fields(["tp", "t2m"], 24), times, GRID, forecast=False, versions=versions)
    messages(body, path)
    keys = ("shortName", "dataTime", "stepRange", "validityTime", "expver")
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            found.append([eccodes.codes_get(handle, key) for key in keys])
            eccodes.codes_release(handle)
    rain, air = found[:24], found[24:]
    assert rain[0] == ["tp", 1800, "5-6", 0, "0001"]
    assert rain[6] == ["tp", 1800, "11-12", 600, "0001"]
    assert rain[7] == ["tp", 600, "0-1", 700, "0001"]
    assert rain[23] == ["tp", 1800, "4-5", 2300, "0005"]
    assert air[7] == ["2t", 700, "0", 700, "0001"]
    assert [each[4] for each in air] == 20 * ["0001"] + 4 * ["0005"]


@pytest.mark.parametrize("parameter", [*ERA5_LAND, *CEMS_FIRE], ids=lambda each: each.name)
def test_parameters_are_the_ones_of_the_database(parameter: Parameter, tmp_path: Path) -> None:
    sent = {parameter: np.zeros((1, 10, 16), "float32")}
    (found,) = messages(
        encode_grib(sent, hours("2023-07-01T12", 1), GRID, forecast=True), tmp_path / "x"
    )
    assert (found["paramId"], found["shortName"]) == (parameter.number, parameter.short)
    assert (found["stepType"] == "accum") == parameter.accumulated
    assert found["level"] == {"2t": 2, "2d": 2, "10u": 10, "10v": 10}.get(parameter.short, 0)


def test_missing_values_come_back_as_nan_on_the_right_points(tmp_path: Path) -> None:
    sent = fields(["t2m"], 2)
    sent[LAND["t2m"]][1, 2, 3] = np.nan
    path = tmp_path / "x.grib"
    path.write_bytes(encode_grib(sent, hours("2023-07-01T12", 2, 1), GRID, forecast=False))
    with xr.open_dataset(path, engine="cfgrib", backend_kwargs={"indexpath": ""}) as found:
        missing = np.isnan(found.t2m.values)
        assert missing.sum() == 1
        assert missing[1, 2, 3]
        np.testing.assert_allclose(found.latitude, GRID.latitudes, atol=1e-6)
        np.testing.assert_allclose(found.longitude, GRID.longitudes % 360, atol=1e-6)


def test_a_month_of_nine_variables_takes_seconds_not_minutes() -> None:
    names, times = list(LAND), hours("2023-06-01T00", 240)
    sent = fields(names, len(times))
    begin = time.process_time()
    encode_grib(sent, times, GRID, forecast=True)
    assert time.process_time() - begin < 3.0  # 2160 messages; 0.7 s on an idle core


def test_an_area_grows_to_grid_lines_and_a_line_stays_itself() -> None:
    grid = snapped((55.83, -95.21, 55.3, -95.0), 0.1)
    np.testing.assert_allclose(grid.latitudes, [55.9, 55.8, 55.7, 55.6, 55.5, 55.4, 55.3])
    np.testing.assert_allclose(grid.longitudes, [-95.3, -95.2, -95.1, -95.0])


def test_reanalyses_and_forecasts_are_never_written_at_one_moment() -> None:
    """They share one library, whose first import by several jobs at once has been seen to break."""
    code = next(iter(CODES.values()))
    run, values = np.datetime64("2023-07-01T00"), np.full((10, 16), 280.0, "float32")
    begun = threading.Semaphore(0)

    def reanalysis() -> bytes:
        begun.release()
        return encode_grib(fields(["t2m"], 1), hours("2023-07-01T03", 1), GRID, forecast=True)

    def forecast() -> bytes:
        begun.release()
        return encode_forecast(code, values, run, 3, GRID, centre="ecmf")

    with ThreadPoolExecutor(2) as pool:
        with eccodes_alone():
            jobs = [pool.submit(reanalysis), pool.submit(forecast)]
            for _ in jobs:
                begun.acquire()
            time.sleep(0.2)  # either takes milliseconds
            assert not any(job.done() for job in jobs)
        assert all(job.result().startswith(b"GRIB") for job in jobs)
