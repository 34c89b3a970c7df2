"""The ladder on the small world: trained, calibrated, scored beside the truth, and told."""

import json
from pathlib import Path

import numpy as np

from firesat.ladder.result import EXPECTED_AP, EXPECTED_SKILL
from tests.story.conftest import firesat

LADDER = ("ladder", "--config", "small.yaml", "--networks", "cnn", "--seeds", "1")


def test_a_small_ladder_says_all_that_its_scores_must_not_be_read_without(
    story: Path, workplace: Path
) -> None:
    done = firesat(*LADDER, "--draws", "2", cwd=workplace)
    assert done.returncode == 0, done.stderr[-4000:]
    words = " ".join(done.stderr.split())
    for needed in (
        "Measured on the sandbox",
        "Negatives: full map",
        "calibrated on maps of 2 held-out days",
        "intervals unreliable",
        "cnn less",
        "cnn 0 less",
    ):
        assert needed in words
    found = json.loads((story / "ladder" / "ladder.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows)[:5] == ["climatology", "persistence", "FWI x fuel", "boosting", "cnn"]
    # one seed: the mean of all is that seed
    assert rows["cnn"]["scores"]["ap"] == rows["cnn 0"]["scores"]["ap"]
    for row in rows.values():
        value, low, high = row["expected"]["ap"]
        assert 0 < value < 1
        assert 0 < low <= high < 1
        value, low, high = row["expected"]["brier_skill"]
        assert low <= value <= high < found["best_brier_skill"] < 1
    by_draws = [d for d in found["differences"]["cnn"] if d["score"] == EXPECTED_AP]
    assert [d["baseline"] for d in by_draws] == list(rows)[:4]
    for each in by_draws:
        gain = rows["cnn"]["expected"]["ap"][0] - rows[each["baseline"]]["expected"]["ap"][0]
        assert np.isclose(each["estimate"][0], gain)
    skills = [d for d in found["differences"]["cnn"] if d["score"] == EXPECTED_SKILL]
    assert [d["baseline"] for d in skills] == list(rows)[:4]
    assert skills[0]["estimate"] == rows["cnn"]["expected"]["brier_skill"]  # against climatology
    assert found["facts"]["calibrated_on"] == ["2021-07-21", "2021-07-29"]
    assert found["facts"]["epochs"] == 1  # as the project's training
    asked = {row["name"] for row in found["missing"]}
    assert {"cnn 0", "cnn 0 without weather", "cnn 0 weather alone"} <= asked
    assert np.isfinite([row["slope"] for row in rows.values()]).all()
    again = firesat(*LADDER, "--dry-run", cwd=workplace)
    assert "would train nothing" in again.stderr
