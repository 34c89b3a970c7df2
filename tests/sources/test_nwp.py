"""Forecast weather, run by run: through both services' protocols, and against known hours."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from scipy.interpolate import interpn

from firesat.blocks import Block, cut
from firesat.cube import create_cube, open_cube
from firesat.errors import ConfigError, ProviderError, SourceError
from firesat.grid import Grid
from firesat.jobs.ingest import Workplace, ingest_block
from firesat.manifest import Receipt
from firesat.raster import align
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.observe.forecasts import forecast
from firesat.sandbox.servers.addresses import base_urls, environment
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.weather_runs import MEMBERS, ROTATED, Runs
from firesat.sandbox.world import World
from firesat.sources._forecast_hours import read_forecast
from firesat.sources._ranges import index_ranges
from firesat.sources._weather import relative_humidity
from firesat.sources.base import Scene
from firesat.sources.commons import Commons, OwnTokens, sharing
from firesat.sources.nwp import Datamart, EcmwfOpen
from tests.sandbox.servers_fixtures import serving
from tests.sources.small import first_block, scene

REGION = (20_000.0, 630_000.0, 40_000.0, 650_000.0)
DAY = np.array(["2023-07-01"], dtype="datetime64[D]")
RUN = np.datetime64("2023-07-01T00", "s")
HOUR = np.timedelta64(1, "h")
GDPS = Datamart()


def hours_of(block: Block, leads: Any, **fields: Any) -> list[tuple[Scene, xr.Dataset]]:
    """Scenes of a run whose fields are functions of the lead, the same in all cells."""
    made = []
    for lead in leads:
        valid = RUN + lead * HOUR
        names = dict.fromkeys(("t2m", "rh", "vp", "ws", "tp"), lambda lead: 1.0) | fields
        shape = (1, *block.geobox.shape)
        dataset = xr.Dataset(
            {
                name: (("time", "y", "x"), np.full(shape, value(lead), "float32"))
                for name, value in names.items()
                if name != "tp" or lead
            },
            coords={"time": [valid]},
        )
        made.append((scene(block, valid, 0.0), dataset))
    return made


def cell(layer: xr.Dataset, name: str) -> np.ndarray:
    """By lead time, of one cell within the region."""
    values = layer[name].values[0]
    row, column = np.argwhere(np.isfinite(values).any(axis=0))[0]
    return values[:, row, column]


def test_days_of_a_run_are_those_of_12_to_12() -> None:
    block = first_block(GDPS, DAY)
    temperature = lambda lead: 280 + 10 * np.sin(lead * 0.7)  # noqa: E731
    layer = GDPS.compose(hours_of(block, range(0, 241, 3), t2m=temperature), block)
    assert layer["t2m"].dims == ("time", "lead_time", "y", "x")
    for day in range(9):
        within = np.array([temperature(12 + 24 * day + hour) for hour in range(0, 24, 3)])
        assert cell(layer, "t2m")[day] == pytest.approx(within.mean(), rel=1e-6)
        assert cell(layer, "t2m_max")[day] == pytest.approx(within.max(), rel=1e-6)
        assert cell(layer, "t2m_min")[day] == pytest.approx(within.min(), rel=1e-6)
        assert cell(layer, "t2m_noon")[day] == pytest.approx(temperature(18 + 24 * day), rel=1e-6)


def test_rain_of_a_day_is_the_difference_of_two_sums_since_the_start() -> None:
    block = first_block(GDPS, DAY)
    layer = GDPS.compose(hours_of(block, range(0, 241, 3), tp=lambda lead: 0.01 * lead**2), block)
    ends = np.arange(36, 240, 24)
    np.testing.assert_allclose(
        cell(layer, "tp"), 0.01 * (ends**2.0 - (ends - 24) ** 2.0), rtol=1e-3
    )
    noons = np.arange(18, 216, 24)
    to_noon = cell(layer, "tp_noon")
    assert np.isnan(to_noon[0])  # those 24 h began before the run
    np.testing.assert_allclose(
        to_noon[1:], 0.01 * (noons[1:] ** 2.0 - noons[:-1] ** 2.0), rtol=1e-3
    )


def test_a_run_of_12_utc_begins_with_the_issue_day_and_without_rain() -> None:
    source = Datamart(cycle=12, days=2)
    assert source.layout.variables[0].leads == (24, 48)
    block = first_block(source, DAY)
    made = [
        (replace(s, observed=s.observed + 12 * HOUR), d.assign_coords(time=d["time"] + 12 * HOUR))
        for s, d in hours_of(block, range(0, 49, 3), tp=lambda lead: 0.5 * lead)
    ]
    np.testing.assert_allclose(cell(source.compose(made, block), "tp"), [12.0, 12.0])


def test_files_get_rarer_with_the_lead_and_the_days_stay_whole() -> None:
    source = EcmwfOpen()
    block = first_block(source, DAY)
    leads = [*range(0, 145, 3), *range(150, 241, 6)]
    layer = source.compose(hours_of(block, leads, t2m=lambda lead: 280 + lead), block)
    wanted = [280 + np.mean([h for h in leads if 12 + 24 * d <= h < 36 + 24 * d]) for d in range(9)]
    np.testing.assert_allclose(cell(layer, "t2m"), wanted, rtol=1e-6)
    assert np.isfinite(cell(layer, "tp_noon")[1:]).all()


def test_a_day_that_lacks_an_hour_is_missing_and_the_others_are_not() -> None:
    block = first_block(GDPS, DAY)
    leads = [lead for lead in range(0, 241, 3) if lead != 45]
    layer = GDPS.compose(hours_of(block, leads), block)
    assert np.isnan(cell(layer, "t2m")).tolist() == [False, True] + 7 * [False]


def test_a_file_that_holds_another_hour_than_its_name_says_is_refused() -> None:
    block = first_block(GDPS, DAY)
    made = hours_of(block, [12, 15])
    with pytest.raises(SourceError, match="made should be valid at 2023-07-01T15:00:00, but is at"):
        GDPS.compose([(made[1][0], made[0][1])], block)


def test_a_run_is_available_when_its_last_file_is_out_and_not_asked_for_before() -> None:
    block = first_block(GDPS, DAY)
    layer = GDPS.compose(hours_of(block, range(0, 241, 3)), block)
    assert layer["available_time"].values.tolist() == [np.datetime64("2023-07-01T07", "s").item()]
    with sharing(Commons(tokens=OwnTokens(), now=np.datetime64("2023-07-01T06:59", "s"))):
        assert GDPS.search(block) == []
    with pytest.raises(ConfigError, match="reach 84 h and hold 3 whole fire days, not 4"):
        Datamart(model="rdps", days=4)


@pytest.fixture(scope="module")
def world() -> World:
    config = WorldConfig(
        seed=4, region=REGION, seasons=(2023,), first_day="06-20", last_day="06-21",
    )  # fmt: skip
    return World.create(config)


@pytest.fixture(scope="module")
def urls(world: World) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        with serving(world, Faults()) as server:
            yield base_urls(server.url)


def fetched(source: Any, block: Block, cache: Path) -> list[tuple[Scene, xr.Dataset]]:
    return [
        (found, align(source.read(source.fetch(found, cache)), block.geobox))
        for found in source.search(block)
    ]


SOURCES = [
    pytest.param(Datamart(days=2), "gdps", 0.02, id="gdps"),
    pytest.param(Datamart(model="hrdps"), "hrdps", 0.1, id="hrdps"),
    pytest.param(Datamart(model="rdps"), "rdps", 0.3, id="rdps"),
    pytest.param(EcmwfOpen(days=2), "ecmwf", 0.02, id="ecmwf"),
    pytest.param(Datamart(model="geps", days=2), "geps", 0.1, id="geps"),  # humidity is no line
]


def hours_at(world: World, model: str, lat: Any, lon: Any) -> dict[str, np.ndarray]:
    """Leads 12 to 36 of our quantities at some places, between the points of a regular grid."""
    leads, grid = np.arange(0, 37, 3), Runs(world).grid(model)
    turned = model in ROTATED  # whose points are dense: the places themselves will do
    points = (lat, lon) if turned else (grid.latitudes, grid.longitudes)
    made = forecast(world, model, RUN, leads, points)
    fields = {
        "t2m": made["t2m"],
        "rh": relative_humidity(made["t2m"], made["d2m"]),
        "ws": np.hypot(made["u10"], made["v10"]),
        "tp": made["tp"],
    }
    if not turned:
        axes = -points[0], points[1]
        fields = {
            name: interpn((leads, *axes), values, grid_of(leads, -lat, lon))
            for name, values in fields.items()
        }
    return {name: values[4:] for name, values in fields.items()}


def grid_of(leads: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Lead, latitude and longitude of each value that is wanted."""
    return np.stack(np.broadcast_arrays(leads[:, None, None], lat, lon), axis=-1)


@pytest.mark.parametrize(("source", "model", "kelvin"), SOURCES)
def test_every_service_brings_what_its_model_forecast(
    source: Any, model: str, kelvin: float, world: World, urls: dict[str, str], tmp_path: Path
) -> None:
    source = replace(source, base_url=urls[source.provider])
    (block,) = cut(source.layout, Grid(region=REGION), source.times(DAY))
    layer = source.compose(fetched(source, block, tmp_path), block)
    places = layer.sel(x=[25_000.0, 35_000.0], y=[645_000.0, 635_000.0])
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(places.x, places.y))
    wanted, day = hours_at(world, model, lat, lon), places.isel(time=0, lead_time=0)
    np.testing.assert_allclose(day["t2m"], wanted["t2m"][:-1].mean(0), atol=kelvin)
    np.testing.assert_allclose(day["rh"], wanted["rh"][:-1].mean(0), atol=5 * kelvin)
    np.testing.assert_allclose(day["ws"], wanted["ws"][:-1].mean(0), atol=kelvin)
    np.testing.assert_allclose(day["tp"], wanted["tp"][-1] - wanted["tp"][0], atol=10 * kelvin)


def test_the_cube_keeps_reference_time_and_lead_time(tmp_path: Path) -> None:
    cube = create_cube(tmp_path / "cube.zarr", Grid(region=REGION))
    block = first_block(GDPS, DAY)
    (block,) = cube.add_group(GDPS.layout, GDPS.times(DAY))
    layer = GDPS.compose(hours_of(block, range(0, 241, 3), t2m=lambda lead: 280.0 + lead), block)
    assert cube.write_block(GDPS.layout, block, layer)
    receipt = Receipt(
        key=block.key, group=block.group, status="done", available=["2023-07-01T07:00:00"]
    )
    cube.record_times([receipt], GDPS.layout)
    with open_cube(cube.path, "nwp_gdps") as opened:
        assert opened["t2m"].dims == ("time", "lead_time", "y", "x")
        assert opened["reference_time"].values.tolist() == [RUN.astype("datetime64[ns]").item()]
        assert opened["lead_time"].attrs["units"] == "hours"
        assert opened["lead_time"].values.tolist() == [36 + 24 * day for day in range(9)]
        assert opened["lead_time"].attrs["standard_name"] == "forecast_period"
        assert opened["reference_time"].attrs["standard_name"] == "forecast_reference_time"
        ends = opened["reference_time"].values[0] + opened["lead_time"].values * HOUR
        assert ends[0] == np.datetime64("2023-07-02T12")
        value = opened["t2m"].isel(time=0, lead_time=3).values
        assert np.nanmax(value) == pytest.approx(280 + np.mean(np.arange(84, 108, 3)))


def test_a_run_that_nobody_keeps_is_empty_and_one_without_a_quantity_is_not_complete(
    urls: dict[str, str], tmp_path: Path
) -> None:
    long_ago = np.array(["2019-07-01"], dtype="datetime64[D]")
    for source in (Datamart(), EcmwfOpen()):
        source = replace(source, base_url=urls[source.provider])
        assert source.search(first_block(source, long_ago)) == []
    source = replace(Datamart(), base_url=urls["eccc"])
    found = source.search(first_block(source, DAY))[0]
    moved = {**found.request, "folder": str(found.request["folder"]).replace("/012", "/000")}
    with pytest.raises(
        ProviderError, match=r"lists no Precip-Accum_Sfc at lead 12 h among 5 files"
    ):
        source.fetch(replace(found, request=moved), tmp_path)


def test_only_the_wanted_parts_of_a_file_are_fetched(urls: dict[str, str], tmp_path: Path) -> None:
    source = replace(EcmwfOpen(), base_url=urls["ecmwf"])
    found = source.search(first_block(source, DAY))[0]
    shared = Commons(tokens=OwnTokens())
    with sharing(shared):
        path = source.fetch(found, tmp_path)
    assert path.stat().st_size == shared.meter.bytes  # without the skin temperature in between
    assert path.read_bytes().count(b"GRIB") == 5
    assert shared.meter.requests == 1 + 2  # the index, and two runs of messages


def test_an_index_is_read_line_by_line_and_anything_else_refused() -> None:
    line = '{"param": "2t", "levtype": "sfc", "_offset": 7, "_length": 5}'
    deep = '{"param": "2t", "levtype": "pl", "_offset": 70, "_length": 5}'
    assert index_ranges(f"{line}\n{deep}\n", ["2t"], "x.index") == {"2t": (7, 5)}
    for wrong in ("<html>", "[1]", '{"param": "2t"}', "7"):
        with pytest.raises(ProviderError, match=r"x\.index is no index of GRIB messages"):
            index_ranges(wrong, ["2t"], "x.index")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    from tests.sources.gribs import LATITUDES, LONGITUDES, PARAMETERS, grib_message

    field = np.zeros((len(LATITUDES), len(LONGITUDES)))
    path = tmp_path / "soil.grib"
    path.write_bytes(grib_message(field, RUN, parameter=PARAMETERS["swvl1"]))
    with pytest.raises(SourceError, match="holds swvl1, none of a forecast's t2m, rh"):
        read_forecast(path)


GEPS = Datamart(model="geps", days=2)


def members_at(block: Block, leads: Any, **fields: Any) -> list[tuple[Scene, xr.Dataset]]:
    """Leads whose members are functions of the lead that give one value for each."""
    made = hours_of(block, leads)
    for found, dataset in made:
        lead = int((found.observed - RUN) / HOUR)
        for name, values in fields.items():
            if name != "tp" or lead:
                stack = np.asarray(values(lead), "float32")[None, :, None, None]
                dims = ("time", "number", "y", "x")
                shape = (1, stack.shape[1], *block.geobox.shape)
                dataset[f"{name}_members"] = (dims, np.broadcast_to(stack, shape))
    return made


def test_the_spread_of_a_day_is_that_of_the_members_own_days() -> None:
    block = first_block(GEPS, DAY)
    rng = np.random.default_rng(2)
    hourly = {lead: rng.normal(280, 5, 4) for lead in range(0, 61, 3)}
    speeds = {lead: rng.gamma(2, 2, 4) for lead in range(0, 61, 3)}
    sums = {lead: lead * np.array([0.1, 0.2, 0.0, 0.5]) for lead in range(0, 61, 3)}
    fields = {"t2m": hourly.get, "ws": speeds.get, "tp": sums.get}
    leads = np.random.default_rng(3).permutation(range(12, 61, 3))  # in disorder
    made = members_at(block, leads, **fields)
    layer = GEPS.compose([*made, made[0]], block)  # what comes again counts once
    for name, series in (("t2m", hourly), ("ws", speeds)):
        for day in range(2):
            within = [series[12 + 24 * day + step] for step in range(0, 24, 3)]
            wanted = np.std(np.mean(within, axis=0), ddof=1)
            assert cell(layer, f"{name}_spread")[day] == pytest.approx(wanted, rel=1e-4)
    rain = np.std(24 * np.array([0.1, 0.2, 0.0, 0.5]), ddof=1)
    np.testing.assert_allclose(cell(layer, "tp_spread"), [rain, rain], rtol=1e-4)
    attrs = {v.name: v.attrs for v in GEPS.layout.variables}
    assert attrs["tp_spread"] == {"cell_methods": "realization: standard_deviation"}
    assert not any("spread" in variable.name for variable in GDPS.layout.variables)


def test_a_day_that_lacks_a_lead_has_no_spread_and_other_ensembles_are_refused() -> None:
    block = first_block(GEPS, DAY)
    three = {name: lambda lead: lead * np.array([1.0, 2.0, 4.0]) for name in ("t2m", "ws", "tp")}
    leads = [lead for lead in range(12, 61, 3) if lead != 45]
    layer = GEPS.compose(members_at(block, leads, **three), block)
    assert np.isnan(cell(layer, "t2m_spread")).tolist() == [False, True]
    assert np.isfinite(cell(layer, "tp_spread")).all()  # whose sums at both ends are there
    two = members_at(block, [15], t2m=lambda lead: np.ones(2))
    with pytest.raises(SourceError, match=r"lead 15 h has \[2\] members, those before 3"):
        GEPS.compose([*members_at(block, [12], **three), *two], block)


def test_a_run_of_12_utc_has_a_spread_of_rain_from_its_start() -> None:
    source = Datamart(model="geps", cycle=12, days=1)
    block = first_block(source, DAY)
    made = [
        (replace(s, observed=s.observed + 12 * HOUR), d.assign_coords(time=d["time"] + 12 * HOUR))
        for s, d in members_at(block, range(0, 25, 3), tp=lambda lead: lead * np.array([1.0, 3.0]))
    ]
    layer = source.compose(made, block)
    np.testing.assert_allclose(cell(layer, "tp_spread"), [24 * np.sqrt(2)], rtol=1e-5)


def test_the_spread_in_a_cube_is_that_of_the_members_served(
    urls: dict[str, str], world: World, tmp_path: Path
) -> None:
    source = replace(Datamart(model="geps", days=1), base_url=urls["eccc"])
    cube = create_cube(tmp_path / "cube.zarr", Grid(region=REGION))
    (block,) = cube.add_group(source.layout, source.times(DAY))
    place = Workplace(cube=cube, cache=tmp_path)
    assert ingest_block(source, block, place).receipt.status == "done"
    runs, name = Runs(world), "2023070100"
    # A kelvin apart, whatever the hour; wind and rain by fifths of the middle member's.
    speed = np.mean([runs.field("geps", name, lead, "ws") for lead in range(12, 36, 3)], axis=0)
    rain = runs.field("geps", name, 36, "tp") - runs.field("geps", name, 12, "tp")
    with open_cube(cube.path, "nwp_geps") as opened:
        assert opened["t2m_spread"].attrs["cell_methods"] == "realization: standard_deviation"
        assert opened["t2m_spread"].attrs["units"] == "K"
        inside = opened.sel(x=[25_000, 35_000], y=[645_000, 635_000]).isel(time=0, lead_time=0)
        found = {n: inside[f"{n}_spread"].values for n in ("t2m", "ws", "tp")}
    to_degrees = Transformer.from_crs("EPSG:3979", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid([25_000, 35_000], [645_000, 635_000]))
    grid = runs.grid("geps")
    np.testing.assert_allclose(found["t2m"], np.std(MEMBERS, ddof=1), atol=2e-3)
    for quantity, middle in (("ws", speed), ("tp", rain)):
        apart = 0.2 * np.std(MEMBERS, ddof=1) * middle
        wanted = interpn((-grid.latitudes, grid.longitudes), apart, np.stack([-lat, lon], -1))
        np.testing.assert_allclose(found[quantity], wanted, rtol=0.02, atol=2e-3)
        assert wanted.max() > 0.1


def test_an_ensemble_s_day_is_the_mean_of_its_members_and_not_of_its_mean(
    urls: dict[str, str], world: World, tmp_path: Path
) -> None:
    source = replace(Datamart(model="geps", days=1), base_url=urls["eccc"])
    found = source.search(first_block(source, DAY))[0]
    path = source.fetch(found, tmp_path)
    assert found.id == "geps-20230701T00Z-PT012H.grib2"
    assert path.read_bytes().count(b"GRIB") == 5 * len(MEMBERS)
    runs, hour = Runs(world), ("2023070100", 12)
    t2m, d2m, u10, v10, tp = (
        np.stack(runs.members(*hour, name)) for name in ("t2m", "d2m", "u10", "v10", "tp")
    )
    read = {name: values.values[0] for name, values in source.read(path).data_vars.items()}
    np.testing.assert_allclose(read["ws_members"], np.hypot(u10, v10), atol=2e-3)
    np.testing.assert_allclose(read["t2m"], t2m.mean(0), atol=2e-3)
    np.testing.assert_allclose(read["rh"], relative_humidity(t2m, d2m).mean(0), atol=0.05)
    np.testing.assert_allclose(read["ws"], np.hypot(u10, v10).mean(0), atol=2e-3)
    np.testing.assert_allclose(read["tp"], tp.mean(0), atol=2e-3)
