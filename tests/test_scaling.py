"""Moments by hand, missing values, and a journey through JSON."""

import json

import numpy as np
import pytest

from firesat.errors import SampleError
from firesat.scaling import Moments, Scaler, add_masks

NAMES = {
    "weather": ("t2m", "tp"),
    "static": ("elevation", "water", "fuel_1"),
    "fire": ("proximity",),
}


def chip(t2m: float, rain: float, elevation: float, fuel: float) -> dict[str, np.ndarray]:
    """Fields of one cell each."""
    return {
        "weather": np.array([t2m, rain], "f4").reshape(1, 2, 1, 1),
        "static": np.array([elevation, 0.25, fuel], "f4").reshape(3, 1, 1),
        "fire": np.array([0.5], "f4").reshape(1, 1, 1),
    }


@pytest.fixture
def scaler() -> Scaler:
    moments = Moments(NAMES)
    moments.add(chip(280, 0, 100, 0))
    moments.add(chip(290, np.e - 1, 300, 1))
    moments.add(chip(np.nan, np.nan, 200, 1))
    return moments.scaler()


def test_moments_by_hand(scaler: Scaler) -> None:
    # 280 and 290: mean 285, std 5; log(1 + 0) = 0 and log(e) = 1: mean 0.5, std 0.5
    assert scaler.mean["weather"] == pytest.approx((285, 0.5))
    assert scaler.std["weather"] == pytest.approx((5, 0.5))
    assert scaler.mean["static"][0] == pytest.approx(200)
    assert scaler.std["static"][0] == pytest.approx(np.sqrt(20000 / 3))


def test_scaled_values_by_hand(scaler: Scaler) -> None:
    done = scaler.apply(chip(295, np.e - 1, 200, 1))
    np.testing.assert_allclose(done["weather"].ravel(), [2, 1], rtol=1e-5)
    assert done["weather"].dtype == np.float32


def test_classes_and_layers_from_0_to_1_stay_as_they_are(scaler: Scaler) -> None:
    done = scaler.apply(chip(280, 0, 100, 1))
    assert done["static"][2] == 1
    assert done["fire"] == np.float32(0.5)


def test_a_channel_that_never_varies_becomes_zero(scaler: Scaler) -> None:
    assert scaler.std["static"][1] == 1
    assert scaler.apply(chip(280, 0, 100, 1))["static"][1] == 0


def test_missing_becomes_zero_and_has_a_mask() -> None:
    batch = {
        "age": np.array([[[3.0]], [[np.nan]]], "f4"),
        "modis": np.array([np.nan, 0.5], "f4").reshape(1, 2, 1, 1),
        "weather": np.full((2, 1, 2, 2), 5.0, "f4"),
    }
    batch["weather"][1] = np.nan
    masked = add_masks(batch)
    assert masked["clear"].ravel().tolist() == [1, 0]
    assert masked["modis_mask"].ravel().tolist() == [0, 1]
    assert masked["weather_mask"].tolist() == [[1], [0]]
    plain = Scaler(names={}, mean={}, std={}).apply(masked)
    assert plain["age"].ravel().tolist() == [3, 0]
    assert plain["modis"].ravel().tolist() == [0, 0.5]


def test_a_batch_scales_as_its_chips_do(scaler: Scaler) -> None:
    chips = [chip(281, 2, 150, 0), chip(288, np.nan, 170, 1)]
    batch = {name: np.stack([c[name] for c in chips]) for name in chips[0]}
    together = scaler.apply(batch)
    for number, one in enumerate(chips):
        for name, values in scaler.apply(one).items():
            np.testing.assert_array_equal(together[name][number], values)


def test_a_batch_adds_up_as_its_chips_do(scaler: Scaler) -> None:
    chips = [chip(280, 0, 100, 0), chip(290, np.e - 1, 300, 1), chip(np.nan, np.nan, 200, 1)]
    moments = Moments(NAMES)
    moments.add({name: np.stack([c[name] for c in chips]) for name in chips[0]})
    assert moments.scaler() == scaler


def test_survives_json(scaler: Scaler) -> None:
    assert Scaler.from_record(json.loads(json.dumps(scaler.record))) == scaler


def test_other_channels_are_refused(scaler: Scaler) -> None:
    with pytest.raises(SampleError, match="static has 2 channels, the scaler 3"):
        scaler.apply({"static": np.zeros((2, 4, 4))})
