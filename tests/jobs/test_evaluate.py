"""Evaluation of published maps of a tiny cube, from GeoTIFF to page."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from firesat.cli.main import main
from firesat.errors import ConfigError, ProductError
from firesat.grid import Grid, geobox
from firesat.jobs.evaluate import evaluate, summary
from firesat.jobs.evaluate.published import find, unseen
from firesat.jobs.evaluate.record import Record, parts
from firesat.metrics import EvaluateSettings, Scores
from firesat.products.base import Issue
from firesat.products.probability import Probability
from firesat.products.strips import State, Strip
from firesat.samples import Inputs
from firesat.window import Period, Window
from tests.tiny_cube import REGION, write_tiny_cube

CELLS = geobox(REGION, "EPSG:3979", 100)
DAYS = ("2023-07-10", "2023-07-18")  # fire 4 burns from 15 July on
SPLITS = {"train": [Period(start="2023-05-20", end="2023-07-08")]}
GROUPS = ("fire_weather", "hotspots", "labels", "static")

ROOT = Path(__file__).resolve().parents[2]

Forecaster = Callable[[str], tuple[np.ndarray, np.ndarray]]


def silent(done: int, total: int, what: str) -> None:
    """Say nothing."""


def publish(
    folder: Path,
    day: str,
    growth: np.ndarray,
    new: np.ndarray,
    *,
    state: np.ndarray | None = None,
    regime: str = "protocol",
    cells: object = CELLS,
) -> Path:
    """Write a map as firesat predict does."""
    issue = Issue(
        day=day, window=Window(), model="test", checkpoint="ab" * 32, regime=regime, utc_offset=-6,
        version="0.1.0",
    )  # fmt: skip
    strip = Strip(
        row=0,
        growth=growth.astype(np.float32),
        new=new.astype(np.float32),
        state=np.zeros(growth.shape, np.uint8) if state is None else state,
        looks=np.ones(growth.shape, np.uint8),
        age=np.ones(growth.shape, np.float32),
    )
    folder.mkdir(parents=True, exist_ok=True)
    return Probability().write([strip], cells, issue, folder)[0].path


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cube(tmp_path_factory.mktemp("tiny") / "cube.zarr", groups=GROUPS)


@pytest.fixture(scope="module")
def record(cube: Path) -> Record:
    return Record(cube, Inputs(), CELLS)


def informed(record: Record, day: str) -> tuple[np.ndarray, np.ndarray]:
    """A forecast that knows most of what will burn."""
    label = record.truth(day).label
    return 1e-4 + 0.6 * label[0], 1e-4 + 0.6 * label[1]


@pytest.fixture(scope="module")
def found(
    cube: Path, record: Record, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Scores, Path]:
    """A good forecast, scored."""
    folder = tmp_path_factory.mktemp("maps")
    for day in DAYS:
        publish(folder, day, *informed(record, day))
    settings = EvaluateSettings(
        output=folder / "scores", resamples=50, negatives=2000, train_step=7
    )
    scores = evaluate(settings, cube, folder, SPLITS, progress=silent, sandbox=True)
    return scores, settings.output


def test_a_forecast_that_knows_is_ahead_of_every_baseline(found: tuple[Scores, Path]) -> None:
    scores, _ = found
    names = {item.baseline for item in scores.differences}
    assert names == {"climatology", "persistence", "FWI x fuel", "FWI"}
    for name in names:
        assert scores.difference(name).verdict == "ahead"
    assert scores.case("model").ap.value == pytest.approx(1.0)


def test_every_headline_cell_is_counted_once(found: tuple[Scores, Path], record: Record) -> None:
    scores, _ = found
    valid = sum(int(record.truth(day).valid.all(axis=0).sum()) for day in DAYS)
    burned = sum(int(record.truth(day).label.sum()) for day in DAYS)
    case = scores.case("model")
    assert (case.cells, case.burned) == (valid, burned)
    assert sum(day.observed for day in scores.days) == burned
    assert (
        scores.case("model", event="growth").burned + scores.case("model", event="new").burned
        == burned
    )


def test_zones_split_at_the_hotspots_known_at_the_start(
    found: tuple[Scores, Path], record: Record
) -> None:
    scores, _ = found
    near = sum(
        int((record.truth(d).valid.all(axis=0) & (record.known(d).distance <= 5.0)).sum())
        for d in DAYS
    )
    assert scores.case("model", "near").cells == near > 0


def test_baselines_do_better_than_chance_where_the_data_allow(found: tuple[Scores, Path]) -> None:
    scores, _ = found
    assert scores.case("persistence").lift.value > 3
    for name in ("climatology", "FWI x fuel", "persistence"):
        assert 0 < scores.case(name).expected < scores.case(name).cells


def test_the_files_say_what_was_measured_and_where(found: tuple[Scores, Path]) -> None:
    scores, folder = found
    written = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert written["facts"]["issue_days"] == list(DAYS)
    assert written["facts"]["sandbox"] is True
    assert {row["negatives"] for row in written["scores"]} == {"full map"}
    assert all(row["prevalence"] is not None for row in written["scores"])
    assert len(written["scores"]) == len(scores.cases)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Measured on the sandbox" in page
    assert "data:image/png;base64" in page
    assert (folder / "quicklook.png").read_bytes()[1:4] == b"PNG"
    assert not list(folder.glob(".*"))


def test_burned_cells_under_a_mask_are_counted(cube: Path, record: Record, tmp_path: Path) -> None:
    state = np.full(CELLS.shape, State.ALREADY_BURNT, np.uint8)
    state[:, 100:] = State.ABSTAINED
    publish(tmp_path, DAYS[1], *informed(record, DAYS[1]), state=state)
    settings = EvaluateSettings(output=tmp_path / "out", resamples=20, negatives=500, train_step=14)
    scores = evaluate(settings, cube, tmp_path, SPLITS, progress=silent)
    burned = record.truth(DAYS[1]).label.any(axis=0)
    assert burned[:, :100].any()
    assert scores.facts["burned_cells_masked_as_unable"] == burned[:, :100].sum()
    assert scores.facts["burned_cells_without_forecast"] == burned[:, 100:].sum()
    assert scores.case("model").expected == 0.0
    assert "sandbox" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def told(scores: Scores) -> str:
    """What the terminal shows."""
    console = Console(width=160, record=True, file=None, quiet=False, no_color=True)
    with console.capture() as capture:
        console.print(summary(scores))
    return capture.get()


def test_the_table_names_prevalence_baselines_and_few_blocks(found: tuple[Scores, Path]) -> None:
    text = told(found[0])
    for word in ("prevalence", "climatology", "FWI x fuel", "is ahead of", "unreliable", "sandbox"):
        assert word in text


def test_a_model_that_abstains_everywhere_is_ahead_of_nobody(
    cube: Path, record: Record, tmp_path: Path
) -> None:
    state = np.full(CELLS.shape, State.ABSTAINED, np.uint8)
    state[0] = State.CANNOT_BURN  # which counts as a forecast of nothing
    publish(tmp_path, DAYS[1], *informed(record, DAYS[1]), state=state)
    settings = EvaluateSettings(output=tmp_path / "out", resamples=20, negatives=500, train_step=14)
    scores = evaluate(settings, cube, tmp_path, SPLITS, progress=silent)
    assert scores.case("model").cells > scores.case("model").burned == 0
    text = told(scores)
    assert "Nothing burned in the scored cells: the forecasts cannot be judged." in text
    assert "is ahead of" not in text
    assert "1.000" not in text
    missing = f"{scores.facts['cells_without_forecast']:,}".replace(",", " ")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for shown in (text, page):
        assert f"No score counts the {missing} cells without a forecast: 99." in shown


def test_a_second_evaluation_gives_the_same_numbers(
    found: tuple[Scores, Path], cube: Path, tmp_path: Path
) -> None:
    first, folder = found
    settings = EvaluateSettings(output=tmp_path, resamples=50, negatives=2000, train_step=7)
    calls: list[tuple[int, int]] = []
    again = evaluate(
        settings, cube, folder.parent, SPLITS, sandbox=True,
        progress=lambda done, total, what: calls.append((done, total)),
    )  # fmt: skip
    assert again.to_json() == first.to_json()
    assert calls[-1][0] == calls[-1][1] == len(calls)


# ---- reading maps ---------------------------------------------------------------------------


def test_cells_that_the_mask_spares_count_as_a_forecast_of_nothing(tmp_path: Path) -> None:
    state = np.zeros(CELLS.shape, np.uint8)
    state[:50] = State.ALREADY_BURNT
    state[50:100] = State.ABSTAINED
    p = np.full(CELLS.shape, 0.01)
    publish(tmp_path, DAYS[0], p, p, state=state)
    fire = find(tmp_path)[0].read(CELLS)["p_fire"]
    assert (fire[:50] == 0).all()
    assert np.isnan(fire[50:100]).all()
    assert fire[100:] == pytest.approx(np.full((100, 200), 0.0199), rel=1e-3)


def test_parts_of_a_map_are_read_where_they_lie(tmp_path: Path) -> None:
    p = np.arange(200 * 200).reshape(200, 200) / 1e6
    publish(tmp_path, DAYS[0], p, np.zeros_like(p))
    made = find(tmp_path)[0]
    inner = made.read(CELLS[30:60, 110:170])["p_growth"]
    assert inner == pytest.approx(p[30:60, 110:170], rel=1e-3, abs=1e-7)
    outside = made.read(geobox((0.0, 660_000.0, 20_000.0, 680_000.0), "EPSG:3979", 100))["p_fire"]
    assert np.isnan(outside[:, :100]).all()
    assert np.isfinite(outside[:, 100:]).all()


def test_a_map_on_another_grid_is_refused(tmp_path: Path) -> None:
    p = np.full((20, 20), 0.1)
    publish(tmp_path, DAYS[0], p, p, cells=geobox(REGION, "EPSG:3979", 1000))
    with pytest.raises(ProductError, match="another grid"):
        find(tmp_path)[0].read(CELLS)


def test_overlapping_windows_are_refused(tmp_path: Path) -> None:
    p = np.full(CELLS.shape, 0.1)
    for day in ("2023-07-10", "2023-07-17"):
        publish(tmp_path, day, p, p)
    with pytest.raises(ConfigError, match=r"7 days apart .* overlap"):
        unseen(find(tmp_path), [SPLITS["train"]])


def test_forecasts_seen_in_training_are_left_out(tmp_path: Path) -> None:
    p = np.full(CELLS.shape, 0.1)
    for day in ("2023-07-01", "2023-07-08", "2023-07-10"):
        publish(tmp_path, day, p, p)
    scored, seen = unseen(find(tmp_path), [SPLITS["train"]])
    assert [str(made.day) for made in scored] == ["2023-07-10"]
    assert len(seen) == 2
    with pytest.raises(ConfigError, match="training periods"):
        unseen(seen, [SPLITS["train"]])


def test_maps_of_different_regimes_are_not_mixed(tmp_path: Path) -> None:
    p = np.full(CELLS.shape, 0.1)
    publish(tmp_path, DAYS[0], p, p)
    publish(tmp_path, DAYS[1], p, p, regime="hindsight")
    with pytest.raises(ConfigError, match="differ in regime"):
        find(tmp_path)


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    settings = EvaluateSettings(output=tmp_path / "file" / "scores")
    with pytest.raises(ConfigError, match=r"into .*scores within .*file: .* as evaluate\.output"):
        evaluate(settings, tmp_path / "none.zarr", tmp_path, SPLITS, progress=silent)


def test_a_dry_run_names_the_maps_to_be_scored_and_refuses_what_a_run_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", "--config", str(ROOT / "configs" / "small.yaml"), "--dry-run"]
    for wrong in (command, command[:-1]):
        assert main(wrong) == 2
        assert "there is no forecast in out/small/forecast" in capsys.readouterr().err
    p = np.full(CELLS.shape, 0.1)
    for day in ("2021-07-01", "2022-07-10"):
        publish(tmp_path / "out" / "small" / "forecast", day, p, p)
    before = sorted(tmp_path.rglob("*"))
    assert main(command) == 0
    assert capsys.readouterr().err == (
        "would score the maps of 2022-07-10 in out/small/forecast into out/small; left out, seen "
        "in training: 2021-07-01\n"
    )
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["would_score"], said["left_out"]) == (["2022-07-10"], ["2021-07-01"])
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no forecast"):
        find(tmp_path)


# ---- what baselines may know ----------------------------------------------------------------


def test_baselines_see_hotspots_published_by_the_start_and_none_after(record: Record) -> None:
    # Fire 2 starts on day 50, 20 June; its first hotspots are published in that fire day
    before, after = record.known("2023-06-20"), record.known("2023-06-21")
    assert before.distance[140, 120] > 5
    assert after.distance[140, 120] < 0.5
    assert after.age[140, 120] == 1.0


@pytest.mark.parametrize(
    ("regime", "day"),
    [("protocol", 65), ("operational", 60), ("hindsight", 69.5)],
)
def test_fire_weather_follows_the_regime(cube: Path, regime: str, day: float) -> None:
    made = Record(cube, Inputs(regime=regime), CELLS)
    fwi = made.known("2023-07-06").fwi  # day 66; fire weather is 5 days late
    assert fwi[50, 50] - fwi[50, 150] == pytest.approx(-0.1, abs=2e-3)
    base = 1.0 + 14 + 5  # as tests.tiny_cube.World.weather
    assert fwi[50, 50] == pytest.approx(base + 0.01 * day, abs=2e-3)


def test_the_region_is_read_tile_by_tile() -> None:
    pieces = parts(Grid(region=(90_000.0, 690_000.0, 120_000.0, 720_000.0)))
    assert [piece.shape for piece in pieces] == [(200, 100), (200, 200), (100, 100), (100, 200)]
    assert sum(piece.shape[0] * piece.shape[1] for piece in pieces) == 300 * 300
