"""Every leak, planted and found; and what may be known, left alone."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
import zarr

from firesat.audit import AuditReport, AuditSettings, Check, audit_chips
from firesat.audit.apart import check_apart, check_fires
from firesat.audit.evidence import Evidence
from firesat.audit.scenes import Burning
from firesat.chipstore import ChipStore, write_chips
from firesat.cli.main import main
from firesat.cube import create_cube, open_cube
from firesat.errors import ConfigError, LeakError, SampleError
from firesat.grid import Grid
from firesat.jobs.prepare import refuse_leaks, sample
from firesat.manifest import Manifest, Receipt
from firesat.samples import Inputs, Ratio, SampleSettings, atmosphere, silent
from firesat.samples.region import Region
from firesat.sampling import FIRE
from firesat.scaling import Moments
from firesat.splits import Blocks, Groups
from firesat.window import Period, Window
from tests.tiny_cube import DAY, DAYS, REGION, START, write_group
from tests.weather_cube import Model

INPUTS = Inputs(looks=2, modis=("ndvi",), weather_days=4, fuel_classes=(1, 2))
HOW = AuditSettings(reread=2)
CHECKS = {
    "same_fire", "apart", "design", "clock", "looks", "burning", "at_risk_truth", "statistics",
    "horizon", "layers",
}  # fmt: skip
LATER = np.timedelta64(40, "D")

Chip = dict[str, np.ndarray]


def settings(path: Path) -> SampleSettings:
    return SampleSettings(
        path=path,
        inputs=INPUTS,
        splits={
            "train": [Period(start="2023-05-25", end="2023-07-01")],
            "val": [Period(start="2023-07-02", end="2023-07-29")],
        },
        hard={"val_hard": "val"},
        chip=40,
        stride=20,
        issue_step=3,
        positives=10,
        ratio=Ratio(near_fire=0.5, hard=0.3, matched=0.2, random=0.5),
        held_out=0.5,
    )


@pytest.fixture(scope="module")
def store(tiny_cube: Path, tmp_path_factory: pytest.TempPathFactory) -> ChipStore:
    path = tmp_path_factory.mktemp("chips") / "chips.zarr"
    sample(settings(path), tiny_cube)
    return ChipStore(path)


@pytest.fixture
def cube(tiny_cube: Path, tmp_path: Path) -> Path:
    """A cube to spoil."""
    return shutil.copytree(tiny_cube, tmp_path / "cube.zarr")


def audited(store: ChipStore, cube: Path, **change: Any) -> AuditReport:
    return audit_chips(replace(settings(store.path), **change), cube, HOW, silent)


def failed(report: AuditReport) -> dict[str, str]:
    """Failed checks with their first leak."""
    assert {check.name for check in report.checks} == CHECKS
    return {check.name: check.leaks[0] for check in report.failed}


def rebuilt(
    store: ChipStore,
    path: Path,
    chip: Callable[[int, Chip], None] | None = None,
    table: Callable[[pd.DataFrame], None] | None = None,
    **attrs: Any,
) -> ChipStore:
    """The store once more, with something planted."""
    rows = store.table.copy()
    if table:
        table(rows)

    def chips() -> Any:
        for number in range(len(store)):
            fields = {name: np.array(values) for name, values in store[number].items()}
            if chip:
                chip(number, fields)
            yield fields

    write_chips(path, lambda: rows, chips(), len(store), lambda: {**store.attrs, **attrs})
    return ChipStore(path)


# --- nothing to find ----------------------------------------------------------------------------


def test_chips_of_the_honest_reader_pass(store: ChipStore, tiny_cube: Path) -> None:
    report = audited(store, tiny_cube)
    assert failed(report) == {}
    assert report.passed
    found = {check.name: check.found for check in report.checks}
    assert found["horizon"] == "regime protocol, the latest day is T-1"
    refuse_leaks(report)


def test_scars_that_were_seen_and_published_before_t_are_no_leak(
    store: ChipStore, tiny_cube: Path
) -> None:
    # burnt ground is 0.02 in every band: chips with fire show the scar of what burned before
    scars = 0
    for number in np.flatnonzero(store.table["stratum"].isin(FIRE)):
        chip = store[int(number)]
        scars += int((np.abs(chip["sentinel2"][0] - 0.02) < 1e-6).all(axis=0).any())
    assert scars > 0
    report = audited(store, tiny_cube)
    assert report.passed
    assert {check.name: check.found for check in report.checks}["looks"].endswith("h before T")


@pytest.mark.parametrize("regime", ["operational", "hindsight"])
def test_honest_chips_of_the_other_regimes_pass(
    tiny_cube: Path, tmp_path: Path, regime: str
) -> None:
    inputs = replace(INPUTS, regime=regime, weather_days=8)
    few = replace(settings(tmp_path / "chips.zarr"), inputs=inputs, positives=4, hard={})
    sample(few, tiny_cube)
    report = audit_chips(few, tiny_cube, HOW, silent)
    assert failed(report) == {}
    last = {check.name: check.found for check in report.checks}["horizon"]
    assert last.endswith({"operational": "T-6", "hindsight": "T+7"}[regime])


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        (
            {"growth": 0.4},
            r"made with sample\.growth 0\.4, the config says 0\.5: run firesat sample",
        ),
        (
            {"design": [{"split": "train", "stratum": "positive"}]},
            "drawn by an older firesat, from the stratum positive: run firesat sample again",
        ),
    ],
)
def test_chips_drawn_in_another_way_are_refused_and_not_accused(
    store: ChipStore, tiny_cube: Path, tmp_path: Path, attrs: dict[str, Any], words: str
) -> None:
    with pytest.raises(SampleError, match=words):
        audited(rebuilt(store, tmp_path / "x.zarr", **attrs), tiny_cube)


# --- splits -------------------------------------------------------------------------------------


def test_a_fire_in_two_splits_is_named(store: ChipStore, tiny_cube: Path, tmp_path: Path) -> None:
    of_val = (store.table["split"] == "val") & store.table["stratum"].isin(FIRE)
    moved = store.table.index[of_val][0]

    def move(rows: pd.DataFrame) -> None:
        rows.loc[moved, "split"] = "train"

    report = audited(rebuilt(store, tmp_path / "x.zarr", table=move), tiny_cube)
    found = failed(report)
    fires = [f"fire {name} is in train and val" for name in store.table["groups"][moved]]
    assert found["same_fire"].startswith(tuple(fires))
    assert "are 0 km and" in found["apart"]
    (design,) = [check for check in report.checks if check.name == "design"]
    assert any("its window leaves the periods of train" in leak for leak in design.leaks)


def test_a_fire_that_overwintered_is_one_fire(store: ChipStore, tiny_cube: Path) -> None:
    evidence = Evidence(store, tiny_cube)
    assert check_fires(evidence, Groups(), settings(store.path)).passed
    # as if every fire of validation were fire 1, of training, come up again
    links = [((2023, fire), (2023, 1)) for fire in (2, 3, 4)]
    check = check_fires(evidence, Groups(links), settings(store.path))
    assert check.leaks[0].startswith("fire 2023-1 is in")
    assert check.found.endswith("3 of which overwintered")


def test_fires_are_read_from_the_cube_and_not_from_the_table(store: ChipStore, cube: Path) -> None:
    fire_id = zarr.open_group(cube, mode="r+")["labels/fire_id"]
    values = fire_id[:]
    values[values > 1] = 1
    fire_id[:] = values
    assert not check_fires(Evidence(store, cube), Groups(), settings(store.path)).passed


def test_splits_nearer_than_the_buffer_are_measured(store: ChipStore, tiny_cube: Path) -> None:
    evidence, rule = Evidence(store, tiny_cube), settings(store.path)
    times = {split: some["reference_time"] for split, some in store.table.groupby("split")}
    days = (times["val"].min() - times["train"].max()).days - 8
    check = check_apart(evidence, replace(rule, buffer_days=days))
    assert check.passed
    assert f"train and val {days} days" in check.found
    check = check_apart(evidence, replace(rule, buffer_days=days + 1))
    assert f"and {days} days apart, not {days + 1} days" in check.leaks[0]


def test_places_nearer_than_the_buffer_are_measured(tiny_cube: Path, tmp_path: Path) -> None:
    season = [Period(start="2023-05-25", end="2023-07-29")]
    blocks = Blocks(size_km=10, held_out={"val": ["r333c261", "r333c262"]}, buffer_km=4)
    honest = replace(
        settings(tmp_path / "chips.zarr"), splits={"train": season, "val": season}, places=blocks,
        positives=4, stride=40, hard={},
    )  # fmt: skip
    sample(honest, tiny_cube)
    report = audit_chips(honest, tiny_cube, HOW, silent)
    assert failed(report) == {}
    # train lies in rows 0 to 39, validation from row 120 on
    assert "train and val 8 km" in {c.name: c.found for c in report.checks}["apart"]
    wide = replace(honest, places=replace(blocks, buffer_km=9))
    found = failed(audit_chips(wide, tiny_cube, HOW, silent))
    assert set(found) == {"apart"}
    assert "are 8 km and" in found["apart"]
    assert found["apart"].endswith("days apart, not 9 km")


# --- layers that came after T -------------------------------------------------------------------


def delay(cube: Path, group: str, by: np.timedelta64 = LATER) -> None:
    """Say that everything of a group came later."""
    table = zarr.open_group(cube, mode="r+")[f"{group}/available_time"]
    values = table[:]
    never = np.iinfo("int64").min
    table[:] = np.where(values == never, never, values + by.astype("m8[s]").astype(np.int64))


@pytest.mark.parametrize(
    ("group", "check", "words"),
    [
        ("sentinel2", "looks", "sentinel2 look of 2023-"),
        ("modis_vi", "layers", "band modis/ndvi knows"),
        ("hotspots", "layers", "band fire/"),
        ("static", "layers", "no static map was available"),
    ],
)
def test_a_layer_that_came_after_t_is_named(
    store: ChipStore, cube: Path, group: str, check: str, words: str
) -> None:
    delay(cube, group, np.timedelta64(10_000, "D") if group == "static" else LATER)
    report = audited(store, cube)
    assert words in failed(report)[check]
    if check == "looks":
        assert ", T 2023-" in failed(report)["looks"]


def test_receipts_are_believed_before_the_cube(store: ChipStore, cube: Path) -> None:
    days = open_cube(cube, "sentinel2")["available_time"].values[:, 0, 0]
    manifest = Manifest(cube.with_suffix(".ledger"))

    def vouch(by: np.timedelta64) -> None:
        manifest.add(
            Receipt(key=f"sentinel2/{n:04d}/0/0", group="sentinel2", status="done",
                    available=["" if np.isnat(moment) else str(moment + by)])
            for n, moment in enumerate(days)
        )  # fmt: skip

    vouch(np.timedelta64(0, "s"))
    report = audited(store, cube)
    assert failed(report) == {}
    assert {c.name: c.found for c in report.checks}["clock"] == "15 receipts"
    vouch(LATER)
    found = failed(audited(store, cube))
    assert found["clock"].startswith("sentinel2 of 2023-05-01, tile row 0 column 0: the cube says")
    assert "sentinel2 look of" in found["looks"]
    assert "band sentinel2/B01 knows" in found["layers"]


def test_a_layer_that_came_before_its_latency_had_passed_is_named(
    store: ChipStore, cube: Path
) -> None:
    zarr.open_group(cube, mode="r+")["hotspots"].attrs["latency_hours"] = 72.0
    found = failed(audited(store, cube))
    assert found["clock"].endswith("before its latency of 72 hours has passed")


def test_hotspots_that_came_before_the_day_was_over_that_published_them_are_named(
    store: ChipStore, cube: Path
) -> None:
    group = zarr.open_group(cube, mode="r+")["hotspots"]
    group.attrs.update(latency_hours=0.0, day_start=12)
    assert "clock" not in failed(audited(store, cube))
    known = group["available_time"][:]
    group["available_time"][:] = np.where(known > 0, known - 3600, known)
    assert failed(audited(store, cube))["clock"].startswith("hotspots of ")


# --- scenes after the fire ----------------------------------------------------------------------


def test_a_scene_after_the_earliest_burn_day_is_named(store: ChipStore, cube: Path) -> None:
    earliest = zarr.open_group(cube, mode="r+")["labels/earliest"]
    earliest[:] = earliest[:] - 10  # the dates were off by more than was thought
    found = failed(audited(store, cube))
    assert "fire 1 may have burned" in found["burning"] or "fire 4 may" in found["burning"]
    assert "look 1 is of 2023-0" in found["burning"]


def test_a_scene_of_the_burn_day_itself_is_a_leak(store: ChipStore, cube: Path) -> None:
    def asked() -> Check:
        watcher = Burning(Evidence(store, cube))
        for chip in Evidence(store, cube).chips:
            watcher.see(chip, store[chip.number])
        return watcher.check()

    nearest = int(asked().found.split("the latest look ")[1].split()[0])
    assert nearest >= 1
    earliest = zarr.open_group(cube, mode="r+")["labels/earliest"]
    whole = earliest[:]
    for days, passed in ((nearest - 1, True), (nearest, False)):
        earliest[:] = whole - days
        assert asked().passed is passed


# --- truth among the inputs ---------------------------------------------------------------------


def test_at_risk_truth_in_a_batch_is_found_by_its_values(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    evidence = Evidence(store, tiny_cube)

    def plant(number: int, fields: Chip) -> None:
        labels = evidence.labels(evidence.chips[number])
        day = evidence.chips[number].day.astype(int)
        fields["fire"][2] = (labels["fraction"] >= 0.5) & (labels["latest"] < day)

    found = failed(audited(rebuilt(store, tmp_path / "x.zarr", plant), tiny_cube))
    assert found["at_risk_truth"].startswith("band fire/burnt tells at_risk_truth in all")


def test_the_label_in_a_static_band_is_found(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    def plant(number: int, fields: Chip) -> None:
        fields["static"][0] = 3.0 - 2.0 * fields["label"].any(axis=0)

    found = failed(audited(rebuilt(store, tmp_path / "x.zarr", plant), tiny_cube))
    assert "band static/elevation tells label" in found["at_risk_truth"]
    assert "static/elevation differs" in found["layers"]


def test_a_band_that_is_called_truth_is_found(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    names = {**store.attrs["names"], "fire": ["proximity", "recency", "at_risk_truth"]}
    found = failed(audited(rebuilt(store, tmp_path / "x.zarr", names=names), tiny_cube))
    assert found["at_risk_truth"] == "band fire/at_risk_truth is a truth, and no input may be"


# --- statistics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [{"train", "val", "val_hard"}, {"val"}])
def test_a_scaler_of_other_chips_is_found(
    store: ChipStore, tiny_cube: Path, tmp_path: Path, splits: set[str]
) -> None:
    moments = Moments(INPUTS.names)
    for number in np.flatnonzero(store.table["split"].isin(splits)):
        moments.add(store[int(number)])
    leaky = rebuilt(store, tmp_path / "x.zarr", scaler=moments.scaler().record)
    found = failed(audited(leaky, tiny_cube))
    assert set(found) == {"statistics"}
    whose = "all splits" if "train" in splits else "other chips"
    assert found["statistics"].endswith(f"it was fitted on {whose}")


# --- weather of the horizon ---------------------------------------------------------------------


def test_weather_of_the_horizon_is_found_in_the_protocol_regime(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    def plant(number: int, fields: Chip) -> None:
        more = np.repeat(fields["weather"][-1:], 8, axis=0)
        fields["weather"] = np.concatenate([fields["weather"], more])

    found = failed(audited(rebuilt(store, tmp_path / "x.zarr", plant), tiny_cube))
    assert "in regime protocol, step 5 of 12" in found["horizon"]
    assert "band weather/t2m_max of 2023-" in found["horizon"]


def test_weather_that_was_not_there_yet_is_found_in_operation(
    tiny_cube: Path, tmp_path: Path
) -> None:
    few = replace(
        settings(tmp_path / "chips.zarr"),
        inputs=replace(INPUTS, regime="operational", weather_days=8), positives=4, hard={},
    )  # fmt: skip
    sample(few, tiny_cube)
    honest = ChipStore(few.path)

    def plant(number: int, fields: Chip) -> None:
        fields["weather"][-1] = fields["weather"][0]

    leaky = replace(few, path=rebuilt(honest, tmp_path / "x.zarr", plant).path)
    found = failed(audit_chips(leaky, tiny_cube, HOW, silent))
    assert "in regime operational, step 8 of 8" in found["horizon"]
    assert "band weather/t2m_max knows 16 cells" in found["layers"]


def with_runs(cube: Path, latency: float) -> None:
    """Forecast runs of two variables, of every day of the tiny cube."""
    model = Model(
        value=lambda name, day, lead: 290.0 + lead, names=("t2m_max", "ws"), latency=latency, days=8
    )
    axis = np.datetime64(START) + np.arange(DAYS) * DAY
    out = axis.astype("datetime64[s]") + np.timedelta64(round(3600 * latency), "s")
    write_group(create_cube(cube, Grid(region=REGION)), model.layout, axis, model.fill, out)


def test_forecasts_that_were_out_by_t_are_no_leak_and_later_ones_are(
    cube: Path, tmp_path: Path
) -> None:
    inputs = replace(
        INPUTS, regime="operational", forecasts=("nwp_gdps",), weather=("t2m_max", "ws")
    )
    few = replace(settings(tmp_path / "chips.zarr"), inputs=inputs, positives=4, hard={})
    with_runs(cube, 7.0)
    sample(few, cube)
    weather = ChipStore(few.path)[0]["weather"]
    assert weather.shape[0] == 4 + 8
    assert np.isfinite(weather[:, 0]).all()
    report = audit_chips(few, cube, HOW, silent)
    assert failed(report) == {}
    assert {c.name: c.found for c in report.checks}["horizon"].endswith(
        "operational, the latest day is T+7"
    )
    shutil.rmtree(cube / "nwp_gdps")
    with_runs(cube, 13.0)  # an hour after T
    found = failed(audit_chips(few, cube, HOW, silent))
    assert "band weather/t2m_max of 2023-" in found["horizon"]
    assert "in regime operational, step 12 of 12" in found["horizon"]
    assert "band weather/t2m_max" in found["layers"]


# --- bugs of the reader, there while it is audited too ------------------------------------------


def made_with(cube: Path, path: Path) -> dict[str, str]:
    one = replace(settings(path), hard={})
    sample(one, cube)
    return failed(audit_chips(one, cube, HOW, silent))


def test_a_reader_that_lets_layers_in_before_they_arrived_is_found(
    tiny_cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, early = Window.admits, np.timedelta64(9, "D")

    def admits(self: Window, observed: Any, available: Any, day: Any) -> np.ndarray:
        return right(self, observed, np.asarray(available) - early, day)

    monkeypatch.setattr(Window, "admits", admits)
    found = made_with(tiny_cube, tmp_path / "chips.zarr")
    assert "sentinel2 look of" in found["looks"]
    assert "layers" in found
    assert "burning" in found  # it sees the scars of what is still to burn


def test_a_reader_with_a_wrong_clock_is_found(
    tiny_cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firesat import window

    right = window.reference_time
    late = np.timedelta64(20, "D")
    monkeypatch.setattr(window, "reference_time", lambda *args: right(*args) + late)
    found = made_with(tiny_cube, tmp_path / "chips.zarr")
    assert {"looks", "layers"} <= set(found)


def test_a_reader_that_takes_later_weather_for_earlier_is_found(
    tiny_cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, late = atmosphere.positions, np.timedelta64(8, "D")
    monkeypatch.setattr(atmosphere, "positions", lambda axis, days: right(axis, days + late))
    found = made_with(tiny_cube, tmp_path / "chips.zarr")
    assert set(found) == {"layers"}
    assert "band weather/" in found["layers"]


def test_a_reader_that_asks_perimeters_for_an_input_is_found(
    tiny_cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Region.fire

    def fire(self: Region, day: str) -> np.ndarray:
        layers = right(self, day)
        season = self.season(day[:4])
        burnt = season["latest"].values < np.datetime64(day).astype(int)
        layers[2] = burnt & (season["fraction"].values >= 0.5)
        return layers

    monkeypatch.setattr(Region, "fire", fire)
    found = made_with(tiny_cube, tmp_path / "chips.zarr")
    assert "an input asks for labels, which is truth" in found["layers"]
    assert "band fire/burnt tells at_risk_truth" in found["at_risk_truth"]


# --- chances, settings, commands ----------------------------------------------------------------


def test_a_wrong_chance_and_a_chip_taken_twice_are_found(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    def plant(rows: pd.DataFrame) -> None:
        rows.loc[0, "pi"] *= 1.01
        place = ["tile", "row", "col", "reference_time", "fuel", "fwi"]
        for column in place:
            rows.loc[1, column] = rows.loc[2, column]

    report = audited(rebuilt(store, tmp_path / "x.zarr", table=plant), tiny_cube)
    (check,) = [check for check in report.checks if check.name == "design"]
    assert "by the design" in check.leaks[0]
    assert any(leak.endswith("taken twice") for leak in check.leaks)


def test_chips_of_other_settings_are_refused(store: ChipStore, tiny_cube: Path) -> None:
    for change, words in (
        ({"seed": 5}, r"made with sample\.seed 0, the config says 5"),
        ({"inputs": replace(INPUTS, regime="hindsight")}, "inputs.regime protocol, the config say"),
    ):
        with pytest.raises(SampleError, match=words):
            audited(store, tiny_cube, **change)


def test_chips_with_layers_that_the_config_leaves_at_rest_are_refused(
    store: ChipStore, tiny_cube: Path, tmp_path: Path
) -> None:
    inputs = {**store.attrs["inputs"], "fire_extent": True}
    more = rebuilt(store, tmp_path / "more.zarr", inputs=inputs)
    with pytest.raises(SampleError, match=r"inputs\.fire_extent True, the config says False"):
        audited(more, tiny_cube)


def test_an_audit_that_reads_nothing_again_is_refused() -> None:
    with pytest.raises(ConfigError, match="read at least 1 chip"):
        AuditSettings(reread=0)


@pytest.fixture
def project(store: ChipStore, tiny_cube: Path, tmp_path: Path) -> Path:
    """A project file for these chips."""
    chips = shutil.copytree(store.path, tmp_path / "chips.zarr")
    shutil.copy(store.path.with_suffix(".parquet"), chips.with_suffix(".parquet"))
    inputs = {"looks": 2, "modis": ["ndvi"], "weather_days": 4, "fuel_classes": [1, 2]}
    content = {
        "cube": {"path": str(tiny_cube), "periods": [{"start": "2023-05-01", "end": "2023-07-29"}]},
        "sample": {
            "path": str(chips),
            "inputs": inputs,
            "splits": {
                "train": [{"start": "2023-05-25", "end": "2023-07-01"}],
                "val": [{"start": "2023-07-02", "end": "2023-07-29"}],
            },
            "hard": {"val_hard": "val"},
            "chip": 40, "stride": 20, "issue_step": 3, "positives": 10,
            "ratio": {"near_fire": 0.5, "hard": 0.3, "matched": 0.2, "random": 0.5},
            "held_out": 0.5,
        },
        "audit": {"reread": 2},
        "train": {
            "model": {"network": {
                "class_path": "firesat_models.TemporalCNN",
                "init_args": {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8],
                                                           "stem_width": 8}},
            }},
            "data": {"path": str(chips), "batch_size": 8},
            "trainer": {"default_root_dir": str(tmp_path), "accelerator": "cpu", "max_epochs": 1},
        },
    }  # fmt: skip
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "p.yaml"


def leak(project: Path) -> None:
    """Make the project's chips leak: the scaler of nobody."""
    root = zarr.open_group(project.parent / "chips.zarr", mode="r+")
    record = {
        name: [[n, m + s, s] for n, m, s in rows] for name, rows in root.attrs["scaler"].items()
    }
    root.attrs["scaler"] = record


def test_the_command_ends_with_one_on_a_leak(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--config", str(project), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["passed"] is True
    assert {check["name"] for check in record["checks"]} == CHECKS
    leak(project)
    assert main(["audit", "--config", str(project), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in record["checks"] if not check["passed"]] == ["statistics"]
    assert main(["audit", "--config", str(project)]) == 1
    shown = capsys.readouterr().err
    assert "statistics: band" in shown
    assert "LEAKS" in shown


def checkpoint_of(project: Path) -> Path:
    return project.parent / "checkpoints" / "best.ckpt"


def test_training_refuses_chips_that_leak_unless_told_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["train", "fit", "--config", str(project)]
    assert main(fit) == 0
    record = torch.load(checkpoint_of(project), weights_only=True)["firesat"]
    assert record["audit"] == "passed"
    shutil.rmtree(project.parent / "checkpoints")
    leak(project)
    capsys.readouterr()
    assert main(fit) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"LeakError: the chips at {project.parent}/chips.zarr leak: statistics")
    assert not checkpoint_of(project).exists()
    for off in (["--no-audit"], ["--set", "audit.before_training=false"]):
        assert main([*fit, *off]) == 0
        record = torch.load(checkpoint_of(project), weights_only=True)["firesat"]
        assert record["audit"] == "off"


def test_chips_that_no_audit_has_read_are_not_said_to_have_passed_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("chips.zarr", "chips.parquet"):
        copy = project.parent / name.replace("chips", "other")
        (shutil.copytree if name.endswith("zarr") else shutil.copy)(project.parent / name, copy)
    words = ["--data.path", str(project.parent / "other.zarr")]
    assert main(["train", "fit", "--config", str(project), "--no-baselines", *words]) == 0
    record = torch.load(checkpoint_of(project), weights_only=True)["firesat"]
    assert record["audit"] == "none"
    assert "training without an audit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--model.networkk.width", "24"], "unknown key 'networkk': did you mean network?"),
        (["--trainer.max_epochs", "few"], "max_epochs"),
        (["--ckpt_path", "no.ckpt"], "there is no checkpoint at no.ckpt"),
    ],
)
def test_what_is_wrong_is_said_before_the_chips_are_audited(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    leak(project)  # an audit would say so
    assert main(["train", "fit", "--config", str(project), *words]) != 0
    error = capsys.readouterr().err
    assert answer in error
    assert "LeakError" not in error


def test_no_chips_are_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(project.parent / "chips.zarr")
    assert main(["audit", "--config", str(project)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("SampleError: there are no chips at")


def test_a_leak_is_an_error_of_the_family() -> None:
    assert issubclass(LeakError, SampleError)
