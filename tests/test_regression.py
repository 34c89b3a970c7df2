"""The drivers of a network: a penalised logistic regression, fitted before the training."""

from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from firesat import regression
from firesat.errors import SampleError
from firesat.forecast import Forecaster
from firesat.jobs.train.lightning import quiet
from firesat.penalised import Fit, Rows, fit
from firesat.regression import CELLS, gather, start
from firesat_models import TemporalCNN
from firesat_models.drivers import Drivers
from tests.fake_chips import CHANNELS, FakeChips, make_batch


def _rows(number: int, weight: Tensor, bias: Tensor, seed: int = 0) -> Rows:
    """Cells that burn by a logistic law."""
    rng = torch.Generator().manual_seed(seed)
    features = 2.0 + 3.0 * torch.randn(number, weight.shape[1], generator=rng)
    chance = (features @ weight.T + bias).sigmoid()
    label = (torch.rand(chance.shape, generator=rng) < chance).float()
    return Rows(features=features, label=label, weight=torch.ones_like(label))


WEIGHT, BIAS = torch.tensor([[0.5, 0.0, -0.3], [0.0, 0.2, 0.0]]), torch.tensor([-4.0, -3.0])


def test_a_law_is_found_again_and_so_is_the_number_of_fires() -> None:
    rows = _rows(40_000, WEIGHT, BIAS)
    found = fit(rows, 1e-5)
    torch.testing.assert_close(found.weight, WEIGHT, rtol=0, atol=0.03)
    torch.testing.assert_close(found.bias, BIAS, rtol=0, atol=0.12)
    expected = (rows.features @ found.weight.T + found.bias).sigmoid().sum(dim=0)
    torch.testing.assert_close(expected, rows.label.sum(dim=0), rtol=1e-3, atol=0)


def test_a_cell_that_stands_for_two_counts_as_two() -> None:
    rows = _rows(2_000, WEIGHT, BIAS)
    double = replace(
        rows, weight=torch.where(torch.arange(2_000) < 500, 2.0, 1.0)[:, None] * rows.weight
    )
    twice = Rows(
        **{name: torch.cat([value[:500], value]) for name, value in vars(rows).items()}
    )  # fmt: skip
    one, other = fit(double, 0.0), fit(twice, 0.0)
    torch.testing.assert_close(one.weight, other.weight, rtol=0, atol=0.01)


def test_a_penalty_shrinks_the_weights_and_keeps_the_number_of_fires() -> None:
    rows = _rows(5_000, WEIGHT, BIAS)
    norms = [fit(rows, penalty).weight.norm().item() for penalty in (0.01, 0.3, 10.0)]
    assert norms == sorted(norms, reverse=True)
    strong = fit(rows, 1e4)
    assert strong.weight.abs().max() < 1e-3
    rate = rows.label.mean(dim=0)
    level = (rows.features.mean(dim=0) @ strong.weight.T + strong.bias).sigmoid()
    torch.testing.assert_close(level, rate, rtol=0.02, atol=0)


def test_a_head_without_fire_learns_its_rate_alone() -> None:
    rows = _rows(1_000, WEIGHT, BIAS)
    rows.label[:, 0] = 0.0
    found = fit(rows, 0.1)
    assert found.weight[0].abs().max() < 1e-6
    assert found.bias[0] < -10


def test_the_penalty_is_that_under_which_other_chips_are_least_surprising(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise in 60 features and few fires: a weak penalty learns the noise."""
    drivers = Drivers(replace(CHANNELS, weather=2, fire=20, static=36))
    rng = torch.Generator().manual_seed(3)

    def batches(number: int) -> list[dict[str, Tensor]]:
        out = []
        for seed in range(number):
            batch = make_batch(1, seed=seed + number)
            batch["weather"] = torch.randn(1, 6, 2, 4, 4, generator=rng)
            batch["weather_mask"] = torch.ones(1, 6, 2)
            batch["fire"] = torch.randn(1, 20, 1, 1, generator=rng).expand(1, 20, 40, 40)
            batch["fire_mask"] = torch.ones(1, 20)
            batch["static"] = torch.randn(1, 36, 1, 1, generator=rng).expand(1, 36, 40, 40)
            batch["starts"].zero_()
            out.append(batch)
        return out

    train, val = batches(20), batches(9)
    monkeypatch.setattr(regression, "PENALTIES", (1e-4, 1e3))
    bias = start(drivers, [train], val)
    rows = gather(drivers, val)
    chosen = Fit(weight=drivers.weight, bias=bias).surprise(rows)
    weak = fit(gather(drivers, train), 1e-4).surprise(rows)
    assert (chosen < weak)[:2].all()
    assert drivers.weight.abs().max() < 1e-2
    start(drivers, [train], None)  # nothing to choose by: all features, and the stronger one
    strong = fit(gather(drivers, train), 1e3)
    torch.testing.assert_close(drivers.weight, strong.weight)


def _season(seed: int, sign: float, number: int = 6) -> list[dict[str, Tensor]]:
    """Chips whose cells burn by a fire layer, and by a wind that acts as `sign` says."""
    rng = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(number):
        batch = make_batch(4, seed=int(torch.randint(1 << 30, (1,), generator=rng)))
        wind = batch["weather"][:, -1, 2].mean(dim=(1, 2))[:, None, None]
        odds = 2.0 * batch["fire"][:, 0] + sign * wind - 4.0
        burns = torch.rand(odds.shape, generator=rng) < odds.sigmoid()
        batch["label"] = burns[:, None].float().expand(-1, 2, -1, -1).clone()
        batch["starts"].zero_()
        batches.append(batch)
    return batches


def _of_weather(drivers: Drivers) -> Tensor:
    """Weights of the weather in the heads of burning."""
    return drivers.weight[:2, : CHANNELS.weather]


def test_weather_whose_effect_does_not_come_back_gets_no_weight() -> None:
    drivers = Drivers(CHANNELS)
    drivers.weight.fill_(5.0)  # of an earlier fit
    fickle = [_season(seed, sign) for seed, sign in enumerate((2.0, -2.0, 2.0, -2.0))]
    start(drivers, fickle, None)
    assert not _of_weather(drivers).any()
    assert (drivers.weight[:2, CHANNELS.weather] > 0.5).all()


def test_weather_that_acts_alike_in_all_seasons_gets_its_weight() -> None:
    drivers = Drivers(CHANNELS)
    start(drivers, [_season(seed, 2.0) for seed in range(3)], _season(9, 2.0))
    assert (_of_weather(drivers)[:, 2] > 0.5).all()


def test_a_season_of_which_one_cell_is_known_chooses_nothing() -> None:
    drivers, lonely = Drivers(CHANNELS), make_batch(1)
    where = lonely["valid"][0, 0].nonzero()[0]
    lonely["valid"].zero_()
    lonely["valid"][..., where[0], where[1]] = 1.0
    season = _season(1, 2.0)
    alone = start(drivers, [season], None)
    weight = drivers.weight.clone()
    start(drivers, [season], [lonely])
    torch.testing.assert_close(drivers.weight, weight)
    assert alone.isfinite().all()


def test_some_cells_of_a_season_count_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Rows] = []

    def spy(self: Fit, rows: Rows) -> Tensor:
        judged.append(rows)
        return rows.weight.sum(dim=0)

    monkeypatch.setattr(regression, "ENOUGH", 500)
    monkeypatch.setattr(Fit, "surprise", spy)
    seasons = [_season(seed, 0.0, number=2) for seed in range(6)]
    drivers = Drivers(CHANNELS)
    start(drivers, seasons, None)
    rows = [gather(drivers, batches) for batches in seasons]
    for number, part in enumerate(judged[:: len(regression.PENALTIES)][: regression.FOLDS]):
        assert len(part.label) <= 500
        total = torch.stack([each.weight.sum(dim=0) for each in rows[number :: regression.FOLDS]])
        torch.testing.assert_close(part.weight.sum(dim=0), total.sum(dim=0), rtol=0.1, atol=0)


def test_where_there_is_neither_fire_nor_ground_the_rest_is_chosen_among() -> None:
    bare = Drivers(replace(CHANNELS, fire=0, static=0))
    season, weather = list(range(4, 6)), list(range(4))
    assert bare.choices == [season, weather, weather + season]


def test_what_is_taken_of_a_chip_counts_for_all_of_it() -> None:
    drivers, batch = Drivers(CHANNELS), make_batch(2)
    rows = gather(drivers, [batch])
    cells = batch["valid"] * batch["weight"][:, None, None, None]
    burning = (cells * batch["label"]).sum(dim=(0, 2, 3))
    torch.testing.assert_close((rows.weight * rows.label).sum(dim=0)[:2], burning)
    total = cells.sum(dim=(0, 2, 3))
    torch.testing.assert_close(rows.weight.sum(dim=0)[:2], total, rtol=0.03, atol=0)
    around = 100 * int(batch["starts"].sum())  # the cells of the squares in which fires start
    assert len(rows.label) < 2 * CELLS + int(batch["label"].sum()) + around + 1


def test_the_starts_of_a_square_are_shared_among_its_cells() -> None:
    drivers, batch = Drivers(CHANNELS), make_batch(2)
    batch["valid"] = torch.ones_like(batch["valid"])
    rows = gather(drivers, [batch])
    counted = (batch["starts"].sum(dim=(1, 2, 3)) * batch["weight"]).sum()
    torch.testing.assert_close((rows.weight * rows.label).sum(dim=0)[2], counted)


@pytest.mark.parametrize("fire", [0, CHANNELS.fire])
def test_the_linear_part_is_its_features_times_its_weights(fire: int) -> None:
    torch.manual_seed(0)
    drivers, batch = Drivers(replace(CHANNELS, fire=fire)), make_batch(2)
    batch["fire"], batch["fire_mask"] = batch["fire"][:, :fire], batch["fire_mask"][:, :fire]
    drivers.weight.normal_()
    drivers.bias.normal_()
    product = torch.einsum("nfyx,lf->nlyx", drivers.features(batch), drivers.weight)
    expected = product + drivers.bias[:, None, None]
    torch.testing.assert_close(drivers(batch), expected, rtol=1e-4, atol=1e-4)


def _together(seed: int, weight: float) -> list[dict[str, Tensor]]:
    """A season whose cells burn by the product of two layers of fires."""
    rng = torch.Generator().manual_seed(seed)
    batch = make_batch(4, seed=seed)
    near, young = batch["fire"][:, 0], batch["fire"][:, 1]
    odds = weight * near * young - 4.0
    burns = torch.rand(near.shape, generator=rng) < odds.sigmoid()
    batch["label"] = burns[:, None].float().expand(-1, 2, -1, -1).clone()
    batch["starts"].zero_()
    return [batch]


def test_fires_that_act_together_get_the_weight_of_their_product() -> None:
    drivers = Drivers(CHANNELS)
    start(drivers, [_together(seed, 1.5) for seed in range(4)], None)
    first = drivers.weight[0]
    products = first[drivers.columns["products"]]
    assert drivers._pairs(first.device)[:, 1].tolist() == [0, 1]
    assert 0.5 < products[1] < 1.5  # the penalty takes its share
    others = torch.cat([first[drivers.columns["fires"]], products[:1], products[2:]])
    assert products[1] > 2 * others.abs().max()


def test_rows_are_gathered_where_the_chips_are_wherever_the_network_is() -> None:
    """Lightning brings the network to its device first; batches are still on the CPU."""
    there = Drivers(CHANNELS).to("meta")
    here, batch = gather(Drivers(CHANNELS), [make_batch(2)]), make_batch(2)
    torch.testing.assert_close(gather(there, [batch]).features, here.features)


def test_averaged_weights_leave_the_products_as_they_are() -> None:
    drivers = Drivers(replace(CHANNELS, fire=6))
    assert all(buffer.is_floating_point() for buffer in drivers.buffers())
    mean = torch.optim.swa_utils.AveragedModel(
        drivers, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
    )
    drivers.weight.normal_()
    for _ in range(300):
        mean.update_parameters(drivers)
    batch = make_batch(1)
    batch["fire"] = torch.randn(1, 6, 40, 40)
    batch["fire_mask"] = torch.ones(1, 6)
    torch.testing.assert_close(mean(batch), drivers(batch), rtol=1e-4, atol=1e-4)


def test_products_whose_effect_does_not_come_back_get_no_weight() -> None:
    drivers = Drivers(CHANNELS)
    start(drivers, [_together(seed, 0.6 * (-1.0) ** seed) for seed in range(4)], None)
    assert not drivers.weight[:2, drivers.columns["products"]].any()


def test_the_newest_day_that_is_known_is_read_variable_by_variable() -> None:
    drivers, batch = Drivers(CHANNELS), make_batch(1)
    batch["weather_mask"][0, 3:, 1] = 0
    batch["weather_mask"][0, :, 2] = 0
    batch["weather"][0, 3:, 1] = torch.nan
    middle = drivers.features(batch)[0, :4, 20, 20]
    near = batch["weather"][0, :, :, 1:3, 1:3].mean(dim=(-2, -1))
    assert middle.tolist() == pytest.approx(
        [near[5, 0].item(), near[2, 1].item(), 0.0, near[5, 3].item()], abs=0.4
    )
    assert middle.isfinite().all()


def test_a_training_starts_where_the_regression_ends(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TemporalCNN(CHANNELS, width=8, encoder_args={"channels": [8, 8, 8, 8]})
    with torch.no_grad():
        network.head.weight.zero_()
    forecaster, chips = Forecaster(network, learning_rate=1e-12), FakeChips(train=64, val=16)
    with quiet():
        trainer = pl.Trainer(
            accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
            num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(forecaster, chips)
    assert network.drivers.weight.any()
    batch = make_batch(64, seed=1)
    with torch.no_grad():
        chance = forecaster.eval().forecast(batch)[:, 1:]
    cells = batch["valid"] * batch["weight"][:, None, None, None]
    # a logistic regression forecasts as many fires as there were
    expected, burnt = (chance * cells).sum(), (batch["label"] * cells).sum()
    assert expected.item() == pytest.approx(burnt.item(), rel=0.1)


def test_chips_of_which_nothing_is_known_are_refused_in_one_line() -> None:
    batch = make_batch(2)
    batch["valid"].zero_()
    with pytest.raises(SampleError, match="of 0 cells of the training chips") as caught:
        start(Drivers(CHANNELS), [[batch]], None)
    assert "\n" not in str(caught.value)
