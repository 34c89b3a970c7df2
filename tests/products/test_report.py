"""The page of an evaluation: complete, honest, self-contained, readable by everyone."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from firesat.grid import geobox
from firesat.metrics import EvaluateSettings, Scores
from firesat.metrics.bootstrap import Blocks
from firesat.metrics.case import ZONES
from firesat.metrics.estimate import day_counts, judge
from firesat.metrics.scoring import Maps, Scoring
from firesat.products.report import page, write_report
from firesat.products.report.charts import as_image, reliability
from firesat.products.report.style import STYLE
from firesat.products.report.words import count

SETTINGS = EvaluateSettings(resamples=30, block_km=2.0, block_days=8)
SIDE = 40  # cells
VOID = {"meta", "img", "br", "hr", "link", "input"}


def made(*, sandbox: bool = True, burns: bool = True, blocks_km: float = 2.0) -> Scores:
    """Scores of a model that beats climatology and not persistence, on six windows."""
    rng = np.random.default_rng(0)
    issued = np.datetime64("2023-06-01") + np.arange(6) * np.timedelta64(8, "D")
    cells = geobox((0.0, 0.0, 4000.0, 4000.0), "EPSG:3979", 100)
    scoring = Scoring(
        blocks=Blocks.of(blocks_km, 8, list(issued)), event="fire", ranks=frozenset({"FWI"})
    )
    for day in issued:
        smooth = np.exp(rng.normal(-5, 1.5, (4, 4))).repeat(10, 0).repeat(10, 1).clip(0, 0.9)
        burned = (rng.random((SIDE, SIDE)) < smooth) & burns
        forecasts = {
            "model": np.sqrt(smooth * 0.02).clip(0, 1),
            "climatology": np.full((SIDE, SIDE), 0.02),
            "persistence": smooth,
            "FWI x fuel": (smooth * np.exp(rng.normal(0, 1, smooth.shape))).clip(0, 0.99),
            "FWI": rng.random((SIDE, SIDE)),
        }
        near = np.zeros((SIDE, SIDE), bool)
        near[: SIDE // 2] = True
        scoring.add(
            Maps(
                day=day, cells=cells, forecasts=forecasts, burned=burned,
                scored=np.ones_like(burned), near=near, fire=np.zeros((SIDE, SIDE), int),
            )
        )  # fmt: skip
    cases, differences = [], []
    for zone in ZONES:
        scored, compared = judge(scoring, zone, SETTINGS)
        cases += scored
        differences += compared
    facts = {
        "regime": "protocol", "sandbox": sandbox, "level": 0.9, "resamples": 30, "block_km": 2.0,
        "block_days": 8, "near_km": 5.0, "horizon_days": 8, "headline_cells": "at risk",
        "issue_days": [str(day) for day in issued], "issue_days_seen_in_training": [],
        "train_periods": ["2021-05-01 to 2022-09-30"], "cells_without_forecast": 12,
        "burned_cells_without_forecast": 1, "burned_cells_masked_as_unable": 3,
        "active_days": 10, "model": "test.Net <small>",
        "checkpoint_sha256": "ab" * 32, "firesat_version": "0.1.0", "forecast_version": "0.1.0",
        "seed": 0,
    }  # fmt: skip
    return Scores(cases=cases, differences=differences, days=day_counts(scoring), facts=facts)


@pytest.fixture(scope="module")
def scores() -> Scores:
    return made()


@pytest.fixture(scope="module")
def html(scores: Scores, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    picture = folder / "quicklook.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    path = write_report(scores, folder / "out" / "report.html", picture=picture)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every start tag with its attributes; refuses tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def elements(html: str) -> Elements:
    parsed = Elements()
    parsed.feed(html)
    return parsed


def text_of(html: str) -> str:
    without = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", without)


def test_every_element_closes(html: str) -> None:
    assert elements(html).open == []


def test_nothing_is_fetched_from_elsewhere(html: str) -> None:
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "<script" not in html
    for tag, attrs in elements(html).found:
        source = attrs.get("src") or attrs.get("href")
        assert source is None or source.startswith("data:"), tag


def test_everyone_can_read_it(html: str) -> None:
    found = elements(html).found
    tags = [tag for tag, _ in found]
    assert dict(found)["html"]["lang"] == "en"
    assert {attrs.get("lang") for tag, attrs in found if tag == "p"} >= {"en", "fr"}
    assert all(attrs.get("alt") for tag, attrs in found if tag == "img")
    assert tags.count("h1") == 1
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in found if tag == "th")
    assert tags.count("caption") == tags.count("table") == len(ZONES)
    assert "width=device-width" in html
    assert "@media print" in html


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    if len(colour) == 4:
        colour = "#" + "".join(2 * c for c in colour[1:])
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_stand_out_from_their_background() -> None:
    named = dict(re.findall(r"--([\w-]+): (#\w+)", STYLE))
    pairs = [("ink", "paper"), ("soft", "paper"), ("soft", "wash"), ("accent", "paper"),
             ("accent", "wash"), ("warn", "warn-wash"), ("paper", "accent")]  # fmt: skip
    for front, back in pairs:
        bright, dark = sorted((luminance(named[front]), luminance(named[back])), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (front, back)


def test_the_notice_and_the_sandbox_label_stand_on_the_page(html: str) -> None:
    text = text_of(html)
    assert "Measured on the sandbox" in text
    assert "Not an official fire danger rating" in text
    assert "2023-06-01 to 2023-07-19" in text
    assert "Ne remplace ni l&#x27;indice officiel" in text or "Ne remplace ni l'indice" in text


def test_scores_come_with_prevalence_regime_interval_and_doubt(html: str, scores: Scores) -> None:
    text = text_of(html)
    model = scores.case("model")
    assert f"{model.ap.value:.4f} [{model.ap.low:.4f}, {model.ap.high:.4f}]" in text
    for words in ("prevalence", "Negatives: full map", "Weather regime: protocol", "90 % interval"):
        assert words in text
    assert "Interval unreliable." not in text


def test_few_blocks_and_real_data_are_told_from_many_and_the_sandbox() -> None:
    html = page(made(sandbox=False, blocks_km=50.0))
    assert "Interval unreliable." in html
    assert "intervals unreliable" in html
    assert "sandbox" not in text_of(html)


def test_the_page_says_where_the_model_is_not_ahead(html: str, scores: Scores) -> None:
    text = text_of(html)
    assert scores.difference("climatology").verdict == "ahead"
    assert scores.difference("persistence").verdict != "ahead"
    assert "is ahead of climatology" in text
    assert "not ahead of persistence" in text
    assert "Until the model is ahead" in text


def test_facts_are_escaped(html: str) -> None:
    assert "test.Net &lt;small&gt;" in html


def test_a_season_without_fire_is_said_and_not_judged() -> None:
    html = page(made(burns=False))
    assert elements(html).open == []
    assert "Nothing burned" in html
    assert ">nan" not in html
    assert "Until the model is ahead" not in html


def test_the_share_of_cells_without_a_forecast_is_said_where_it_matters(scores: Scores) -> None:
    cells = scores.case("model").cells
    words = "of the cells at risk; 1 of them burned."
    assert words not in page(scores)  # 12 cells: under 1 %
    for burns in (True, False):
        found = made(burns=burns)
        found.facts["cells_without_forecast"] = 3 * cells
        assert f"the {count(3 * cells)} cells without a forecast: 75 % {words}" in page(found)
    found.facts["cells_without_forecast"] = 9999 * cells
    assert f"over 99.9 % {words}" in page(found)


def test_the_same_scores_give_the_same_chart(scores: Scores) -> None:
    first, again = (as_image(reliability(scores.case("model"))) for _ in range(2))
    assert first == again


def test_the_page_stays_small(html: str) -> None:
    assert len(html) < 600_000


def test_reliability_shows_bins_in_which_nothing_burned(scores: Scores) -> None:
    model = scores.case("model")
    burned = sum(part.burned > 0 for part in model.reliability)
    figure = reliability(model)
    above, below = figure.axes
    assert above.get_xscale() == above.get_yscale() == "log"
    points = above.containers[0].lines[0].get_xdata()
    assert len(points) == burned
    ringed = {line.get_label(): line.get_ydata() for line in below.lines}
    assert ringed["burned"].sum() == model.burned
    assert ringed["expected"].sum() == pytest.approx(model.expected)


def test_an_unwritten_page_leaves_no_half_file(scores: Scores, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_report(scores, tmp_path / "report.html", picture=tmp_path / "absent.png")
    assert not (tmp_path / "report.html").exists()
