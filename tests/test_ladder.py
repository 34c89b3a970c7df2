"""The ladder's parts: what is asked without, what is trained already, scores beside a known law."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from rich.console import Console

from firesat.batch import MASKS
from firesat.boosting import Boosting, Tabular
from firesat.cube import create_cube
from firesat.datamodule import ChipData
from firesat.errors import ConfigError, CubeError
from firesat.forecast import Forecaster
from firesat.grid import Grid
from firesat.ladder import refuse_elsewhere, rungs
from firesat.ladder.expected import Expected, ExpectedScores
from firesat.ladder.maps import BOOSTING, MISSING, load_models, without
from firesat.ladder.result import Ladder, Row
from firesat.ladder.rungs import rung_of, train_rung
from firesat.ladder.settings import LadderSettings
from firesat.ladder.table import blind_verdicts, summary
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks, Estimate
from firesat.metrics.case import CaseScores, Difference
from firesat.project import load, read_yaml, shipped
from firesat.sandbox.truth import Chances
from firesat_models import TemporalCNN
from tests.fake_chips import CHANNELS, make_batch
from tests.tiny_chips import write_tiny_chips

SHAPE = (60, 50)
DRAWS = 4000


@pytest.fixture(scope="module")
def law() -> np.ndarray:
    """Chances between 1e-4 and 0.2."""
    rng = np.random.default_rng(0)
    return 10 ** rng.uniform(-4, -0.7, SHAPE)


@pytest.fixture(scope="module")
def draws(law: np.ndarray) -> Chances:
    rng = np.random.default_rng(1)
    counts = rng.binomial(DRAWS, law, (2, *SHAPE)).astype(np.int32)
    return Chances(counts=np.stack([counts, np.zeros_like(counts)], axis=1), draws=DRAWS)


CELLS = GeoBox((SHAPE[0], SHAPE[1]), Affine(100, 0, 0, 0, -100, 6000), "EPSG:3979")
DAYS = [np.datetime64(day, "D") for day in ("2021-07-01", "2021-07-17", "2021-08-02")]


def expected() -> Expected:
    """Nothing counted yet."""
    return Expected(blocks=Blocks.of(200.0, 16, DAYS), settings=EvaluateSettings(resamples=200))


def expected_ap(forecast: np.ndarray, p: np.ndarray) -> float:
    """The formula, term by term."""
    order = np.argsort(-forecast.ravel(), kind="stable")
    p = p.ravel()[order]
    return float((p * p.cumsum() / np.arange(1, p.size + 1)).sum() / p.sum())


def test_expected_ap_is_that_of_the_formula(law: np.ndarray, draws: Chances) -> None:
    rng = np.random.default_rng(2)
    forecast = law * np.exp(rng.normal(0, 1, SHAPE))
    found = expected()
    found.add(DAYS[0], CELLS, {"model": forecast}, draws, np.ones(SHAPE, bool))
    scores = found.scores("model")
    assert scores.ap.value == pytest.approx(expected_ap(forecast, law), rel=0.02)
    assert found.best == pytest.approx(expected_ap(law, law), rel=0.03)
    assert scores.share == pytest.approx(scores.ap.value / found.best)


def test_the_law_itself_reaches_all_and_a_constant_the_prevalence(
    law: np.ndarray, draws: Chances
) -> None:
    found = expected()
    maps = {"law": law, "flat": np.full(SHAPE, 0.01)}
    found.add(DAYS[0], CELLS, maps, draws, np.ones(SHAPE, bool))
    best, flat = found.scores("law"), found.scores("flat")
    assert best.share == pytest.approx(1.0, abs=0.03)
    assert (best.ratio, best.slope) == pytest.approx((1.0, 1.0), abs=0.02)
    assert flat.ap.value == pytest.approx(law.mean(), rel=0.02)
    assert flat.ratio == pytest.approx(0.01 / law.mean(), rel=0.02)


def test_expected_brier_skill_is_that_of_the_formula(law: np.ndarray, draws: Chances) -> None:
    rng = np.random.default_rng(5)
    found, known = expected(), np.ones(SHAPE, bool)
    model = law * np.exp(rng.normal(0, 0.5, SHAPE))
    errors = dict.fromkeys(("model", "law", "climatology"), 0.0)
    for number, day in enumerate(DAYS):
        p = law / (1 + number)
        some = replace(draws, counts=rng.binomial(DRAWS, p, (2, *SHAPE)).astype(np.int32)[:, None])
        some = replace(some, counts=np.concatenate([some.counts, 0 * some.counts], axis=1))
        maps = {"model": model, "law": p, "climatology": np.full(SHAPE, law.mean())}
        found.add(day, CELLS, maps, some, known)
        for name, f in maps.items():
            errors[name] += float((p * (1 - f) ** 2 + (1 - p) * f**2).mean())
    value, low, high = found.scores("model").brier_skill or (0.0, 0.0, 0.0)
    assert value == pytest.approx(1 - errors["model"] / errors["climatology"], rel=0.02)
    assert low < value < high
    best = 1 - errors["law"] / errors["climatology"]
    assert found.best_brier_skill == pytest.approx(best, rel=0.02)
    skill = found.scores("law").brier_skill
    assert skill is not None
    assert skill.value == pytest.approx(best, rel=0.02)
    assert found.gain("model", "model") == (0.0, 0.0, 0.0)
    gain = found.gain("law", "model")
    assert 0 < gain.low <= gain.value <= gain.high
    assert gain.value == pytest.approx(1 - errors["law"] / errors["model"], rel=0.02)


def test_without_climatology_there_is_no_expected_brier_skill(
    law: np.ndarray, draws: Chances
) -> None:
    found = expected()
    found.add(DAYS[0], CELLS, {"law": law}, draws, np.ones(SHAPE, bool))
    assert found.scores("law").brier_skill is None
    assert np.isnan(found.best_brier_skill)


def test_days_add_up_and_cells_that_are_not_scored_do_not_count(
    law: np.ndarray, draws: Chances
) -> None:
    scored = np.ones(SHAPE, bool)
    scored[:20] = False
    once, twice = expected(), expected()
    once.add(DAYS[0], CELLS, {"law": law}, draws, scored)
    twice.add(DAYS[0], CELLS, {"law": law}, draws, scored)
    twice.add(DAYS[0], CELLS, {"law": law}, draws, scored)
    assert once.scores("law").ratio == pytest.approx(twice.scores("law").ratio)
    assert once.scores("law").ratio == pytest.approx(1.0, abs=0.03)
    assert once.scores("law").ap == pytest.approx(twice.scores("law").ap)
    (one,), (two,) = once.by_block["law"].values(), twice.by_block["law"].values()
    np.testing.assert_allclose(two, 2 * one)


def test_few_draws_of_fires_that_burn_as_one_promise_no_skill() -> None:
    """Whole squares burn or not: a product within the same draws would be far too large."""
    chance = np.kron(10 ** np.random.default_rng(4).uniform(-3, -1, (6, 5)), np.ones((10, 10)))
    found, skills = [], []
    flat = np.full(SHAPE, chance.mean())
    for seed in range(40):
        rng = np.random.default_rng(seed)
        squares = rng.binomial(5, chance[::10, ::10], (2, 6, 5))
        counts = np.kron(squares, np.ones((1, 10, 10))).astype(np.int32)
        few = Chances(counts=np.stack([counts, np.zeros_like(counts)], axis=1), draws=5)
        judge = expected()
        maps = {"law": chance, "climatology": flat}
        judge.add(DAYS[0], CELLS, maps, few, np.ones(SHAPE, bool))
        skills.append(judge.best_brier_skill)
        share = sum(sums[4] for sums in judge.moments["law"].values())  # of all that was drawn
        found.append((judge.scores("law").ap.value * share, share))
    hits, total = np.sum(found, axis=0)
    assert hits / total == pytest.approx(expected_ap(chance, chance), rel=0.15)
    errors = [(f * f - 2 * f * chance + chance).mean() for f in (chance, flat)]
    assert np.mean(skills) == pytest.approx(1 - errors[0] / errors[1], abs=0.03)


def test_a_lead_in_expected_ap_is_told_by_blocks(law: np.ndarray, draws: Chances) -> None:
    rng = np.random.default_rng(3)
    found = expected()
    for number, day in enumerate(DAYS):
        once = replace(draws, counts=draws.counts // (1 + number))
        worse = law * np.exp(rng.normal(0, 1, SHAPE))
        flat = 0.01 * (1 + 1e-3 * law)  # one coarse bin, many fine ones
        maps = {"law": law, "twin": law.copy(), "worse": worse, "flat": flat}
        found.add(day, CELLS, maps, once, np.ones(SHAPE, bool))
    lead = found.lead("law", "worse")
    assert 0 < lead.low < lead.value < lead.high
    assert found.lead("law", "twin") == (0.0, 0.0, 0.0)
    for name in ("law", "worse", "flat"):
        value, low, high = found.scores(name).ap
        assert low < value < high
    assert lead.value == pytest.approx(
        found.scores("law").ap.value - found.scores("worse").ap.value
    )


def test_blocks_in_which_nothing_is_expected_tell_nothing(law: np.ndarray, draws: Chances) -> None:
    found = expected()
    assert found.blocks_that_may_burn == 0
    for day, part in zip(DAYS, (1, 0, 2), strict=True):
        some = replace(draws, counts=part * draws.counts)
        found.add(day, CELLS, {"law": law}, some, np.ones(SHAPE, bool))
    found.add(DAYS[1], CELLS, {"law": law}, draws, np.zeros(SHAPE, bool))  # nothing is scored
    assert found.blocks_that_may_burn == 2


def test_an_interval_of_expected_ap_is_that_of_whole_blocks(
    law: np.ndarray, draws: Chances
) -> None:
    found = expected()
    each = []
    for number, day in enumerate(DAYS[:2]):
        some = replace(draws, counts=draws.counts // (1 + 3 * number))
        alone = expected()
        for judge in (found, alone):
            judge.add(day, CELLS, {"law": law}, some, np.ones(SHAPE, bool))
        each.append(alone.scores("law").ap.value)
    # of two blocks a resample has one twice, or each once
    _, low, high = found.scores("law").ap
    assert (low, high) == pytest.approx((min(each), max(each)), rel=0.01)


@pytest.mark.parametrize("how", MISSING)
def test_what_a_model_is_asked_without_is_masked(how: str) -> None:
    batch = make_batch(1)
    less = without(batch, MISSING[how])
    for name, mask in MASKS.items():
        gone = name in MISSING[how]
        assert bool(less[mask].any()) is not gone
        assert torch.equal(less[name], batch[name]) is not gone


def test_one_network_of_each_kind_is_trained_first() -> None:
    settings = LadderSettings(networks=("cnn", "vit"), seeds=2)
    assert settings.rungs == [("cnn", 0), ("vit", 0), ("cnn", 1), ("vit", 1)]
    with pytest.raises(ConfigError, match="at least one network"):
        LadderSettings(networks=())


def section_of(chips: Path) -> dict[str, Any]:
    """What a project says of training."""
    return {
        "model": {"network": {"class_path": "firesat_models.TemporalCNN"}},
        "data": {"path": str(chips), "batch_size": 4, "workers": 0},
        "trainer": {"accelerator": "cpu"},
    }


def test_a_rung_is_trained_once_and_anew_when_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chips = write_tiny_chips(tmp_path / "chips.zarr", train=8, val=4)
    section = section_of(chips)
    settings = LadderSettings(output=tmp_path / "ladder", networks=("conv_lstm",), epochs=1)
    assert rung_of(section, settings, "conv_lstm", 0) is None
    made = train_rung(section, settings, "conv_lstm", 0)
    written = made.checkpoint.stat().st_mtime_ns
    assert train_rung(section, settings, "conv_lstm", 0) == made
    assert made.checkpoint.stat().st_mtime_ns == written
    with monkeypatch.context() as patched:  # the same settings, other code
        more = tmp_path / "more.py"
        more.write_text("STRIDE = 2")
        files = rungs._sources(shipped("configs/model/conv_lstm.yaml"))
        assert {"conv_lstm.py", "losses.py", "regression.py"} <= {file.name for file in files}
        patched.setattr(rungs, "_sources", lambda _: [*files, more])
        assert rung_of(section, settings, "conv_lstm", 0) is None
    longer = LadderSettings(output=tmp_path / "ladder", networks=("conv_lstm",), epochs=2)
    assert rung_of(section, longer, "conv_lstm", 0) is None
    write_tiny_chips(chips, train=9, val=4)
    assert rung_of(section, settings, "conv_lstm", 0) is None
    with pytest.raises(ConfigError, match="no network resnet9"):
        train_rung(section, settings, "resnet9", 0)


def test_code_that_is_edited_during_a_training_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chips = write_tiny_chips(tmp_path / "chips.zarr", train=8, val=4)
    section = section_of(chips)
    settings = LadderSettings(output=tmp_path / "ladder", networks=("conv_lstm",), epochs=1)
    more = tmp_path / "more.py"
    more.write_text("STRIDE = 1")
    files = [*rungs._sources(shipped("configs/model/conv_lstm.yaml")), more]
    monkeypatch.setattr(rungs, "_sources", lambda _: files)
    learn = rungs.train

    def edited(*words: Any) -> Any:
        scores = learn(*words)
        more.write_text("STRIDE = 2")
        return scores

    monkeypatch.setattr(rungs, "train", edited)
    assert train_rung(section, settings, "conv_lstm", 0).checkpoint.is_file()
    assert rung_of(section, settings, "conv_lstm", 0) is None  # of the code as it is now


def test_draws_over_more_than_a_tile_and_other_regions_are_refused_first(tmp_path: Path) -> None:
    content = read_yaml(shipped("configs/sandbox.yaml"))
    content["cube"]["path"] = str(tmp_path / "cube.zarr")
    content["grid"]["region"] = [10000, 620000, 110000, 680000]
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(content))
    project = load(tmp_path / "wide.yaml")
    refuse_elsewhere(project, LadderSettings())
    with pytest.raises(ConfigError, match="--draws 2 needs a region within one tile"):
        refuse_elsewhere(project, LadderSettings(draws=2))
    create_cube(project.cube.path, Grid(region=(10000, 620000, 70000, 680000)))
    with pytest.raises(CubeError, match="lies elsewhere than the config says"):
        refuse_elsewhere(project, LadderSettings())


def test_trees_learn_the_rule_and_say_it_at_the_prevalence_of_nature() -> None:
    train, val = ([make_batch(8, seed=s) for s in seeds] for seeds in (range(8), range(8, 11)))
    found = Boosting.fit(train, val)
    batch = make_batch(8, seed=20)
    chance = found.predict(batch)
    assert chance.shape == (8, 2, 40, 40)
    known = (batch["valid"] > 0).numpy()
    burned = (batch["label"] > 0).numpy() & known
    for head in range(2):
        hit, miss = chance[:, head][burned[:, head]], chance[:, head][~burned[:, head]]
        assert np.median(hit) > 3 * np.median(miss)
    weight = batch["weight"].numpy()[:, None, None, None] * known
    assert (chance * weight).sum() == pytest.approx((burned * weight).sum(), rel=0.35)


def test_a_row_of_drivers_says_what_is_not_known() -> None:
    batch = make_batch(1)
    whole = Tabular().features(batch)
    blank = Tabular().features(without(batch, ("sentinel2", "modis", "weather", "fire")))
    ground = CHANNELS.static + 2
    assert whole.shape == blank.shape
    assert (~blank.isnan().flatten(2).all(dim=2)).sum() == ground
    assert not whole.isnan().flatten(2).all(dim=2).any()


def difference(baseline: str, *interval: float) -> Difference:
    return Difference(
        baseline=baseline,
        event="any fire",
        zone="all",
        score="average precision",
        estimate=Estimate(*interval),
        blocks_with_fire=30,
    )


def case(name: str, ap: float) -> Row:
    """A row of which only the average precision matters."""
    estimate = Estimate(ap, ap, ap)
    scores = CaseScores(
        forecast=name, event="any fire", zone="all", probability=True, cells=1, burned=1,
        prevalence=1.0, fires=1, blocks=1, blocks_with_fire=1, ap=estimate, lift=estimate,
        capture={}, capture_daily={}, capture_curve=[], observed_ha=0.0,
    )  # fmt: skip
    return Row(name=name, scores=scores, slope=1.0)


@pytest.mark.parametrize(
    ("interval", "seeds", "words"),
    [
        ((0.001, -0.002, 0.004), (0.002, 0.000), "cnn gains nothing by a blind Sentinel-2 ("),
        ((0.030, 0.010, 0.050), (0.020, 0.040), "cnn GAINS by a blind Sentinel-2: something leaks"),
        (
            (0.005, 0.001, 0.012),
            (-0.002, 0.012),
            "cnn gains no more by a blind Sentinel-2 than one",
        ),
        ((-0.03, -0.05, -0.01), (-0.02, -0.04), "cnn loses by a blind Sentinel-2 ("),
    ],
)
def test_a_blind_ladder_says_what_sentinel2_gains(
    interval: tuple[float, float, float], seeds: tuple[float, float], words: str
) -> None:
    compared = [difference("boosting", 1, 1, 1), difference("cnn_without_sentinel2", *interval)]
    rows = [case("cnn", 0.2), case("cnn_without_sentinel2", 0.1)]
    for number, gain in enumerate(seeds):
        rows += [
            case(f"cnn {number}", 0.1 + gain), case(f"cnn_without_sentinel2 {number}", 0.1)
        ]  # fmt: skip
    said = blind_verdicts(
        Ladder(
            rows=rows,
            missing=[],
            differences={"cnn": compared},
            losses={},
            best=None,
            best_brier_skill=None,
        )
    )
    assert len(said) == 1
    assert said[0].startswith(words)
    assert said[0].endswith(f"seed by seed {seeds[0]:+.4f}, {seeds[1]:+.4f}).")


def test_a_terminal_shows_by_how_much_each_network_leads_and_what_that_says() -> None:
    skill = replace(difference("boosting", -0.01, -0.02, -0.005), score="Brier skill")
    less = replace(difference("cnn 0 without weather", 0.0, -0.1, 0.1), blocks_with_fire=3)
    facts = {
        "days": ["2021-07-01"], "regime": "protocol", "calibrated_on": [], "sandbox": True,
        "draws": 0, "blind": False, "elsewhere": False,
    }  # fmt: skip
    ladder = Ladder(
        rows=[case("boosting", 0.2), case("cnn", 0.1)],
        missing=[],
        differences={"cnn": [difference("boosting", 0.03, 0.01, 0.05), skill]},
        losses={"cnn": [less]},
        best=None,
        best_brier_skill=None,
        facts=facts,
    )
    screen = Console(width=110, record=True, file=StringIO())
    screen.print(summary(ladder))
    lines = [line for line in screen.export_text().splitlines() if line.strip()]
    lead = next(n for n, line in enumerate(lines) if line.startswith("cnn less"))
    assert lines[lead + 1].split() == ["average", "precision", "Brier", "skill"]
    rows = [line.split() for line in lines[lead + 3 :]]
    assert rows[0] == ["boosting", "+0.0300", "ahead", "-0.0100", "BEHIND"]
    assert rows[1] == ["[+0.0100,+0.0500]", "[-0.0200,-0.0050]"]
    weather = next(line.split() for line in lines if "without weather" in line)
    assert weather[4:] == ["+0.0000", "not", "told", "apart", "(few", "blocks)"]
    assert not any("Best possible" in line for line in lines)


def test_a_terminal_shows_expected_scores_under_their_names() -> None:
    law = ExpectedScores(
        ap=Estimate(0.11, 0.01, 0.19), share=0.37, ratio=1.0, slope=1.0,
        brier_skill=Estimate(0.0312, 0.01, 0.05),
    )  # fmt: skip
    ladder = Ladder(
        rows=[case("boosting", 0.2), replace(case("cnn", 0.1), expected=law)],
        missing=[], differences={}, losses={}, best=0.29, best_brier_skill=0.2,
        facts={
            "days": ["2021-07-01"], "regime": "protocol", "calibrated_on": [], "sandbox": True,
            "draws": 25, "blind": False, "elsewhere": False,
        },
    )  # fmt: skip
    screen = Console(width=130, record=True, file=StringIO())
    screen.print(summary(ladder))
    said = screen.export_text()
    assert "Best possible by 25 draws a half: E[AP] 0.2900, Brier skill 0.200." in said
    lines = [line.split() for line in said.splitlines()]
    header = next(number for number, line in enumerate(lines) if line[:1] == ["model"])
    assert lines[header - 1] == ["of", "Brier", "skill", "slope", "weights"]
    assert lines[header][3:] == ["E[AP]", "best", "x1000", "E[skill]", "exp./obs.", "seconds"]
    number = next(number for number, line in enumerate(lines) if line[:1] == ["cnn"])
    assert lines[number][3:] == ["0.1100", "0.37", "-", "-", "1.00", "-"]
    assert lines[number + 1][-2:] == ["0.031", "-"]


def test_a_blind_ladder_trains_each_network_without_sentinel2_too(tmp_path: Path) -> None:
    blind = LadderSettings(networks=("cnn",), seeds=2, blind=True)
    assert blind.rungs == [
        ("cnn", 0), ("cnn_without_sentinel2", 0), ("cnn", 1), ("cnn_without_sentinel2", 1),
    ]  # fmt: skip
    chips = write_tiny_chips(tmp_path / "chips.zarr", train=8, val=4)
    section = section_of(chips)
    settings = LadderSettings(
        output=tmp_path / "ladder", networks=("conv_lstm",), epochs=1, seeds=1, blind=True
    )
    made = [train_rung(section, settings, *rung) for rung in settings.rungs]
    assert [rung.name for rung in made] == ["conv_lstm 0", "conv_lstm_without_sentinel2 0"]
    train = list(ChipData(chips, batch_size=4, workers=0).train_dataloader())
    models = load_models(made, Boosting.fit(train, train), 80, elsewhere=False)
    assert models.spared == ("conv_lstm 0",)
    batch = train[0]
    junk = batch | {"sentinel2": torch.randn_like(batch["sentinel2"])}
    names = list(models.networks)
    assert models.by_chip((200, 300)) == {(80, 16): [BOOSTING, *names]}
    wider = models.networks | {"cnn 0": Forecaster(TemporalCNN(CHANNELS))}
    free = replace(models, chip=None, networks=wider)  # as large as the region has room for
    assert free.by_chip((200, 300)) == {(200, 16): [BOOSTING, *names], (200, 40): ["cnn 0"]}
    one, two = dict(models.answers(names, batch)), dict(models.answers(names, junk))
    np.testing.assert_array_equal(*(all_[made[1].name] for all_ in (one, two)))
    assert not np.array_equal(*(all_[made[0].name] for all_ in (one, two)))
