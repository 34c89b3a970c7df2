"""What training changes, how often, and that a seed fixes it."""

from collections import Counter

import numpy as np
import pytest

from firesat.augmentation import LOSSES, Augmentation, Change, changed
from firesat.errors import ConfigError
from firesat.scaling import add_masks

NAMES = {"sentinel2": tuple("abcd"), "static": ("elevation",)}
LOOKS = 3


def draws(augmentation: Augmentation, number: int = 4000) -> list[Change]:
    return [augmentation.draw(np.random.default_rng(i), NAMES, LOOKS) for i in range(number)]


def chip() -> dict[str, np.ndarray]:
    """Look k has reflectance k + 1 and age 10 (k + 1)."""
    looks = np.arange(1, LOOKS + 1, dtype="f4")
    return {
        "sentinel2": np.ones((LOOKS, 4, 5, 5), "f4") * looks[:, None, None, None],
        "age": 10 * np.ones((LOOKS, 5, 5), "f4") * looks[:, None, None],
        "modis": np.ones((2, 3, 4, 4), "f4"),
        "weather": np.ones((6, 2, 2, 2), "f4"),
        "fire": np.ones((3, 5, 5), "f4"),
    }


def altered(change: Change) -> dict[str, np.ndarray]:
    return {name: changed(name, values, change) for name, values in chip().items()}


def test_by_default_nothing_happens() -> None:
    assert set(draws(Augmentation(), 20)) == {Change()}
    same = altered(Change())
    for name, values in chip().items():
        np.testing.assert_array_equal(same[name], values)


@pytest.mark.parametrize(
    ("flips", "quarter_turns", "turns"),
    [
        (True, True, set(range(8))),
        (True, False, {0, 1, 2, 3}),
        (False, True, {0, 3, 5, 6}),
        (False, False, {0}),
    ],
)
def test_turns_are_drawn_evenly(flips: bool, quarter_turns: bool, turns: set[int]) -> None:
    seen = Counter(c.turn for c in draws(Augmentation(flips=flips, quarter_turns=quarter_turns)))
    assert seen.keys() == turns
    # 4000 draws: five standard deviations of a binomial count
    share = 4000 / len(turns)
    assert all(abs(count - share) <= 5 * np.sqrt(share) for count in seen.values())


def test_rows_and_columns_stay_where_a_slope_lacks_its_other_component() -> None:
    lone = {**NAMES, "static": ("northness",)}
    both = Augmentation(flips=True, quarter_turns=True)
    assert both.turns(lone) == (0, 1, 2, 3)
    assert Augmentation(quarter_turns=True).turns(lone) == (0, 3)


def test_each_look_is_lost_as_often_as_told() -> None:
    kept = [change.looks for change in draws(Augmentation(look_dropout=0.25))]
    for look in range(LOOKS):
        lost = np.mean([look not in some for some in kept])
        assert lost == pytest.approx(0.25, abs=0.035)  # five standard deviations
    both = np.mean([0 not in some and 1 not in some for some in kept])
    assert both == pytest.approx(0.25**2, abs=0.02)


def test_older_looks_move_up_when_one_is_lost() -> None:
    after = add_masks(altered(Change(looks=(0, 2))))
    np.testing.assert_array_equal(after["sentinel2"][:2, 0, 0, 0], [1, 3])
    np.testing.assert_array_equal(after["age"][:2, 0, 0], [10, 30])
    assert np.isnan(after["sentinel2"][2]).all()
    np.testing.assert_array_equal(after["clear"][:, 0, 0], [1, 1, 0])
    assert not add_masks(altered(Change(looks=())))["clear"].any()


def test_modalities_go_missing_as_often_as_told() -> None:
    lost = Counter(change.lost for change in draws(Augmentation(modality_dropout=0.3)))
    assert lost.keys() == {(), *LOSSES}
    assert lost[()] == pytest.approx(2800, abs=150)
    assert all(lost[names] == pytest.approx(200, abs=70) for names in LOSSES)


@pytest.mark.parametrize(("name", "mask"), [
    ("sentinel2", "clear"), ("modis", "modis_mask"), ("weather", "weather_mask"),
    ("fire", "fire_mask"),
])  # fmt: skip
def test_a_missing_modality_is_a_mask_and_the_others_stay(name: str, mask: str) -> None:
    after = add_masks(altered(Change(lost=(name,))))
    assert np.isnan(after[name]).all()
    masks = {"clear", "modis_mask", "weather_mask", "fire_mask"}
    assert {m for m in masks if not after[m].any()} == {mask}
    assert {m for m in masks if after[m].all()} == masks - {mask}
    assert name == "fire" or (after["fire"] == 1).all()


def test_jitter_multiplies_each_look_and_band() -> None:
    gains = [change.gains for change in draws(Augmentation(spectral_jitter=0.1), 2000)]
    stacked = np.stack([g for g in gains if g is not None])
    assert stacked.shape == (2000, LOOKS, 4)
    np.testing.assert_allclose(stacked.mean(0), 1, atol=5 * 0.1 / np.sqrt(2000))
    np.testing.assert_allclose(stacked.std(0), 0.1, rtol=0.1)
    after = altered(Change(gains=stacked[0]))["sentinel2"]
    np.testing.assert_allclose(after[2, 1], 3 * stacked[0, 2, 1], rtol=1e-6)
    assert (
        np.array([c.gains.min() for c in draws(Augmentation(spectral_jitter=1.0), 50)]) >= 0
    ).all()


@pytest.mark.parametrize("name", ["look_dropout", "modality_dropout", "spectral_jitter"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_impossible_chances_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{name} is {value}: it goes from 0"):
        Augmentation(**{name: value})
