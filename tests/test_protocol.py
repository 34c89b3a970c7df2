"""The shipped protocol of CanadaFireSat on the tiny cube: what its fields do, by arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import torch

from firesat.batch import Channels
from firesat.chipstore import ChipStore
from firesat.cube import open_cube
from firesat.errors import ConfigError, SampleError
from firesat.jobs.predict.machine import refuse_protocol
from firesat.jobs.prepare import sample
from firesat.jobs.train.models import build_network
from firesat.project import load, shipped
from firesat.samples import Frames, Inputs, Reader, SampleSettings
from firesat.samples.frames import choose_frames
from firesat.scaling import Scaler
from firesat.window import Window
from tests.tiny_cube import write_tiny_cube

CONFIG = "configs/canadafiresat_protocol.yaml"
CONFIGS = Path(__file__).parents[1] / "configs"
SIZE, DAY = 28, np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 days from 1 May, which begins the 16th window of 8 days of 2023."""
    folder = tmp_path_factory.mktemp("protocol")
    return write_tiny_cube(folder / "calendar.zarr", scene_every=5, day_start=0)


def settings(path: Path) -> SampleSettings:
    changes = [
        f"sample.path={path}",
        "sample.positives=12",
        (
            "sample.splits={train: [{start: 2023-05-01, end: 2023-07-03}], "
            "test: [{start: 2023-07-04, end: 2023-07-27}]}"
        ),
        "sample.inputs.static=[elevation, water]",
        "sample.inputs.fuel_classes=[]",
    ]
    found = load(shipped(CONFIG), changes).sample
    assert found is not None
    return found


@pytest.fixture(scope="module")
def store(cube: Path, tmp_path_factory: pytest.TempPathFactory) -> ChipStore:
    path = tmp_path_factory.mktemp("chips") / "chips.zarr"
    sample(settings(path), cube)
    return ChipStore(path)


def test_the_shipped_config_says_what_the_protocol_says() -> None:
    protocol = load(shipped(CONFIG)).sample
    assert protocol is not None
    inputs = protocol.inputs
    assert (protocol.chip, protocol.stride, protocol.issue_step) == (28, 28, 8)
    assert protocol.growth is None
    assert (inputs.looks, inputs.frames) == (5, Frames(at_least=3, span_days=40, max_cloud=0.4))
    assert inputs.window == Window(history=64, horizon=8, day_start=0)
    assert (inputs.label, inputs.regime) == ("any_touch", "protocol")
    years = {name: [p.start[:4] for p in some] for name, some in protocol.splits.items()}
    assert years["train"] == [str(year) for year in range(2016, 2022)]
    assert (years["val"], years["test"], protocol.hard) == (
        ["2022"],
        ["2023"],
        {"test_hard": "test"},
    )


def test_frames_calendar_days_and_any_touch_stand_in_no_other_config() -> None:
    for path in CONFIGS.rglob("*.yaml"):
        own = ("frames:", "any_touch", "day_start", "line:", "growth: null")
        words = [word for word in own if word in path.read_text()]
        assert bool(words) is (path.name == Path(CONFIG).name), path


def test_windows_begin_every_eight_days_from_the_first_of_january(store: ChipStore) -> None:
    times = store.table["reference_time"]
    assert set((times.dt.day_of_year - 1) % 8) == {0}
    assert set(times.dt.hour) == {0}
    assert set(store.table["split"]) == {"train", "test", "test_hard"}


def test_a_chip_has_three_to_five_whole_scenes_over_forty_days(store: ChipStore) -> None:
    for number in range(len(store)):
        age = store[number]["age"]
        ages = [frame[np.isfinite(frame)] for frame in age]
        seen = [set(some.tolist()) for some in ages if some.size]
        assert all(len(some) == 1 for some in seen)  # one day a frame, all over the chip
        days = [some.pop() for some in seen]
        assert days == sorted(days)
        assert 3 <= len(days) <= 5
        assert store.table["clear_looks"][number] >= len(days)
        assert all(np.isnan(frame).all() for frame in age[len(days) :])


def test_frames_are_the_latest_in_hand_with_little_cloud(store: ChipStore, cube: Path) -> None:
    scenes = open_cube(cube, "sentinel2")
    days = scenes["time"].values.astype("datetime64[D]")
    for number in range(0, len(store), 7):
        row = store.table.iloc[number]
        now = np.datetime64(row["reference_time"].tz_localize(None), "s")
        place = {
            "y": slice(row["row"], row["row"] + SIZE),
            "x": slice(row["col"], row["col"] + SIZE),
        }
        here = scenes[["clear", "reflectance"]].isel(place)
        in_hand = scenes["available_time"].values[:, 0, 0] <= now
        ages = (now.astype("datetime64[D]") - days) / DAY
        clear = (here["clear"] >= 0.5).mean(("y", "x")).values
        good = np.flatnonzero(in_hand & (ages <= 64) & (1 - clear <= 0.4))[::-1]
        assert len(good) >= 3
        assert ages[good[-1]] - ages[good[0]] >= 40
        assert row["clear_looks"] == len(good)
        chip = store[number]
        for frame, step in enumerate(good[:5]):
            assert (chip["age"][frame] == ages[step]).all()
            # clouds and all
            wanted = here["reflectance"].isel(time=step).values
            np.testing.assert_allclose(chip["sentinel2"][frame], wanted, atol=2e-4)


def test_a_cell_burns_when_any_of_it_does(store: ChipStore, cube: Path) -> None:
    season = open_cube(cube, "labels").isel(time=0).load()
    partly = 0
    for number in range(len(store)):
        row, chip = store.table.iloc[number], store[number]
        place = np.s_[row["row"] : row["row"] + SIZE, row["col"] : row["col"] + SIZE]
        fraction, earliest, latest = (
            season[name].values[place] for name in ("fraction", "earliest", "latest")
        )
        first = np.datetime64(row["reference_time"].tz_localize(None), "D").astype(int)
        inside = (fraction > 0) & (earliest >= first) & (latest <= first + 7)
        dry = ~(chip["static"][1] > 0.5)
        np.testing.assert_array_equal(chip["label"].any(axis=0), inside & dry)
        partly += int((inside & dry & (fraction < 0.5)).sum())
    assert partly > 0


def test_coarse_fields_of_odd_chips_are_the_nearest_cells(store: ChipStore, cube: Path) -> None:
    chip, row = store[0], store.table.iloc[0]
    assert chip["weather"].shape == (64, 9, 3, 3)
    assert chip["modis"].shape[-2:] == (6, 6)
    # cell centres of a 3 x 3 grid over 28 cells lie 4.67, 14 and 23.33 cells in
    region = Reader(cube, settings(Path("x.zarr")).inputs).region(
        open_cube(cube, "static").odc.geobox[200:400, 100:300]
    )
    whole = region.weather(str(row["reference_time"].date()))
    lines, columns = (
        ((start + np.array([4.67, 14.0, 23.33])) // 10).astype(int)
        for start in (row["row"] - 200, row["col"] - 100)
    )
    np.testing.assert_allclose(chip["weather"], whole[:, :, lines[:, None], columns], rtol=1e-6)


def test_weather_is_that_of_calendar_days_before_t(store: ChipStore) -> None:
    # (1 + number) + 0.01 x day + ...: one step a day, and the last is the day before T
    day = (store.table["reference_time"].dt.tz_localize(None) - np.datetime64("2023-05-01")).dt.days
    for number in range(0, len(store), 11):
        weather = store[number]["weather"][:, 0, 1, 1]
        known = np.isfinite(weather)
        assert known.sum() == min(64, day[number])
        np.testing.assert_allclose(np.diff(weather[known]), 0.01, atol=1e-5)


def test_a_network_takes_such_chips(store: ChipStore) -> None:
    network = build_network(CONFIGS / "model/cnn.yaml", Channels(**store.attrs["channels"]))
    scaled = Scaler.from_record(store.attrs["scaler"]).apply(store[0])
    batch = {name: torch.from_numpy(np.ascontiguousarray(v))[None] for name, v in scaled.items()}
    outputs = Channels(**store.attrs["channels"]).outputs
    assert network.eval()(batch).shape == (1, outputs, SIZE, SIZE)


def test_inputs_make_the_journey_through_json() -> None:
    inputs = settings(Path("x.zarr")).inputs
    assert Inputs.from_record(inputs.record) == inputs


def test_a_cube_of_other_days_is_refused(tiny_cube: Path, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="begin at 12 UTC, those of the window at 0: ingest with"):
        sample(settings(tmp_path / "chips.zarr"), tiny_cube)
    assert list(tmp_path.iterdir()) == []


def test_maps_are_refused() -> None:
    with pytest.raises(ConfigError, match="frames are chosen chip by chip"):
        refuse_protocol(Inputs(frames=Frames()))
    with pytest.raises(ConfigError, match="days that begin at 0 UTC"):
        refuse_protocol(Inputs(window=Window(day_start=0)))
    refuse_protocol(Inputs())


def test_too_few_scenes_leave_no_frame() -> None:
    part = slice(0, 4), slice(0, 4)
    scenes = [
        (float(age), np.full((13, 4, 4), age, dtype="uint16"), np.full((4, 4), 100, dtype="uint8"))
        for age in (3, 20, 44)
    ]
    rule = Frames()
    found = choose_frames(scenes, part, 5, rule)
    assert found.age[:, 0, 0].tolist()[:3] == [3, 20, 44]
    assert np.isnan(found.age[3:]).all()
    cloudy = [
        *scenes[:2],
        (44.0, scenes[2][1], np.where(np.eye(4) + np.eye(4, k=1), 100, 0).astype("uint8")),
    ]
    for some in (scenes[:2], [*scenes[:2], (42.0, *scenes[2][1:])], cloudy, []):
        assert np.isnan(choose_frames(some, part, 5, rule).age).all()


@pytest.mark.parametrize("wrong", [{"at_least": 0}, {"span_days": -1}, {"max_cloud": 1.0}])
def test_frames_that_no_chip_has_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="at_least starts at 1"):
        Frames(**wrong)
