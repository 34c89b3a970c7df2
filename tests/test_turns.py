"""Turned ground has turned slopes and turned winds."""

import numpy as np
import pytest

from firesat.turns import FLIPS, QUARTERS, SPATIAL, TURNS, lone_component, turned

SLOPES = ("elevation", "northness", "eastness")
WINDS = ("t2m", "u10", "v10")
NAMES = {"static": SLOPES, "weather": WINDS}


def ground(seed: int = 0, dtype: str = "f4") -> dict[str, np.ndarray]:
    """A chip whose slope components are minus the gradient of its elevation, the wind downhill."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[0:12, 0:12]
    a, b, c = rng.normal(size=3)
    elevation = a * row + b * col + 0.1 * c * row * col
    down, right = np.gradient(elevation)
    chip = {name: rng.random((2, 3, 12, 12)).astype(dtype) for name in SPATIAL}
    # slopes face where the ground falls: north is up, rows count down
    chip["static"] = np.stack([elevation, down, -right]).astype(dtype)
    chip["weather"] = np.stack([[elevation, -right, down]] * 2).astype(dtype)
    return {**chip, "season": np.array([1.0, 0.0]), "weather_mask": np.ones((3, 4))}


@pytest.mark.parametrize("dtype", ["f4", "f2"])
@pytest.mark.parametrize("turn", range(TURNS))
def test_slopes_and_winds_are_those_of_the_turned_elevation(turn: int, dtype: str) -> None:
    done = turned(ground(dtype=dtype), turn, NAMES)
    down, right = np.gradient(done["static"][0].astype("f8"))
    close = {"atol": 1e-5 if dtype == "f4" else 2e-2}
    elevation, north, east = done["static"]
    assert elevation.dtype == dtype
    np.testing.assert_allclose(north, down, **close)
    np.testing.assert_allclose(east, -right, **close)
    for _, u10, v10 in done["weather"]:
        np.testing.assert_allclose(v10, down, **close)
        np.testing.assert_allclose(u10, -right, **close)


def test_the_eight_turns_differ_and_none_changes_nothing() -> None:
    chip = ground()
    seen = {turned(chip, turn, NAMES)["label"].tobytes() for turn in range(TURNS)}
    assert len(seen) == TURNS
    for name, values in turned(chip, 0, NAMES).items():
        np.testing.assert_array_equal(values, chip[name])


def test_quarter_turns_are_turns_and_flips_undo_themselves() -> None:
    square = np.arange(9).reshape(1, 3, 3)
    shown = {turn: turned({"label": square}, turn, {})["label"][0] for turn in range(TURNS)}
    turns = [np.rot90(square[0], quarters).tolist() for quarters in range(4)]
    assert sorted(shown[turn].tolist() for turn in QUARTERS) == sorted(turns)
    for turn in FLIPS:
        twice = turned({"label": shown[turn][None]}, turn, {})["label"]
        np.testing.assert_array_equal(twice, square)


@pytest.mark.parametrize("turn", range(TURNS))
def test_all_fields_move_together(turn: int) -> None:
    chip = ground()
    for name in SPATIAL:
        chip[name] = np.zeros((1, 12, 12))
        chip[name][..., 2, 9] = 1
    done = turned(chip, turn, {})
    places = {tuple(np.argwhere(done[name][0])[0]) for name in SPATIAL}
    assert len(places) == 1


def test_fields_without_a_place_stay_and_the_original_is_untouched() -> None:
    chip = ground()
    before = chip["static"].copy()
    done = turned(chip, 7, NAMES)
    assert done["weather_mask"].shape == (3, 4)
    np.testing.assert_array_equal(chip["static"], before)


def test_without_slopes_static_layers_only_move() -> None:
    chip = {**ground(), "static": ground()["static"][:1]}
    moved = turned(chip, 1, {"static": ("elevation",)})["static"]
    np.testing.assert_array_equal(moved, chip["static"][:, ::-1])


def test_a_lone_component_is_mirrored_but_cannot_become_the_other() -> None:
    names = {"static": ("northness",)}
    chip = {"static": ground()["static"][1:2]}
    assert lone_component(names)
    assert not lone_component(NAMES)
    assert not lone_component({"static": ("elevation",), "weather": ("ws",)})
    mirrored = turned(chip, 1, names)["static"]
    np.testing.assert_array_equal(mirrored, -chip["static"][:, ::-1])
    np.testing.assert_array_equal(turned(chip, 2, names)["static"], chip["static"][:, :, ::-1])
    with pytest.raises(ValueError, match="turn 4 needs both northness and eastness"):
        turned(chip, 4, names)
