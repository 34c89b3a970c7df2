"""Chips drawn from the tiny cube."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from firesat.chipstore import ChipStore
from firesat.cube import grid_of
from firesat.errors import SampleError
from firesat.jobs.prepare import SampleReport, prevalence, sample
from firesat.samples import Inputs, Reader, SampleSettings
from firesat.scaling import Moments, Scaler
from firesat.window import Period

INPUTS = Inputs(looks=2, modis=("ndvi",), weather_days=4, fuel_classes=(1, 2))
Reports = list[tuple[int, int, str]]


def settings(path: Path) -> SampleSettings:
    return SampleSettings(
        path=path,
        inputs=INPUTS,
        splits={
            "train": [Period(start="2023-05-25", end="2023-07-01")],
            "val": [Period(start="2023-07-02", end="2023-07-29")],
        },
        chip=40,
        stride=40,
        issue_step=8,
        positives=6,
        near=5,
        random=7,
    )


@pytest.fixture(scope="module")
def done(
    tiny_cube: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SampleReport, ChipStore, Reports]:
    steps: Reports = []
    path = tmp_path_factory.mktemp("chips") / "chips.zarr"
    report = sample(settings(path), tiny_cube, lambda *step: steps.append(step))
    return report, ChipStore(path), steps


def test_the_frame_is_every_chip_at_every_issue_day(
    done: tuple[SampleReport, ChipStore, Reports],
) -> None:
    # 5 x 5 chips; issue days from 25 May every 8 days: 4 in train, 3 in val
    report, _, _ = done
    assert sum(report.frame["train"].values()) == 25 * 4 - report.dropped
    assert sum(report.frame["val"].values()) == 25 * 3


def test_inverse_chances_add_up_to_the_frame(
    done: tuple[SampleReport, ChipStore, Reports],
) -> None:
    report, store, _ = done
    for split, chips in store.table.groupby("split"):
        assert (1 / chips["pi"]).sum() == pytest.approx(sum(report.frame[split].values()))
        for stratum, some in chips.groupby("stratum"):
            assert (some["pi"] == len(some) / report.frame[split][stratum]).all()
    assert report.taken["train"]["random"] == 7
    assert report.taken["val"]["random"] == 3  # 0.4 x 7


def test_a_fire_is_in_one_split(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    report, store, _ = done
    fires = {
        split: {fire for ids in chips["fires"] for fire in ids}
        for split, chips in store.table.groupby("split")
    }
    # fire 2 burns until 3 July, fire 3 may burn until 7 July: their chips of June are dropped
    assert report.dropped > 0
    assert not fires["train"] & fires["val"]
    assert 1 in fires["train"]


def test_chips_are_what_the_reader_gives_at_their_place(
    done: tuple[SampleReport, ChipStore, Reports], tiny_cube: Path
) -> None:
    _, store, _ = done
    cells = grid_of(tiny_cube).region_geobox(100)
    reader = Reader(tiny_cube, INPUTS)
    for number in (0, len(store) - 1):
        row = store.table.iloc[number]
        fields = reader.day(str(row["reference_time"].date()), cells, truth=True)
        assert row["tile"] == "x26y33"
        # the region's upper left cell is row 200, column 100 of its tile
        chip = reader.chip(fields, row["row"] - 200, row["col"] - 100, 40)
        for name, values in store[number].items():
            np.testing.assert_allclose(values, chip[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_strata_are_true_of_the_chips(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    _, store, _ = done
    for number, row in store.table.iterrows():
        chip = store[number]
        assert bool(chip["label"].any()) is (row["stratum"] == "positive")
        if row["stratum"] != "positive":
            near = chip["fire"][0].max() >= np.exp(-10 / 3) * (1 - 1e-3)  # float16
            assert bool(near) is (row["stratum"] == "near_fire")
        assert row["burning"] == chip["label"].any(axis=0).sum()


def test_the_scaler_knows_training_chips_alone(
    done: tuple[SampleReport, ChipStore, Reports],
) -> None:
    _, store, _ = done
    moments = Moments(INPUTS.names)
    for number in np.flatnonzero(store.table["split"] == "train"):
        moments.add(store[int(number)])
    stored, wanted = Scaler.from_record(store.attrs["scaler"]), moments.scaler()
    for field in wanted.names:
        np.testing.assert_allclose(stored.mean[field], wanted.mean[field], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(stored.std[field], wanted.std[field], rtol=1e-2, atol=1e-4)


def test_the_store_says_how_it_was_made(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    report, store, _ = done
    assert Inputs.from_record(store.attrs["inputs"]) == INPUTS
    assert store.attrs["regime"] == report.regime == "protocol"
    assert store.attrs["names"]["static"][-2:] == ["fuel_1", "fuel_2"]


def test_progress_goes_up_and_ends(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    report, store, steps = done
    chips = [step for step in steps if step[2].startswith("chips")]
    assert chips[-1][:2] == (len(store), len(store))
    assert [step[0] for step in chips] == sorted(step[0] for step in chips)
    assert sum(sum(taken.values()) for taken in report.taken.values()) == len(store)


def test_prevalence_of_the_frame_by_hand() -> None:
    # one chip of 10 and one of all: 10 x 3 + 1 x 5 burning of 10 x 100 + 1 x 50 at risk
    chips = pd.DataFrame({"pi": [0.1, 1], "burning": [3, 5], "at_risk": [100, 50]})
    assert prevalence(chips) == pytest.approx(35 / 1050)
    assert prevalence(chips.iloc[:0]) == 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_store(
    done: tuple[SampleReport, ChipStore, Reports], tiny_cube: Path, tmp_path: Path
) -> None:
    _, store, _ = done
    sample(settings(tmp_path / "again.zarr"), tiny_cube)
    again = ChipStore(tmp_path / "again.zarr")
    pd.testing.assert_frame_equal(store.table, again.table)
    assert store.attrs == again.attrs
    for one, other in zip(store, again, strict=True):
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])


def stop_at(text: str) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, what: str) -> None:
        if done and what.startswith(text):
            raise KeyboardInterrupt

    return progress


def test_a_killed_run_leaves_nothing(tiny_cube: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        sample(settings(tmp_path / "chips.zarr"), tiny_cube, stop_at("chips"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (Period(start="2023-05-01", end="2023-05-05"), "the split train has no chip"),
        (Period(start="2023-05-01", end="2023-05-20"), "nothing burns in the training periods"),
    ],
)
def test_periods_that_teach_nothing_are_refused(
    tiny_cube: Path, tmp_path: Path, period: Period, words: str
) -> None:
    whole = settings(tmp_path / "chips.zarr")
    with pytest.raises(SampleError, match=words):
        sample(replace(whole, splits={**whole.splits, "train": [period]}), tiny_cube)
    only = replace(whole, splits={"train": [Period(start="2023-05-01", end="2023-05-05")]})
    with pytest.raises(SampleError, match="no window fits"):
        sample(only, tiny_cube)
