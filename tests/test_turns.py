"""Turned ground has turned slopes."""

import numpy as np
import pytest

from firesat.turns import SPATIAL, TURNS, turned

NAMES = ("elevation", "northness", "eastness")


def ground(seed: int = 0) -> dict[str, np.ndarray]:
    """A chip whose slope components are minus the gradient of its elevation."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[0:12, 0:12]
    a, b, c = rng.normal(size=3)
    elevation = a * row + b * col + 0.1 * c * row * col
    down, right = np.gradient(elevation)
    chip = {name: rng.random((2, 3, 12, 12)).astype("f4") for name in SPATIAL}
    # slopes face where the ground falls: north is up, rows count down
    chip["static"] = np.stack([elevation, down, -right]).astype("f4")
    return {**chip, "season": np.array([1.0, 0.0]), "weather_mask": np.ones((3, 4))}


@pytest.mark.parametrize("turn", range(TURNS))
def test_slopes_are_those_of_the_turned_elevation(turn: int) -> None:
    elevation, north, east = turned(ground(), turn, NAMES)["static"]
    down, right = np.gradient(elevation)
    np.testing.assert_allclose(north, down, atol=1e-5)
    np.testing.assert_allclose(east, -right, atol=1e-5)


def test_the_eight_turns_differ_and_none_changes_nothing() -> None:
    chip = ground()
    seen = {turned(chip, turn, NAMES)["label"].tobytes() for turn in range(TURNS)}
    assert len(seen) == TURNS
    for name, values in turned(chip, 0, NAMES).items():
        np.testing.assert_array_equal(values, chip[name])


@pytest.mark.parametrize("turn", range(TURNS))
def test_all_fields_move_together(turn: int) -> None:
    chip = ground()
    for name in SPATIAL:
        if name != "static":
            chip[name][:] = 0
            chip[name][..., 2, 9] = 1
    done = turned(chip, turn, NAMES)
    places = {tuple(np.argwhere(done[n][0, 0])[0]) for n in SPATIAL if n != "static"}
    assert len(places) == 1


def test_fields_without_a_place_stay_and_the_original_is_untouched() -> None:
    chip = ground()
    before = chip["static"].copy()
    done = turned(chip, 7, NAMES)
    assert done["weather_mask"].shape == (3, 4)
    np.testing.assert_array_equal(chip["static"], before)


def test_without_slopes_static_layers_only_move() -> None:
    chip = {**ground(), "static": ground()["static"][:1]}
    moved = turned(chip, 1, ("elevation",))["static"]
    np.testing.assert_array_equal(moved, chip["static"][:, ::-1])
