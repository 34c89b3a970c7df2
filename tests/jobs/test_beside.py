"""The table at the end of a training: the network beside baselines, with intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from firesat.cli.main import main
from firesat.jobs.train.beside import BASE, NETWORK, blocks_of, judge, tally
from tests.tiny_chips import write_tiny_chips


def _batches(chips: int = 6, seed: int = 0) -> list[dict[str, torch.Tensor]]:
    rng = torch.Generator().manual_seed(seed)
    label = (torch.rand(chips, 2, 10, 10, generator=rng) < 0.05).float()
    valid = (torch.rand(chips, 2, 10, 10, generator=rng) < 0.9).float()
    weight = torch.arange(1, chips + 1).float()
    whole = {"label": label, "valid": valid, "weight": weight}
    return [{k: v[:4] for k, v in whole.items()}, {k: v[4:] for k, v in whole.items()}]


def test_who_knows_all_has_everything_and_who_knows_the_rate_its_prevalence() -> None:
    batches = _batches()
    truth = torch.cat([batch["label"].amax(dim=1) for batch in batches])
    mass = torch.cat([b["valid"].amin(dim=1) * b["weight"][:, None, None] for b in batches])
    rate = float((truth * mass).sum() / mass.sum())
    forecasts = {
        NETWORK: lambda batch: 40.0 * batch["label"].amax(dim=1) - 20.0,
        BASE: lambda batch: torch.full_like(batch["label"][:, 0], np.log(rate / (1 - rate))),
    }
    network, base = judge(tally(forecasts, batches), np.arange(6))
    assert (network.forecast, base.forecast) == (NETWORK, BASE)
    assert network.ap == pytest.approx((1.0, 1.0, 1.0))
    assert network.brier_skill.value == pytest.approx(1.0, abs=1e-5)
    assert base.ap.value == pytest.approx(rate, rel=1e-5)
    assert base.ap.low < rate < base.ap.high
    assert base.behind.value == pytest.approx(1 - rate, rel=1e-5)
    assert base.brier_skill == pytest.approx((0.0, 0.0, 0.0))
    assert not network.reliable  # of six blocks


def test_differences_are_paired() -> None:
    rng = torch.Generator().manual_seed(1)
    noise = [torch.randn(len(b["label"]), 10, 10, generator=rng) - 3.0 for b in _batches()]
    batches = [{**batch, "noise": some} for batch, some in zip(_batches(), noise, strict=True)]
    forecasts = {
        NETWORK: lambda batch: batch["noise"],
        BASE: lambda batch: torch.full_like(batch["noise"], -3.0),
        "the same": lambda batch: batch["noise"].clone(),
    }
    same = judge(tally(forecasts, batches), np.arange(6))[2]
    assert same.ap.low < same.ap.high
    assert same.behind == (0.0, 0.0, 0.0)


def test_without_fire_there_is_nothing_to_compare() -> None:
    batches = [{**batch, "label": batch["label"] * 0} for batch in _batches()]
    forecasts = {name: lambda batch: batch["label"][:, 0] - 9.0 for name in (NETWORK, BASE)}
    assert judge(tally(forecasts, batches), np.arange(6)) == []


def test_a_block_is_200_km_and_16_days_of_a_year() -> None:
    table = pd.DataFrame(
        {
            "tile": ["x20y10", "x21y11", "x22y10", "x20y10", "x20y10"],
            "reference_time": pd.to_datetime(
                ["2021-06-10", "2021-06-12", "2021-06-10", "2021-07-10", "2022-06-10"], utc=True
            ),
        }
    )
    first, *others = blocks_of(table).tolist()
    assert others[0] == first
    assert len({first, *others}) == 4


def test_a_training_ends_with_a_table_beside_baselines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_chips(tmp_path / "chips.zarr", train=8, val=4)
    arguments = {"width": 8, "encoder_args": {"channels": [8, 8, 8, 8], "stem_width": 8}}
    network = {"class_path": "firesat_models.TemporalCNN", "init_args": arguments}
    content = {
        "model": {"network": network},
        "data": {"path": str(tmp_path / "chips.zarr"), "batch_size": 3, "workers": 0},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": str(tmp_path)},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    words = ["train", "fit", "--config", str(tmp_path / "train.yaml"), "--json"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    names = [row["forecast"] for row in report["baselines"]]
    assert names == [NETWORK, BASE, "known fires", "fire weather", "all drivers"]
    for name in names:
        assert name in err
    # counted in the same bins as while it learned
    assert report["baselines"][0]["ap"][0] == pytest.approx(report["scores"]["val/ap"], rel=1e-4)
    assert report["baselines"][1]["ap"][0] == pytest.approx(
        report["scores"]["val/prevalence"], rel=1e-4
    )
    assert main([*words, "--no-baselines"]) == 0
    assert json.loads(capsys.readouterr().out)["baselines"] == []
