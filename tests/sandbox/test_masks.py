"""The mask beside the sandbox's truth: how errors are counted, and how large they are."""

import json
from pathlib import Path

import numpy as np
import pytest

from firesat.cli.main import main
from firesat.sandbox.masks import MaskAudit, audit_masks
from firesat.sandbox.world import World


def row(audit: MaskAudit, kind: str) -> dict[str, str | float]:
    return next(each for each in audit.rows if each["kind"] == kind)


def test_errors_are_counted_by_what_hides_a_cell_first() -> None:
    # eight cells: two of cloud, one of them in shadow as well; two of shadow; four clear
    names = ("cloud", "cirrus", "shadow", "smoke", "snow")
    hidden = {name: np.zeros((1, 8), dtype=bool) for name in names}
    hidden["cloud"][0, :2] = True
    hidden["shadow"][0, 1:4] = True
    found = {name: np.zeros((1, 8), dtype=bool) for name in names}
    found["cloud"][0, [0, 1, 7]] = True  # one too many
    found["shadow"][0, 3] = True  # one too few
    found["clear"] = ~(found["cloud"] | found["shadow"])
    error = np.array([[5, 5, 0.4, 0.3, 0, 0, 0, 0.02]], dtype=np.float32)
    audit = MaskAudit()
    audit.add(hidden, found, error)
    assert row(audit, "cloud") == {
        "kind": "cloud", "share": 0.25, "omission": 0.0, "commission": 0.3333, "error": ""
    }  # fmt: skip
    assert row(audit, "shadow") == {
        "kind": "shadow", "share": 0.25, "omission": 0.5, "commission": 0.0, "error": 0.4
    }  # fmt: skip
    assert row(audit, "clear") == {
        "kind": "clear", "share": 0.5, "omission": 0.25, "commission": 0.25, "error": 0.0
    }  # fmt: skip
    assert row(audit, "snow")["omission"] == ""
    assert row(audit, "all kept")["error"] == pytest.approx(0.1)  # 0.4 over four cells
    assert row(audit, "without mask")["error"] == pytest.approx(10.72 / 8)


def test_little_of_what_hides_the_ground_is_kept(small_world: World) -> None:
    seen: list[int] = []
    audit = audit_masks(small_world, lambda done, total, name: seen.append(done))
    assert audit.scenes == seen[-1] == len(seen) > 50
    for kind in ("cloud", "cirrus", "smoke", "snow"):
        assert float(row(audit, kind)["omission"]) < 0.03
    assert float(row(audit, "shadow")["omission"]) < 0.1
    assert float(row(audit, "clear")["omission"]) < 0.15
    assert (
        float(row(audit, "all kept")["error"]) < 5e-4 < float(row(audit, "without mask")["error"])
    )


def test_the_command_prints_the_errors(
    small_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "world.npz"
    small_world.save(path)
    assert main(["sandbox", "audit", "--masks", "--world", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured_on"] == "the sandbox"
    assert [kind["kind"] for kind in found["kinds"]][-2:] == ["all kept", "without mask"]


def test_an_audit_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "audit"]) == 2
    assert "--masks" in capsys.readouterr().err
