"""The data stores, asked by cdsapi."""

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdsapi
import numpy as np
import pytest
import requests
import xarray as xr
from ecmwf.datastores.processing import ProcessingFailedError

from firesat.sandbox.encode.parameters import CEMS_FIRE, ERA5_LAND
from firesat.sandbox.observe import era5, fire_weather
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.world import World
from firesat.sources._weather import open_weather
from tests.sandbox.servers_tools import Serve, bounds_in, read_grib

pytest_plugins = ["tests.sandbox.servers_fixtures"]

HOURS = ["00:00", "06:00", "12:00", "18:00"]
HEADERS = {"PRIVATE-TOKEN": "sandbox"}


def client(url: str, store: str = "cds", key: str = "sandbox") -> cdsapi.Client:
    return cdsapi.Client(
        url=f"{url}/{store}/api", key=key, quiet=True, progress=False, sleep_max=0.1, retry_max=3
    )


@pytest.fixture
def area(small_world: World) -> list[float]:
    west, south, east, north = bounds_in(small_world, "EPSG:4326")
    return [north, west, south, east]


@pytest.fixture
def land(small_world: World, area: list[float]) -> dict[str, Any]:
    return {
        "variable": [each.request for each in ERA5_LAND],
        "year": str(small_world.config.seasons[-1]),
        "month": "07",
        "day": ["04", "05"],
        "time": HOURS,
        "data_format": "grib",
        "download_format": "unarchived",
        "area": area,
    }


@pytest.fixture
def fire(small_world: World, area: list[float]) -> dict[str, Any]:
    return {
        "product_type": ["reanalysis"],
        "variable": [each.request for each in CEMS_FIRE],
        "dataset_type": "consolidated_dataset",
        "system_version": ["4_1"],
        "year": [str(small_world.config.seasons[-1])],
        "month": ["07"],
        "day": ["04", "05", "06"],
        "grid": "0.25/0.25",
        "data_format": "netcdf",
        "area": area,
    }


def stamps(world: World) -> np.ndarray:
    first = np.datetime64(f"{world.config.seasons[-1]}-07-04T00", "h")
    return first + np.arange(8) * np.timedelta64(6, "h")


def test_grib_holds_what_era5_sees(
    url: str, small_world: World, land: dict[str, Any], area: list[float], tmp_path: Path
) -> None:
    target = tmp_path / "x.grib"
    client(url).retrieve("reanalysis-era5-land", land, str(target))
    found = read_grib(target)
    latitudes, longitudes = found.latitudes, found.longitudes
    assert latitudes[0] >= area[0] > latitudes[1]
    assert latitudes[-1] <= area[2] < latitudes[-2]
    assert longitudes[0] <= area[1] % 360 < longitudes[1]
    np.testing.assert_allclose(latitudes * 10, np.rint(latitudes * 10), atol=1e-6)
    names = [each.name for each in ERA5_LAND]
    expected = era5.hours(small_world, names, stamps(small_world), latitudes, longitudes - 360)
    for parameter in ERA5_LAND:
        times, values = found.stack(parameter.short)
        np.testing.assert_array_equal(times, stamps(small_world))
        step = np.ptp(expected[parameter.name]) / (2**16 - 1)
        np.testing.assert_allclose(values, expected[parameter.name], atol=step + 1e-6)


def test_netcdf_of_instants_is_one_file(
    url: str, small_world: World, land: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "x.nc"
    asked = {**land, "variable": ["2m_temperature", "surface_pressure"], "data_format": "netcdf"}
    client(url).retrieve("reanalysis-era5-land", asked, str(target))
    with xr.open_dataset(target, engine="h5netcdf") as found:
        expected = era5.hours(
            small_world,
            ["t2m", "sp"],
            stamps(small_world),
            found.latitude.values,
            found.longitude.values,
        )
        assert found.t2m.dims == ("valid_time", "latitude", "longitude")
        assert found.longitude.values.max() < 0
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6)


def test_instants_and_sums_come_zipped_though_nobody_asked(
    url: str, land: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "x.nc"
    client(url).retrieve("reanalysis-era5-land", {**land, "data_format": "netcdf"}, str(target))
    with zipfile.ZipFile(target) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stem = "data_stream-oper_stepType-"
    assert set(members) == {f"{stem}instant.nc", f"{stem}accum.nc"}
    with xr.open_dataset(io.BytesIO(members[f"{stem}accum.nc"]), engine="h5netcdf") as sums:
        assert set(sums.data_vars) == {"tp"}
    with xr.open_dataset(io.BytesIO(members[f"{stem}instant.nc"]), engine="h5netcdf") as instants:
        assert set(instants.data_vars) == {each.name for each in ERA5_LAND} - {"tp"}


def test_a_zip_is_a_zip(url: str, land: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "x.zip"
    client(url).retrieve("reanalysis-era5-land", {**land, "download_format": "zip"}, str(target))
    with zipfile.ZipFile(target) as archive:
        assert archive.read("data.grib")[:4] == b"GRIB"


@pytest.mark.parametrize("form", ["grib", "netcdf"])
def test_single_levels_come_by_the_hour_on_a_quarter_of_a_degree_with_versions(
    url: str, small_world: World, land: dict[str, Any], tmp_path: Path, form: str
) -> None:
    wanted = ["total_precipitation", "snow_depth"]
    asked = {**land, "variable": wanted, "product_type": "reanalysis", "month": "06", "day": "30",
             "time": [f"{hour:02d}:00" for hour in range(24)], "data_format": form}  # fmt: skip
    target = tmp_path / "x"
    client(url).retrieve("reanalysis-era5-single-levels", asked, str(target))
    found = open_weather(target)
    latitudes, longitudes = found["y"].values, found["x"].values
    np.testing.assert_allclose(latitudes * 4, np.rint(latitudes * 4), atol=1e-6)
    day = np.datetime64("2023-06-30T00", "h") + np.arange(24) * np.timedelta64(1, "h")
    seen = era5.single_levels(small_world, ["tp", "sd"], day, latitudes, longitudes)
    for name, values in seen.items():
        np.testing.assert_allclose(found[name], values, atol=np.ptp(values) / 2**16 + 1e-7)
    # The season ends on 30 September: 92 days before the end of that, hours are consolidated.
    assert found["expver"].values.tolist() == [1] * 24
    target.unlink()
    client(url).retrieve(
        "reanalysis-era5-single-levels", {**asked, "month": "07", "day": "01"}, str(target)
    )
    assert open_weather(target)["expver"].values.tolist() == [5] * 24


def test_single_levels_must_be_told_which_product_and_know_snow_by_their_own_name(
    url: str, land: dict[str, Any], tmp_path: Path
) -> None:
    for change, reason in (
        ({"variable": "snow_depth"}, "product_type"),
        ({"variable": "snow_depth_water_equivalent", "product_type": "reanalysis"}, "variable"),
    ):
        with pytest.raises(requests.HTTPError, match=reason):
            client(url).retrieve(
                "reanalysis-era5-single-levels", {**land, **change}, str(tmp_path / "x")
            )


@pytest.fixture
def fire_seen(small_world: World) -> Callable[..., dict[str, np.ndarray]]:
    """What is to be seen on the three days, by CEMS name, at some points."""
    first = np.datetime64(f"{small_world.config.seasons[-1]}-07-04")
    names = [each.name for each in CEMS_FIRE]

    def seen(latitudes: np.ndarray, longitudes: np.ndarray) -> dict[str, np.ndarray]:
        assert longitudes.min() > 180
        np.testing.assert_allclose(latitudes * 4, np.rint(latitudes * 4))
        return fire_weather.daily(
            small_world, names, first + np.arange(3), latitudes, longitudes - 360
        )

    return seen


def test_fire_weather_in_netcdf_has_cems_names_and_longitudes_to_360(
    url: str, fire: dict[str, Any], fire_seen: Any, tmp_path: Path
) -> None:
    target = tmp_path / "x.nc"
    client(url, "ewds").retrieve("cems-fire-historical-v1", fire, str(target))
    with xr.open_dataset(target, engine="h5netcdf") as found:
        expected = fire_seen(found.latitude.values, found.longitude.values)
        assert set(found.data_vars) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6)
        days = found.valid_time.values.astype("datetime64[D]").astype(str)
        assert [day[5:] for day in days] == ["07-04", "07-05", "07-06"]


def test_fire_weather_in_grib_has_cems_names_and_longitudes_to_360(
    url: str, fire: dict[str, Any], fire_seen: Any, tmp_path: Path
) -> None:
    target = tmp_path / "x.grib"
    client(url, "ewds").retrieve(
        "cems-fire-historical-v1", {**fire, "data_format": "grib"}, str(target)
    )
    found = read_grib(target)
    expected = fire_seen(found.latitudes, found.longitudes)
    assert set(found.fields) == set(expected)
    for name, values in expected.items():
        times, fields = found.stack(name)
        assert [str(time)[5:] for time in times] == [f"07-{day:02d}T12" for day in (4, 5, 6)]
        np.testing.assert_allclose(fields, values, atol=np.ptp(values) / 2**16 + 1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"variable": ["2m_temprature"]}, "2m_temprature"),
        ({"format": "grib"}, "format"),
        ({"time": None}, "time"),
        ({"area": [50, 0, 60, 10]}, "area"),
        ({"month": "13"}, "month"),
    ],
)
def test_an_impossible_request_is_refused_by_name(
    url: str, land: dict[str, Any], tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    asked = {key: value for key, value in {**land, **change}.items() if value is not None}
    with pytest.raises(requests.HTTPError, match=reason) as caught:
        client(url).retrieve("reanalysis-era5-land", asked, str(tmp_path / "x"))
    assert caught.value.response.status_code == 400


def test_too_much_at_once_is_refused(url: str, fire: dict[str, Any], tmp_path: Path) -> None:
    asked = {**fire, "year": [str(year) for year in range(2000, 2022)]}
    asked |= {"month": [f"{month:02d}" for month in range(1, 13)]}
    asked |= {"day": [f"{day:02d}" for day in range(1, 32)]}
    with pytest.raises(requests.HTTPError, match="cost limits exceeded"):
        client(url, "ewds").retrieve("cems-fire-historical-v1", asked, str(tmp_path / "x"))


def test_costs_and_choices_are_told_before(url: str, land: dict[str, Any]) -> None:
    api = f"{url}/cds/api/retrieve/v1/processes/reanalysis-era5-land"
    costs = requests.post(f"{api}/costing", json={"inputs": land}, headers=HEADERS, timeout=9)
    assert costs.json()["cost"] == len(ERA5_LAND) * 2 * len(HOURS)
    choices = requests.post(f"{api}/constraints", json={"inputs": {}}, headers=HEADERS, timeout=9)
    assert choices.json()["variable"] == [each.request for each in ERA5_LAND]
    assert len(choices.json()["time"]) == 24


def test_days_that_were_never_lived_fail_the_job(
    url: str, land: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(requests.HTTPError, match="MultiAdaptorNoDataError"):
        client(url).retrieve("reanalysis-era5-land", {**land, "year": "1999"}, str(tmp_path / "x"))


def test_a_wrong_key_is_refused(url: str, land: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(requests.HTTPError, match="authentication failed") as caught:
        client(url, key="guess").retrieve("reanalysis-era5-land", land, str(tmp_path / "x"))
    assert caught.value.response.status_code == 401


def test_an_unaccepted_licence_is_refused_with_its_page(
    serve: Serve, land: dict[str, Any], tmp_path: Path
) -> None:
    with (
        serve(Faults(unlicensed=("reanalysis-era5-land",))) as server,
        pytest.raises(requests.HTTPError, match="manage-licences") as caught,
    ):
        client(server.url).retrieve("reanalysis-era5-land", land, str(tmp_path / "x"))
    assert caught.value.response.status_code == 403


def test_a_failed_job_says_why(serve: Serve, land: dict[str, Any], tmp_path: Path) -> None:
    with (
        serve(Faults(failed_jobs=1.0)) as server,
        pytest.raises((requests.HTTPError, ProcessingFailedError), match="job has failed"),
    ):
        client(server.url).retrieve("reanalysis-era5-land", land, str(tmp_path / "x"))


def test_a_job_is_accepted_then_runs_then_succeeds(serve: Serve, land: dict[str, Any]) -> None:
    with serve(Faults(queue_seconds=1.2)) as server:
        api = f"{server.url}/cds/api/retrieve/v1/processes/reanalysis-era5-land/execution"
        reply = requests.post(api, json={"inputs": land}, headers=HEADERS, timeout=9)
        assert (reply.status_code, reply.json()["status"]) == (201, "accepted")
        (monitor,) = [link["href"] for link in reply.json()["links"] if link["rel"] == "monitor"]
        early = requests.get(f"{monitor}/results", headers=HEADERS, timeout=9)
        assert early.status_code == 404
        seen = [requests.get(monitor, headers=HEADERS, timeout=9).json()]
        while seen[-1]["status"] != "successful":
            assert len(seen) < 50
            seen.append(requests.get(monitor, headers=HEADERS, timeout=9).json())
        assert seen[0]["status"] == "accepted"
        messages = [text for _, text in seen[-1]["metadata"]["log"]]
        assert messages == ["INFO Request running", "INFO Request successful"]
        last = seen[-1]["metadata"]["log"][0][0]
        later = requests.get(
            monitor, params={"logStartTime": last, "request": True}, headers=HEADERS, timeout=9
        ).json()
        assert [text for _, text in later["metadata"]["log"]] == messages[1:]
        assert later["metadata"]["request"]["ids"]["day"] == ["04", "05"]
        assert requests.delete(monitor, headers=HEADERS, timeout=9).json()["status"] == "dismissed"
        assert requests.get(monitor, headers=HEADERS, timeout=9).status_code == 404


def test_a_file_can_be_measured_and_fetched_in_parts_without_key(
    url: str, land: dict[str, Any]
) -> None:
    result = client(url).retrieve("reanalysis-era5-land", land)
    head = requests.head(result.location, timeout=9)
    whole = requests.get(result.location, timeout=9)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(whole.content) == result.content_length
    assert head.headers["Accept-Ranges"] == "bytes"
    part = requests.get(result.location, headers={"Range": "bytes=10-"}, timeout=9)
    assert (part.status_code, part.content) == (206, whole.content[10:])
    total = len(whole.content)
    assert part.headers["Content-Range"] == f"bytes 10-{total - 1}/{total}"
    beyond = requests.get(result.location, headers={"Range": f"bytes={total}-"}, timeout=9)
    assert beyond.status_code == 416


def test_broken_downloads_are_resumed_by_the_client(
    serve: Serve, land: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "x.grib"
    with serve(Faults(truncate=0.5, rate_500=0.2, seed=2)) as server:
        client(server.url).retrieve("reanalysis-era5-land", land, str(target))
    assert target.read_bytes()[:4] == b"GRIB"
    assert target.read_bytes()[-4:] == b"7777"


def test_a_month_of_three_hours_arrives_in_seconds(
    url: str, land: dict[str, Any], tmp_path: Path
) -> None:
    asked = {**land, "day": [f"{day:02d}" for day in range(1, 32)]}
    asked["time"] = [f"{hour:02d}:00" for hour in range(0, 24, 3)]
    target = tmp_path / "x.grib"
    begin = time.process_time()
    client(url).retrieve("reanalysis-era5-land", asked, str(target))
    assert target.read_bytes().count(b"GRIB") >= 31 * 8 * len(ERA5_LAND)
    assert time.process_time() - begin < 6.0  # about 1 s on an idle core
