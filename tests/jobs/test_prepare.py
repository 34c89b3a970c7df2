"""Chips drawn from the tiny cube."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from firesat.batch import HEADS
from firesat.chipstore import ChipStore
from firesat.cli.main import main
from firesat.cube import create_cube, grid_of, open_cube
from firesat.errors import ConfigError, FiresatError, SampleError, SplitError
from firesat.grid import Grid
from firesat.jobs.prepare import SampleReport, prevalence, sample
from firesat.project import load
from firesat.samples import Inputs, Ratio, Reader, SampleSettings, index_chips
from firesat.samples.winters import fire_groups
from firesat.sampling import FIRE
from firesat.scaling import Moments, Scaler
from firesat.splits import Blocks, Zones
from firesat.window import Period
from tests.tiny_cube import REGION, TinyFire, World, layouts, write_group

INPUTS = Inputs(looks=2, modis=("ndvi",), weather_days=4, fuel_classes=(1, 2))
RATIO = Ratio(near_fire=1.0, hard=1.0, matched=0.5, random=1.0)
NEAR = (*FIRE, "near_fire")
Reports = list[tuple[int, int, str]]


def settings(path: Path) -> SampleSettings:
    return SampleSettings(
        path=path,
        inputs=INPUTS,
        splits={
            "train": [Period(start="2023-05-25", end="2023-07-01")],
            "val": [Period(start="2023-07-02", end="2023-07-29")],
        },
        hard={"val_hard": "val"},
        chip=40,
        stride=40,
        positives=6,
        ratio=RATIO,
        held_out=0.5,
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
    # 5 x 5 chips. Validation: windows of 8 days from 2 to 22 July. Training: from 25 May to 16
    # June, whose window ends on the 23rd and leaves 8 days; 17 to 24 June are too near
    report, _, _ = done
    frame = report.frame["train"]
    assert report.dropped["buffer"] == 25 * 8
    whole = sum(frame[stratum] for stratum in (*NEAR, "random"))
    assert whole == 25 * 23 - report.dropped["shared_fire"]
    frame = report.frame["val"]
    assert sum(frame[stratum] for stratum in (*NEAR, "random")) == 25 * 21
    assert frame["hard"] <= frame["random"]


def test_any_day_may_be_drawn(tiny_cube: Path, tmp_path: Path) -> None:
    many = replace(settings(tmp_path / "many.zarr"), positives=200, ratio=Ratio(random=5))
    table = index_chips(tiny_cube, many).table
    days = table.loc[table["split"] == "train", "reference_time"]
    assert days.dt.strftime("%Y-%m-%d").nunique() == 23
    assert (days.dt.hour == 12).all()


def test_chances_are_those_of_the_design(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    report, store, _ = done
    design = pd.DataFrame(store.attrs["design"])
    for split, chips in store.table.groupby("split"):
        assert (chips["pi"] > 0).all()
        for stratum in NEAR:
            some, of = chips[chips["stratum"] == stratum], "val" if split == "val_hard" else split
            if len(some):
                number = len(store.table.query("split == @of and stratum == @stratum"))
                assert (some["pi"] == number / report.frame[of][stratum]).all()
        far = chips[~chips["stratum"].isin(NEAR)]
        np.testing.assert_allclose(far["pi"], chances(far, design[design["split"] == split]))
    assert report.taken["train"] == {
        "growth": 3, "new": 3, "near_fire": 6, "hard": 6, "matched": 3, "random": 6,
    }  # fmt: skip
    fires = [sum(report.taken[split][name] for name in FIRE) for split in ("val", "val_hard")]
    assert fires == [3, 3]


def chances(far: pd.DataFrame, design: pd.DataFrame) -> list[float]:
    """Chance of chips far from fire, worked out from a split's design."""
    rate = design.set_index(["stratum", "season_or_fwi", "fuel"])
    rate = (rate["taken"] / rate["frame"].clip(lower=1)).to_dict()
    found = []
    for chip in far.itertuples():
        season = (chip.reference_time.day_of_year - 1) // 32
        fwi = int(np.searchsorted([5, 10, 20, 30], chip.fwi, side="right"))
        bins = ("random", 0, 0), ("matched", season, chip.fuel), ("hard", fwi, chip.fuel)
        missed = np.prod([1 - rate.get(name, 0.0) for name in bins])
        found.append(1 - missed)
    return found


def test_a_fire_is_in_one_split(done: tuple[SampleReport, ChipStore, Reports]) -> None:
    report, store, _ = done
    fires = {
        split: {fire for ids in chips["groups"] for fire in ids}
        for split, chips in store.table.groupby("split")
    }
    # fire 3 may burn until 7 July and fire 2 until 3 July: their chips of June are left out
    assert report.dropped["shared_fire"] > 0
    assert not fires["train"] & (fires["val"] | fires["val_hard"])
    assert "2023-1" in fires["train"]
    assert report.fires["train"] == len(fires["train"])


def test_a_hard_split_shares_the_fires_and_not_the_rest(
    done: tuple[SampleReport, ChipStore, Reports],
) -> None:
    _, store, _ = done
    place = ["tile", "row", "col", "reference_time"]
    parts = {name: store.table[store.table["split"] == name] for name in ("val", "val_hard")}
    fires = {name: part[part["stratum"].isin(FIRE)] for name, part in parts.items()}
    pd.testing.assert_frame_equal(
        fires["val"][place].reset_index(drop=True), fires["val_hard"][place].reset_index(drop=True)
    )
    assert set(parts["val_hard"]["stratum"]) == {*set(fires["val"]["stratum"]), "hard"}


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
        assert bool(chip["label"].any()) is (row["stratum"] in FIRE)
        assert bool(chip["label"][HEADS.index("growth")].any()) is (row["stratum"] == "growth")
        if row["stratum"] in FIRE:
            assert row["fire_id"] == row["fires"][0] > 0
        else:
            near = chip["fire"][0].max() >= np.exp(-10 / 3) * (1 - 1e-3)  # float16
            assert bool(near) is (row["stratum"] == "near_fire")
        assert row["burning"] == chip["label"].any(axis=0).sum()
        assert row["fuel"] == 1 + (row["row"] - 200) // 40  # stripes of 40 rows


def test_clear_looks_are_counted_from_the_cloud_masks(
    done: tuple[SampleReport, ChipStore, Reports], tiny_cube: Path
) -> None:
    _, store, _ = done
    scenes = open_cube(tiny_cube, "sentinel2")
    for _, row in store.table.iloc[::5].iterrows():
        when = np.datetime64(row["reference_time"].tz_localize(None), "s")
        day = when.astype("datetime64[D]")
        days = scenes["time"].values.astype("datetime64[D]")
        young = day - days <= np.timedelta64(64, "D")
        known = (scenes["available_time"].values[:, 0, 0] <= when) & young
        clear = scenes["clear"].isel(
            time=known, y=slice(row["row"], row["row"] + 40), x=slice(row["col"], row["col"] + 40)
        )
        assert row["clear_looks"] == ((clear >= 0.5).mean(("y", "x")) >= 0.5).sum()


def test_the_index_is_the_table_before_any_pixel(
    done: tuple[SampleReport, ChipStore, Reports], tiny_cube: Path, tmp_path: Path
) -> None:
    _, store, _ = done
    index = index_chips(tiny_cube, settings(tmp_path / "chips.zarr"))
    read = ["burning", "at_risk"]
    index.table.to_parquet(tmp_path / "table.parquet", index=False)
    saved = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(saved, store.table.drop(columns=read))
    assert not (tmp_path / "chips.zarr").exists()
    # of Sentinel-2 it needs the cloud mask alone
    bare = shutil.copytree(tiny_cube, tmp_path / "bare.zarr")
    shutil.rmtree(bare / "sentinel2/reflectance/c")
    again = index_chips(bare, settings(tmp_path / "chips.zarr"))
    pd.testing.assert_frame_equal(again.table, index.table)


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
    before = [step for step in steps if not step[2].startswith("chips")]
    assert [step[0] for step in before] == list(range(2 * 44))  # 23 and 21 days, twice
    drawn = sum(len(by) for by in store.table["drawn_by"])
    assert sum(sum(taken.values()) for taken in report.taken.values()) == drawn


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
    ("periods", "words"),
    [
        ({"train": ("2023-05-01", "2023-05-05")}, "the split train has no chip"),
        ({"train": ("2023-05-01", "2023-05-20")}, "train has no chip with fire: nothing burns"),
        # between fire 1 and fire 2
        (
            {"train": ("2023-05-25", "2023-06-02"), "val": ("2023-06-12", "2023-06-19")},
            "val has no chip with fire: nothing burns",
        ),
        (
            {"val": ("2023-07-02", "2023-08-05")},
            "tiny.zarr has days from 2023-05-01 to 2023-07-29, and the split val needs 2023-07-30",
        ),
    ],
)
def test_periods_that_teach_nothing_are_refused_and_nothing_is_written(
    tiny_cube: Path, tmp_path: Path, periods: dict[str, tuple[str, str]], words: str
) -> None:
    whole = settings(tmp_path / "chips.zarr")
    changed = {split: [Period(start=start, end=end)] for split, (start, end) in periods.items()}
    with pytest.raises(FiresatError, match=words) as caught:
        sample(replace(whole, splits={**whole.splits, **changed}), tiny_cube)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_window_at_all_is_refused(tiny_cube: Path, tmp_path: Path) -> None:
    period = Period(start="2023-05-01", end="2023-05-05")
    only = replace(settings(tmp_path / "chips.zarr"), splits={"train": [period]}, hard={})
    with pytest.raises(SampleError, match="no window fits"):
        sample(only, tiny_cube)


def test_a_dry_run_counts_and_a_table_is_saved_without_images(
    tiny_cube: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.yaml").write_text(f"""
cube: {{path: {tiny_cube}, periods: [{{start: 2023-05-01, end: 2023-07-29}}]}}
sample:
  path: {tmp_path}/chips.zarr
  splits: {{train: [{{start: 2023-05-25, end: 2023-07-01}}]}}
  chip: 40
  issue_step: 6
  positives: 5
""")
    command = ["sample", "--config", str(tmp_path / "p.yaml"), "--json"]
    assert main([*command, "--dry-run"]) == 0
    counted = json.loads(capsys.readouterr().out)
    taken = counted["taken"]["train"]
    assert taken["growth"] + taken["new"] == 5
    assert counted["prevalence"] == {}
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]
    assert main([*command, "--table", str(tmp_path / "t.parquet")]) == 0
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["stratum"].isin(FIRE).sum() == 5
    assert {"tile", "row", "col", "reference_time", "split", "pi", "fire_id", "clear_looks"} <= set(
        table
    )
    assert {path.name for path in tmp_path.iterdir()} == {"p.yaml", "t.parquet"}
    assert main([*command, "--table", str(tmp_path / "t.csv")]) == 2
    assert "should end in .parquet" in capsys.readouterr().err


# --- winters ------------------------------------------------------------------------------------


def test_fires_that_overwintered_are_found_in_the_cube(tmp_path: Path) -> None:
    path = tmp_path / "winters.zarr"
    cube = create_cube(path, Grid(region=REGION))
    years = np.array(["2022-01-01", "2023-01-01"], "datetime64[D]")
    # the first burns in July; of next year's fires, 5 starts in May two cells east of it
    last = TinyFire(fire_id=1, row=60, column=60, start=61, days=10, rate=2.0)
    next_year = (
        TinyFire(fire_id=5, row=60, column=84, start=9, days=2, rate=1.0),
        TinyFire(fire_id=6, row=150, column=150, start=9, days=2, rate=1.0),
    )
    worlds = [
        World(axis=np.arange(f"{year}-05-01", f"{year}-08-01", dtype="datetime64[D]"), fires=fires,
              seed=0, scene_every=6).season()
        for year, fires in ((2022, (last,)), (2023, next_year))
    ]  # fmt: skip
    write_group(cube, layouts()["labels"], years, lambda name, step: worlds[step][name],
                years.astype("datetime64[s]"))  # fmt: skip
    found = fire_groups(Reader(path, INPUTS), settings(tmp_path / "x.zarr"), grid_of(path))
    assert found.name(2023, 5) == "2022-1"
    assert found.name(2023, 6) == "2023-6"


# --- places -------------------------------------------------------------------------------------

SEASON = [Period(start="2023-05-25", end="2023-07-29")]


def test_blocks_of_the_same_season_are_apart(tiny_cube: Path, tmp_path: Path) -> None:
    # rows of 10 km: fires 1 and 3 burn in the upper half, 2 and 4 in the lower
    blocks = Blocks(size_km=10, held_out={"val": ["r333c261", "r333c262"]}, buffer_km=4)
    whole = settings(tmp_path / "chips.zarr")
    apart = replace(whole, splits={"train": SEASON, "val": SEASON}, places=blocks, hard={})
    index = index_chips(tiny_cube, apart)
    rows = {split: some["row"] - 200 for split, some in index.table.groupby("split")}
    # the lower half begins at row 100: chips at 120 and 160 lie in it; those at 80 touch it, and
    # those at 40 end 20 cells, 2 km, above it
    assert set(rows["val"]) <= {120, 160}
    assert set(rows["train"]) == {0}
    with pytest.raises(SplitError, match="Use a buffer of at least one chip"):
        index_chips(tiny_cube, replace(apart, places=replace(blocks, buffer_km=0)))


def test_places_and_splits_stand_in_the_project_file(tmp_path: Path) -> None:
    text = f"""
cube: {{path: {tmp_path}/c.zarr, periods: [{{start: 2023-05-01, end: 2023-05-09}}]}}
sample:
  path: {tmp_path}/chips.zarr
  splits:
    train: [{{start: 2023-05-01, end: 2023-07-29}}]
    test: [{{start: 2023-05-01, end: 2023-07-29}}]
  places:
    class_path: firesat.splits.Zones
    init_args: {{file: zones.gpkg, column: NAME, held_out: {{test: [Boreal Plains]}}}}
  ratio: {{random: 2.0}}
  match: {{fwi_edges: [8.0, 16.0]}}
  overwintering: {{until: 05-31}}
  hard: {{test_hard: test}}
"""
    (tmp_path / "p.yaml").write_text(text)
    sample_of = load(tmp_path / "p.yaml").sample
    assert sample_of is not None
    assert sample_of.places == Zones(
        file=Path("zones.gpkg"), column="NAME", held_out={"test": ["Boreal Plains"]}
    )
    assert (sample_of.ratio.random, sample_of.overwintering.until) == (2.0, "05-31")
    assert sample_of.order == ("train", "test")
    for wrong, words in {
        "sample.places.init_args.held_ot={}": "unknown key 'held_ot': did you mean held_out",
        "sample.ratio.randon=1": "unknown key 'randon': did you mean random",
        "sample.ratio.random=0": "near_fire and random are above 0",
        "sample.places=null": "test begins 2023-05-01, before train has ended on 2023-07-29",
        "sample.hard={x: y}": "sample.hard: x of y: give a new name, and one of train, test",
    }.items():
        with pytest.raises(ConfigError, match=words) as caught:
            load(tmp_path / "p.yaml", [wrong])
        assert "\n" not in str(caught.value)
