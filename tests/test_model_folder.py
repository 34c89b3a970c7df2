"""A trained forecaster's folder: whole and fitting itself, or refused in one line."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from firesat.calibration import Curve
from firesat.checkpoint_file import Durable
from firesat.errors import CheckpointError
from firesat.forecast import Forecaster
from firesat.grid import Grid
from firesat.jobs.predict.refusals import leads_of, refuse_mixed_parts, refuse_other_grid
from firesat.losses import Loss
from firesat.model_folder import (
    CALIBRATION,
    CARD,
    CONFIG,
    CURVES,
    FILES,
    IDENTITY,
    PROVENANCE,
    SCALER,
    WEIGHTS,
    fingerprint,
    load_forecaster,
    with_calibration,
    write_folder,
)
from firesat.samples import Inputs
from firesat.scaling import SCALED, Scaler
from firesat.window import Window
from firesat_models import TemporalCNN
from tests.fake_chips import CHANNELS, make_batch

SIZES = {name: getattr(CHANNELS, name) for name in ("sentinel2", "modis", "weather", "static")}
SCALING = {name: [[f"{name}{i}", 0.5, 2.0] for i in range(size)] for name, size in SIZES.items()}
ORIGIN = {"data_sha256": "ab" * 32, "config_hash": "cd" * 8, "git_revision": "", "seed": 3}


def checkpoint(path: Path, seed: int = 0, **settings: Loss) -> Path:
    """A checkpoint as a training writes it."""
    torch.manual_seed(seed)
    network = TemporalCNN(CHANNELS, width=8, weather_width=8)
    forecaster = Forecaster(network, inputs={"regime": "protocol"}, scaler=SCALING, **settings)
    forecaster.provenance = {**ORIGIN, "crs": "EPSG:3979"}
    forecaster.watch.last = {"val/loss": 0.25}
    content: dict[str, Any] = {"state_dict": forecaster.state_dict()}
    forecaster.on_save_checkpoint(content)
    Durable().save_checkpoint(content, path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("made") / "best.ckpt")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    write_folder(made, tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_forecasts_as_its_checkpoint_does(made: Path, folder: Path) -> None:
    batch = make_batch(1)
    (one, inputs, scaler), (other, *_) = load_forecaster(folder), load_forecaster(made)
    assert (inputs, scaler) == ({"regime": "protocol"}, SCALING)
    assert torch.equal(one.outlook(batch)["leads"], other.outlook(batch)["leads"])
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_its_card_says_where_it_comes_from_and_how_it_scored(folder: Path) -> None:
    words = (folder / CARD).read_text()
    for needed in ("TemporalCNN", ORIGIN["data_sha256"], "val/loss | 0.25", "not an official"):
        assert str(needed) in words


def test_its_card_says_so_where_its_outputs_are_no_chances(tmp_path: Path, folder: Path) -> None:
    other = checkpoint(tmp_path / "dice.ckpt", loss=Loss(dice=0.5, positive_weight=6.7))
    write_folder(other, tmp_path / "dice")
    words = (tmp_path / "dice" / CARD).read_text()
    assert "no chances" in words
    assert "dice 0.5, positive_weight 6.7, smoothing 0, gamma 0" in words
    assert "no chances" not in (folder / CARD).read_text()


GROWTH = Curve(pivot=-6.0, shift=0.4, knots=(-7.0,), slopes=(0.8, 1.3))
NEW = Curve(shift=-0.2)
CALIBRATED = {
    "method": CURVES,
    "curves": {"growth": GROWTH.record, "new": NEW.record},
    "rests_on": {
        head: {"expected": 7.4, "burned": 9, "slope": 1.25, "fires": 5, "blocks": 2}
        for head in ("growth", "new")
    },
    "days": ["2022-08-01", "2022-08-09"],
}


def test_a_calibrated_folder_forecasts_by_its_curves_and_says_so(
    folder: Path, tmp_path: Path
) -> None:
    batch = make_batch(1)
    plain = load_forecaster(folder)[0]
    with_calibration(folder, tmp_path / "calibrated", CALIBRATED)
    mended = load_forecaster(tmp_path / "calibrated")[0]
    with torch.inference_mode():
        before, after = plain.outputs(batch), mended.outputs(batch)
        found = mended.outlook(batch)
    wanted = torch.stack([GROWTH(before.odds[:, 0]), NEW(before.odds[:, 1])], dim=1)
    torch.testing.assert_close(after.odds, wanted)
    assert torch.equal(after.window[:, 2], before.window[:, 2])  # starts are counted, not burned
    torch.testing.assert_close(found["leads"][:, -1], found["probability"][:, 0])
    assert "7 of 9 | 1.25 | 5 in 2" in (tmp_path / "calibrated" / CARD).read_text()
    assert fingerprint(tmp_path / "calibrated") != fingerprint(folder)


def test_a_calibration_can_be_replaced_and_taken_away(folder: Path, tmp_path: Path) -> None:
    words = (folder / CARD).read_text()
    for _ in range(2):
        with_calibration(folder, folder, CALIBRATED)
    assert (folder / CARD).read_text().count("## Calibration") == 1
    with_calibration(folder, tmp_path / "raw", IDENTITY)
    assert (tmp_path / "raw" / CARD).read_text() == words
    assert load_forecaster(tmp_path / "raw")[0].curves == {}
    with_calibration(folder, folder, IDENTITY)
    assert fingerprint(folder) == fingerprint(tmp_path / "raw")


def test_a_calibration_that_is_none_leaves_the_folder_as_it_was(folder: Path) -> None:
    was = fingerprint(folder)
    with pytest.raises(CheckpointError, match="damaged"):
        with_calibration(folder, folder, FALLING)
    assert fingerprint(folder) == was
    assert not list(folder.parent.glob(".*.part"))


def test_a_folder_of_checkpoints_is_refused_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    for ask in (fingerprint, load_forecaster):
        with pytest.raises(
            CheckpointError, match=r"lacks weights\.safetensors, config\.yaml, .*: "
        ):
            ask(tmp_path)
    best = checkpoint(tmp_path / "best.ckpt")
    for ask in (fingerprint, load_forecaster):
        with pytest.raises(
            CheckpointError, match=r"lacks .*README\.md; .* is .*best\.ckpt"
        ) as told:
            ask(tmp_path)
        assert str(told.value).endswith(str(best))


def test_other_weights_have_another_fingerprint(folder: Path, tmp_path: Path) -> None:
    write_folder(checkpoint(tmp_path / "x.ckpt", seed=1), tmp_path / "other")
    assert fingerprint(tmp_path / "other") != fingerprint(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        load_forecaster(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(CheckpointError) as refusal:
        load_forecaster(folder)
    assert "\n" not in str(refusal.value)


def signed(folder: Path) -> None:
    """Make the sums right again: somebody meant the change."""
    known = json.loads((folder / PROVENANCE).read_text())
    for name in known["files"]:
        known["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / PROVENANCE).write_text(json.dumps(known))


def change_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = yaml.safe_load((folder / CONFIG).read_text())
        for key, value in changes.items():
            (config["channels"] if key in asdict(CHANNELS) else config)[key] = value
        (folder / CONFIG).write_text(yaml.safe_dump(config))

    return change


def change_scaler(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / SCALER).write_text(json.dumps({**SCALING, **changes}))

    return change


def forget(file: str, key: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / file
        content = yaml.safe_load(path.read_text())
        del content[key]
        path.write_text(json.dumps(content))

    return change


def break_weights(value: float | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        name = "network.head.weight"
        if value is None:
            del weights[name]
        else:
            weights[name].view(-1)[0] = value
        save_file(weights, folder / WEIGHTS)

    return change


def change_calibration(content: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / CALIBRATION).write_text(json.dumps(content))

    return change


FALLING = {"method": CURVES, "curves": {"growth": {"slopes": [-1.0]}, "new": {}}}
STRAIGHT = {"method": CURVES, "curves": {"growth": Curve().record}}


OTHERWISE: dict[str, tuple[Callable[[Path], None], str]] = {
    "twelve bands": (change_config(sentinel2=12), "sentinel2 was 12, is 13"),
    "other MODIS": (change_config(modis=2), "modis was 2, is 3"),
    "other weather": (change_config(weather=9), "weather was 9, is 4"),
    "other ground": (change_config(static=6), "static was 6, is 5"),
    "other fires": (change_config(fire=2), "does not fit its own network"),
    "no leads": (change_config(leads=0), "does not fit its own network"),
    "more leads": (change_config(leads=5), "does not fit its own network"),
    "one head": (change_config(heads=1), "does not fit its own network"),
    "a wider network": (change_config(network_args={"width": 16}), "does not fit its own network"),
    "a key too many": (change_config(network_args={"depth": 3}), "cannot build"),
    "another network": (
        change_config(network_class="firesat_models.TemporalViT"),
        "does not fit|cannot build",
    ),
    "code from elsewhere": (
        change_config(network_class="os.system"),
        "only those of firesat_models",
    ),
    "a scaler of twelve bands": (
        change_scaler(sentinel2=SCALING["sentinel2"][:12]),
        "sentinel2 was 13, is 12",
    ),
    "a scaler without weather": (change_scaler(weather=[]), "weather was 4, is 0"),
    "a scaler of more ground": (change_scaler(static=SCALING["static"] * 2), "static was 5, is 10"),
    "weights of NaN": (break_weights(float("nan")), "not finite"),
    "weights of infinity": (break_weights(float("inf")), "not finite"),
    "a weight less": (break_weights(None), "does not fit its own network"),
    "another calibration": (change_calibration({"method": "isotonic"}), "by isotonic"),
    "no method of calibration": (change_calibration(["growth"]), "does not know"),
    "a calibration that falls": (change_calibration(FALLING), "calibration .* is damaged"),
    "a calibration of one process": (change_calibration(STRAIGHT), "wanted of .*new"),
    "a calibration without curves": (change_calibration({"method": CURVES}), "firesat calibrate"),
    "no data": (forget(PROVENANCE, "data_sha256"), "does not say data_sha256"),
    "no settings": (forget(PROVENANCE, "config_hash"), "does not say config_hash"),
    "no revision": (forget(PROVENANCE, "git_revision"), "does not say git_revision"),
    "no version": (forget(PROVENANCE, "firesat_version"), "does not say firesat_version"),
    "no inputs": (forget(CONFIG, "inputs"), "does not say inputs"),
    "no precision": (forget(CONFIG, "precision"), "does not say precision"),
    "no channels": (forget(CONFIG, "channels"), "does not say channels"),
    "no sums": (forget(PROVENANCE, "files"), "damaged"),
}


@pytest.mark.parametrize("how", OTHERWISE)
def test_a_folder_that_does_not_fit_itself_is_refused_with_the_difference(
    folder: Path, how: str
) -> None:
    change, words = OTHERWISE[how]
    change(folder)
    if how != "no sums":
        signed(folder)
    with pytest.raises(CheckpointError, match=words) as refusal:
        load_forecaster(folder)
    assert "\n" not in str(refusal.value)


def test_a_cube_of_another_grid_is_refused_with_both(folder: Path, tiny_cube: Path) -> None:
    forecaster, *_ = load_forecaster(folder)
    refuse_other_grid(forecaster, tiny_cube)
    forecaster.provenance["crs"] = "ESRI:102001"
    with pytest.raises(CheckpointError, match="crs was ESRI:102001, is EPSG:3979"):
        refuse_other_grid(forecaster, tiny_cube)


def test_a_cube_whose_cells_lie_elsewhere_is_refused_in_one_line(
    folder: Path, tiny_cube: Path
) -> None:
    forecaster, *_ = load_forecaster(folder)
    forecaster.provenance["lattice"] = Grid().lattice
    refuse_other_grid(forecaster, tiny_cube)
    forecaster.provenance["lattice"] = {"origin": [-2_600_050.0, 4_000_000.0], "cell_size": 20}
    with pytest.raises(CheckpointError) as refusal:
        refuse_other_grid(forecaster, tiny_cube)
    said = str(refusal.value)
    assert "cell_size was 20, is 100" in said
    assert "origin was [-2600050.0, 4000000.0], is [-2600000.0, 4000000.0]" in said
    assert "\n" not in said


def test_parts_of_other_forecasters_are_refused_with_the_difference() -> None:
    inputs = Inputs(looks=2, weather_days=4)
    zeros = {name: (0.0,) * len(some) for name, some in inputs.names.items()}
    scaled = {name: some for name, some in inputs.names.items() if name in SCALED}
    scaler = Scaler(names=scaled, mean=zeros, std=zeros)
    forecaster = Forecaster(TemporalCNN(inputs.channels(80), width=8, weather_width=8))
    refuse_mixed_parts(forecaster, inputs, scaler)
    turned_round = replace(scaler, names=scaled | {"modis": inputs.modis[::-1]})
    with pytest.raises(CheckpointError, match=r"does not fit its own scaler: bands\.modis was"):
        refuse_mixed_parts(forecaster, inputs, turned_round)
    lacking = replace(scaler, names={name: scaled[name] for name in scaled if name != "weather"})
    with pytest.raises(CheckpointError, match=r"does not fit its own scaler: bands\.weather was"):
        refuse_mixed_parts(forecaster, inputs, lacking)
    longer = replace(inputs, window=Window(horizon=5))
    with pytest.raises(CheckpointError, match=r"does not fit its own inputs: leads was 8, is 5"):
        refuse_mixed_parts(forecaster, longer, scaler)
    without = Forecaster(
        TemporalCNN(replace(inputs.channels(80), leads=0), width=8, weather_width=8)
    )
    refuse_mixed_parts(without, longer, scaler)


def test_days_are_not_asked_of_a_network_that_does_not_tell_them_apart() -> None:
    network = TemporalCNN(replace(CHANNELS, leads=0), width=8, weather_width=8)
    assert leads_of(Forecaster(network), by_day=False) == 0
    with pytest.raises(CheckpointError, match="leave the product leads out"):
        leads_of(Forecaster(network), by_day=True)


CALLS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")


def dies_before(number: int, work: Callable[[], None]) -> bool:
    """Do some work in a process that is gone before its n-th call; whether it lived through."""
    child = os.fork()
    if not child:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kw: Any) -> Any:
                nonlocal count
                count += 1
                if count == number:
                    os._exit(9)
                return real(*args, **kw)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_death_at_any_moment_of_a_write_leaves_a_whole_forecaster(
    tmp_path: Path, kind: str
) -> None:
    """Before each call of the operating system that changes names or makes bytes durable."""
    old, new = (checkpoint(tmp_path / f"{n}.ckpt", seed=n) for n in (1, 2))
    known = [load_forecaster(path)[0].network.state_dict() for path in (old, new)]
    content = torch.load(new, weights_only=True)
    target = tmp_path / "here" / "model"
    target.parent.mkdir()
    for number in range(1, 200):
        write_folder(old, target) if kind == "folder" else Durable().save_checkpoint(
            torch.load(old, weights_only=True), target
        )
        lived = dies_before(
            number,
            lambda: (
                write_folder(new, target)
                if kind == "folder"
                else Durable().save_checkpoint(content, target)
            ),
        )
        found = load_forecaster(target)[0].network.state_dict()
        assert any(all(torch.equal(found[k], w[k]) for k in w) for w in known)
        if lived:
            break
    assert lived
    assert number > (10 if kind == "folder" else 2)
