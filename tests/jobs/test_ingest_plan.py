"""What is known before anybody is asked: what is missing, what it takes, whether it can be done."""

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from firesat.cli.main import main
from firesat.cube import create_cube
from firesat.errors import ConfigError, CredentialsError
from firesat.grid import Grid
from firesat.jobs.ingest import Unwatched, config_hash, ingest, plan, preflight, totals
from firesat.manifest import Receipt
from firesat.project import CubeSettings, Project, load
from firesat.sources._sentinelhub import processing_units
from firesat.sources._utm import SIDE, fixed_squares
from firesat.sources.era5 import Era5Land
from firesat.sources.fire_weather import CemsFireWeather
from firesat.sources.fires import Hotspots
from firesat.sources.modis import Modis
from firesat.sources.nbac import Nbac
from firesat.sources.sentinel2 import Sentinel2
from firesat.sources.settings import IngestSettings
from firesat.window import Period

ROOT = Path(__file__).resolve().parents[2]
REGION = (10_000.0, 620_000.0, 30_000.0, 640_000.0)
KEYS = ("SH_CLIENT_ID", "SH_CLIENT_SECRET", "CDSAPI_KEY", "CDSAPI_RC", "EARTHDATA_TOKEN", "NETRC")


@pytest.fixture(autouse=True)
def _no_keys_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))

    def refuse(*_: object) -> None:
        pytest.fail("somebody was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def project_of(tmp_path: Path, *sources: object, start: str, end: str, **ingest: object) -> Project:
    return Project(
        cube=CubeSettings(path=tmp_path / "cube.zarr", periods=[Period(start=start, end=end)]),
        grid=Grid(region=REGION),
        ingest=IngestSettings(sources=list(sources), **ingest),
    )


def region_yaml(tmp_path: Path) -> Path:
    text = (ROOT / "configs/region.yaml").read_text().replace("out/region", str(tmp_path / "out"))
    path = tmp_path / "region.yaml"
    path.write_text(text)
    return path


def test_without_keys_every_source_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = region_yaml(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["ingest", "--config", str(config)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].endswith("5 of 7 sources cannot be fetched from this machine:")
    wanted = {
        "sentinel2": "SH_CLIENT_ID and SH_CLIENT_SECRET",
        "modis_vi": "EARTHDATA_TOKEN",
        "modis_lst": "EARTHDATA_TOKEN",
        "era5_land": "CDSAPI_KEY",
        "cems_fire_weather": "CDSAPI_KEY",
    }
    assert [line.split(":")[0].strip() for line in lines[1:]] == list(wanted)
    for line, words in zip(lines[1:], wanted.values(), strict=True):
        assert words in line
        assert "sandbox" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_dry_run_and_plan_say_the_same_and_need_no_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(region_yaml(tmp_path))
    assert main(["plan", "--config", config, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert main(["ingest", "--config", config, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == planned
    assert all(group["basis"] and group["quota"] for group in planned["groups"])
    assert (planned["workers"], planned["memory_limit"]) == (2, "2GiB")
    assert not (tmp_path / "out").exists()
    assert main(["plan", "--config", config]) == 0
    shown = capsys.readouterr().err
    for words in ("ingest.max_units", "months at quota", "of at most 2GiB each"):
        assert words in shown


def test_keys_are_wanted_only_for_what_is_missing(tmp_path: Path) -> None:
    project = project_of(tmp_path, Modis(product="MOD11A2"), start="2023-07-04", end="2023-07-05")
    plans = plan(project)
    with pytest.raises(CredentialsError, match="modis_lst: no Earthdata token"):
        preflight(project, plans)
    done = frozenset(block.key for block in plans[0].missing)
    preflight(project, [replace(plans[0], missing=replace(plans[0].missing, finished=done))])


def test_units_are_the_service_s_formula_times_looks_and_squares(tmp_path: Path) -> None:
    project = project_of(tmp_path, Sentinel2(), start="2023-07-01", end="2023-07-10")
    (found,) = plan(project)
    squares = len(fixed_squares(next(iter(found.missing)).region))
    one = processing_units(SIDE // 100, SIDE // 100)
    looks = found.cost.units / one / squares / 10
    # Two satellites in a cycle of 10 days see 55 N from two or three neighbouring orbits each.
    assert 0.3 < looks < 0.6
    assert found.cost.requests == pytest.approx(looks * squares * 10 + 10)
    finer = plan(
        project_of(tmp_path, Sentinel2(resolution=20), start="2023-07-01", end="2023-07-10")
    )
    assert finer[0].cost.units == pytest.approx(25 * found.cost.units)


def test_two_tiles_share_the_squares_on_their_line_in_the_plan(tmp_path: Path) -> None:
    def units(region: tuple[float, float, float, float]) -> float:
        project = project_of(tmp_path, Sentinel2(), start="2023-07-01", end="2023-07-01")
        return plan(replace(project, grid=Grid(region=region)))[0].cost.units

    left, right = (80_000, 620_000, 100_000, 640_000), (100_000, 620_000, 120_000, 640_000)
    both = (80_000, 620_000, 120_000, 640_000)
    assert units(both) < units(left) + units(right) - 1e-6


def test_jobs_and_fields_are_counted_as_the_stores_count(tmp_path: Path) -> None:
    project = project_of(
        tmp_path, Era5Land(), CemsFireWeather(), start="2023-07-05", end="2023-07-20"
    )
    land, fire = (each.cost for each in plan(project))
    assert (land.jobs, land.fields) == (1, 8 * 18 * 8)  # a day before and one after
    assert (fire.jobs, fire.fields, fire.largest) == (1, 6 * 16, 6 * 16)
    longer = project_of(tmp_path, CemsFireWeather(), start="2023-07-20", end="2023-08-10")
    assert plan(longer)[0].cost.jobs == 2  # one a calendar month


def test_what_blocks_share_is_counted_once(tmp_path: Path) -> None:
    project = project_of(
        tmp_path, Nbac(), Modis(product="MOD11A2"), start="2023-07-01", end="2023-07-08"
    )
    one = [each.cost.bytes for each in plan(project)]
    wide = replace(project, grid=Grid(region=(10_000, 620_000, 190_000, 640_000)))
    two = [each.cost.bytes for each in plan(wide)]
    assert len(plan(wide)[0].missing) == 2
    assert two == one  # the same composite, the same sinusoidal tile


def test_a_plan_that_exceeds_the_budget_is_refused_with_figure_and_field(tmp_path: Path) -> None:
    project = project_of(tmp_path, Sentinel2(), start="2023-07-01", end="2023-07-10", max_units=3.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SH_CLIENT_ID", "me")
        patch.setenv("SH_CLIENT_SECRET", "mine")
        with pytest.raises(
            ConfigError, match=r"about \d+ processing units .*ingest.max_units allows 3"
        ):
            ingest(project, Unwatched())
    assert not (tmp_path / "cube.zarr").exists()


def test_a_job_that_the_store_would_refuse_is_refused_here(tmp_path: Path) -> None:
    project = project_of(
        tmp_path, CemsFireWeather(), start="2023-07-01", end="2023-07-31",
        quotas={"ewds": {"fields_per_job": 5}},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDSAPI_KEY", "some-key")
        with pytest.raises(ConfigError, match="a job of 6 fields exceeds"):  # a day's: no fewer
            preflight(project, plan(project))


def test_a_month_is_cut_into_jobs_that_the_store_takes(tmp_path: Path) -> None:
    def jobs(limit: int) -> tuple[int, int, int]:
        project = project_of(
            tmp_path, CemsFireWeather(), start="2023-07-01", end="2023-07-31",
            quotas={"ewds": {"fields_per_job": limit}},
        )  # fmt: skip
        (row,) = (each.summary for each in plan(project))
        return int(row["jobs"]), int(row["largest_job"]), int(row["fields"])

    assert jobs(186) == (1, 186, 186)  # six codes of 31 days
    assert jobs(100) == (2, 96, 186)  # 16 and 15 days
    assert jobs(50) == (4, 48, 186)


def test_providers_are_asked_side_by_side_and_share_their_quota(tmp_path: Path) -> None:
    sources = (Modis(product="MOD13A1"), Modis(product="MOD11A2"), Era5Land())
    plans = plan(project_of(tmp_path, *sources, start="2023-07-01", end="2023-07-16"))
    hours = [each.quota.seconds(each.cost) / 3600 for each in plans]
    assert totals(plans)["hours"] == pytest.approx(max(hours[0] + hours[1], hours[2]), abs=0.01)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_nothing_is_missing_before_it_can_have_been_published(tmp_path: Path) -> None:
    project = project_of(
        tmp_path, Sentinel2(), Modis(product="MOD11A2"), start="2023-07-04", end="2023-07-13"
    )
    daily, composite = plan(project, at("2023-07-08T11:00"))
    # A fire day ends at 12 UTC of the next day and is published 24 hours later.
    assert [str(block.times[0])[:10] for block in daily.missing] == ["2023-07-04", "2023-07-05"]
    assert daily.later == 8
    assert (len(composite.missing), composite.later) == (0, 2)  # of 8 days, and 3 to publish
    daily, composite = plan(project, at("2023-08-01T00:00"))
    assert (len(daily.missing), len(composite.missing)) == (10, 2)


def test_a_block_that_has_grown_is_fetched_again_until_it_is_settled(tmp_path: Path) -> None:
    project = project_of(tmp_path, Era5Land(), start="2023-07-01", end="2023-07-10")
    source = project.ingest.sources[0]
    cube = create_cube(project.cube.path, project.grid)
    cube.add_group(
        source.layout, source.times(np.arange("2023-07-01", "2023-07-11", dtype="datetime64[D]"))
    )
    known = [f"2023-07-{day + 6:02d}T12:00:00" for day in range(1, 4)] + [""] * 7

    def left(receipt: Receipt, now: str) -> int:
        manifest = cube.manifest()
        manifest.add([receipt])
        return len(plan(project, at(now))[0].missing)

    half = Receipt(
        key="era5_land/0000/0/0", group="era5_land", status="done", available=known,
        config=config_hash(source),
    )  # fmt: skip
    assert left(half, "2023-07-09T13:00") == 0  # three days are out, and it has them
    assert left(half, "2023-07-10T13:00") == 1  # the fourth is out
    assert left(replace(half, available=["2023-07-07"] * 10), "2023-07-17T00:00") == 0
    assert left(replace(half, status="empty", available=[]), "2023-07-17T00:00") == 1
    assert left(half, "2023-09-01T00:00") == 0  # what is still lacking will not come


def test_a_block_of_a_table_that_went_on_is_made_again_when_its_date_is_over(
    tmp_path: Path,
) -> None:
    project = project_of(tmp_path, Hotspots(), start="2023-07-01", end="2023-07-03")
    source = project.ingest.sources[0]
    cube = create_cube(project.cube.path, project.grid)
    days = np.arange("2023-07-01", "2023-07-04", dtype="datetime64[D]")
    cube.add_group(source.layout, source.times(days))
    whole = Receipt(
        key="hotspots/0000/0/0", group="hotspots", status="done", config=config_hash(source),
        available=[f"2023-07-{day:02d}T12:00:00" for day in (2, 3, 4)],
        items=["20230703.csv", "until-20230704T1205-20230704.csv"],
    )  # fmt: skip
    manifest = cube.manifest()
    manifest.add([whole])
    left = {
        now: len(plan(project, at(now))[0].missing)
        for now in ("2023-07-04T12:05", "2023-07-05T12:04", "2023-07-05T12:05", "2023-07-20T00:00")
    }
    assert list(left.values()) == [0, 0, 1, 0]  # and after some days nobody looks again


@pytest.mark.parametrize("moment", ["2023-07-02T12:00", "2023-07-02T11:59"])
def test_what_a_day_published_is_due_when_it_ends(moment: str, tmp_path: Path) -> None:
    project = project_of(tmp_path, Hotspots(), start="2023-07-01", end="2023-07-03")
    assert len(plan(project, at(moment))[0].missing) == (1 if moment.endswith("12:00") else 0)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ingest.workers", "0", "ingest.workers is 0"),
        ("ingest.memory_limit", "lots", "ingest.memory_limit is 'lots'"),
        ("ingest.quotas", "{sentinelhub: {unit_per_month: 3}}", "units_per_month"),
        ("ingest.queue", "{system: slurm, walltime: tomorrow}", "ingest.queue.walltime"),
        ("ingest.queue", "{system: slurm, partitions: x}", "did you mean partition"),
    ],
)
def test_limits_that_cannot_be_are_refused_with_the_file(
    tmp_path: Path, key: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load(region_yaml(tmp_path), [f"{key}={value}"])
