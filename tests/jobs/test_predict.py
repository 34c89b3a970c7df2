"""From a cube and a checkpoint to maps, once and not twice."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray

from firesat import compiling
from firesat.cube import grid_of
from firesat.forecast import Forecaster
from firesat.jobs.predict import conditions as conditions_module
from firesat.jobs.predict import empty_shares, machine, plan, predict, run
from firesat.jobs.predict.census import Census, count
from firesat.jobs.predict.conditions import SCAR, conditions
from firesat.jobs.predict.pieces import pieces
from firesat.products.leads import Leads
from firesat.products.probability import Probability
from firesat.products.quality import Quality
from firesat.products.settings import PredictSettings
from firesat.products.strips import State, Strip
from firesat.samples import Reader
from firesat.scaling import Scaler
from firesat.window import Window
from firesat_models.temporal_cnn import TemporalCNN
from tests.jobs.predict_tools import (
    AXIS,
    BLAZE,
    INPUTS,
    Remembering,
    Smooth,
    mask_of,
    quiet,
    read,
    save,
    whole_map,
)
from tests.tiny_cube import (
    CELLS,
    LAKE,
    World,
    write_tiny_cube,
)

pytest_plugins = ["tests.jobs.predict_fixtures"]


def test_a_checkpoint_of_a_real_network_becomes_maps(
    cube: Path, scaler: Scaler, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    settings = PredictSettings(
        output=tmp_path / "forecast",
        days=("2023-05-17", "2023-05-20"),
        checkpoint=save(network, scaler, tmp_path / "best.ckpt"),
        products=[Probability(), Leads(), Quality()],
    )
    told: list[tuple[int, int, str]] = []
    maps = predict(settings, cube, lambda *state: told.append(state))
    assert [path.name for path in maps] == [
        "firesat_2023-05-17_p8d.tif",
        "firesat_2023-05-20_p8d.tif",
    ]
    for path in maps:
        fire, growth, new = read(path)
        known = mask_of(path) == State.FORECAST
        assert known.mean() > 0.3
        for band in (fire, growth, new):
            np.testing.assert_array_equal(band >= 0, known)
            assert (band[known] <= 1).all()
        with rasterio.open(path) as file:
            assert file.tags()["model"] == "firesat_models.temporal_cnn.TemporalCNN"
            assert file.tags()["valid_local"].startswith(f"{path.name[16:18].lstrip('0')} May 2023")
        leads = read(path.parent / "leads" / f"{path.stem}_leads.tif")
        assert len(leads) == 8
        np.testing.assert_array_equal(leads[:, known] >= 0, True)
        assert (np.diff(leads[:, known], axis=0) >= 0).all()
        np.testing.assert_allclose(leads[-1][known], fire[known], rtol=3e-3)  # 10 bits of each
        assert (leads[0][known] < 0.9 * leads[-1][known]).all()
    assert told[-1] == (2, 2, "2023-05-20")  # one chip holds the region
    left = {path.name for path in settings.output.iterdir()}
    assert not {name for name in left if name.startswith(".")}
    assert {"catalog.json", "masks", "quality", "receipts", "firesat_2023-05-17_p8d.json"} <= left


@pytest.mark.usefixtures("smooth")
@pytest.mark.parametrize("chips", [{}, {"stride": 40}, {"chip": 120, "halo": 20}], ids=str)
def test_chips_make_the_same_map_as_the_whole_region_at_once(
    cube: Path,
    scaler: Scaler,
    smooth: Forecaster,
    settings: PredictSettings,
    chips: dict[str, int],
) -> None:
    (path,) = predict(replace(settings, **chips), cube, quiet)
    expected = whole_map(cube, scaler, smooth, "2023-05-17")
    found, known = read(path), mask_of(path) == State.FORECAST
    assert np.ptp(expected[0][known]) > 0.1
    for band in range(3):
        np.testing.assert_allclose(found[band][known], expected[band][known], rtol=2**-10)


def test_a_compiled_network_makes_the_same_map_and_is_compiled_once(
    cube: Path, smooth: Forecaster, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = replace(settings, batch_size=3)  # 16 chips: the last batch has one
    (plain,) = predict(replace(three, compile="never"), cube, quiet)
    assert smooth.network._compiled_call_impl is None
    monkeypatch.setattr(machine, "MANY", 1)
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(compiling, "_GAIN", 1e9)
    graphs = torch._dynamo.utils.counters["stats"]
    graphs.clear()
    (made,) = predict(replace(three, output=settings.output.with_name("made")), cube, quiet)
    assert smooth.network._compiled_call_impl is not None
    assert graphs["unique_graphs"] == 1  # the last batch was filled up
    np.testing.assert_allclose(read(made), read(plain), rtol=2**-10)


def test_the_cnn_s_own_map_does_not_depend_on_its_chips(
    cube: Path, scaler: Scaler, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    torch.nn.init.normal_(network.head.weight)
    settings = PredictSettings(
        output=tmp_path / "whole",
        days=("2023-05-17",),
        checkpoint=save(network, scaler, tmp_path / "best.ckpt"),
    )
    (whole,) = predict(settings, cube, quiet)
    (cut,) = predict(replace(settings, output=tmp_path / "cut", chip=120), cube, quiet)
    known = mask_of(whole) == State.FORECAST
    assert np.ptp(read(whole)[0][known]) > 1e-3
    np.testing.assert_allclose(read(cut)[:, known], read(whole)[:, known], rtol=2**-9)


@pytest.mark.usefixtures("smooth")
def test_a_map_made_in_pieces_is_the_same(
    cube: Path, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = predict(settings, cube, quiet)
    monkeypatch.setattr(run, "pieces", partial(pieces, span=100))
    (cut,) = predict(replace(settings, output=settings.output.with_name("pieces")), cube, quiet)
    np.testing.assert_array_equal(mask_of(cut), mask_of(whole))
    np.testing.assert_allclose(read(cut), read(whole), rtol=2**-10)


@pytest.mark.usefixtures("smooth")
def test_the_mask_tells_water_scars_snow_and_poor_sight_apart(
    cube: Path, settings: PredictSettings
) -> None:
    day = "2023-05-19"  # the fire has been burning for ten days
    (path,) = predict(replace(settings, days=(day,), min_looks=2), cube, quiet)
    mask = mask_of(path)
    assert (mask[LAKE] == State.CANNOT_BURN).all()
    assert (mask[:50, :50] == State.SNOW_COVERED).all()
    assert not (mask[150:] == State.SNOW_COVERED).any()
    assert not (mask[:, 150:] == State.SNOW_COVERED).any()
    burnt = World(axis=AXIS, fires=BLAZE, seed=0, scene_every=5).season()["burn_day"]
    day_number = np.datetime64(day, "D").astype(int)
    scar = mask == State.ALREADY_BURNT
    assert 0 < scar.sum() < (burnt < day_number).sum()
    assert (burnt[scar] < day_number).all()  # never a cell that may burn yet


@pytest.mark.usefixtures("smooth")
def test_cells_with_too_few_looks_are_abstained_from(cube: Path, settings: PredictSettings) -> None:
    def abstained(min_looks: int) -> NDArray:
        output = settings.output.with_name(f"looks{min_looks}")
        (path,) = predict(replace(settings, output=output, min_looks=min_looks), cube, quiet)
        return mask_of(path) == State.ABSTAINED

    day = np.datetime64("2023-05-17")
    reader = Remembering(cube, INPUTS)
    age = reader.day(str(day), grid_of(cube).region_geobox(100)).inputs["age"]
    few = np.isfinite(age).sum(axis=0) < 2
    assert few.any()
    assert not abstained(0).any()
    outside = np.ones((CELLS, CELLS), dtype=bool)
    outside[LAKE] = outside[:150, :150] = False
    np.testing.assert_array_equal(abstained(2)[outside], few[outside])


@pytest.mark.usefixtures("smooth")
def test_an_empty_map_is_warned_of_once_with_the_reason_and_counted(
    cube: Path, settings: PredictSettings, caplog: pytest.LogCaptureFixture
) -> None:
    predict(settings, cube, quiet)
    assert not caplog.messages
    assert empty_shares(settings)["2023-05-17"] < 0.5
    blind = replace(settings, min_looks=99)
    (path,) = predict(blind, cube, quiet)
    (told,) = caplog.messages
    assert told == (
        "2023-05-17: 100 % of the cells that can burn have no forecast: too few clear looks "
        "(predict.min_looks is 99)"
    )
    assert empty_shares(blind) == {"2023-05-17": 1.0}
    assert empty_shares(replace(blind, days=("2023-05-18",))) == {}
    assert (mask_of(path) != State.FORECAST).all()


def test_a_census_leaves_out_what_cannot_burn_and_names_what_most_cells_lack() -> None:
    state = np.full((1, 8), State.ABSTAINED, np.uint8)
    state[0, :3] = State.CANNOT_BURN, State.FORECAST, State.NOT_EVALUATED
    looks = np.array([[0, 1, 1, 0, 1, 1, 1, 1]], np.uint8)
    p = np.full((1, 8), 0.1, np.float32)
    strip = Strip(row=0, growth=p, new=p, state=state, looks=looks, age=p)
    found = count([strip], 1)
    assert found == Census(forecast=1, few_looks=1, no_weather=4, unknown=1)
    assert found.empty == 6 / 7
    assert "85.7 % of the cells that can burn" in found.warning("2023-05-17", 1)
    assert found.warning("2023-05-17", 1).endswith("no weather in hand on that day")
    assert Census(forecast=0, few_looks=0, no_weather=0, unknown=0).empty == 0.0


def test_without_weather_the_forecaster_abstains(cube: Path) -> None:
    reader = Reader(cube, replace(INPUTS, regime="operational"))
    cells = grid_of(cube).region_geobox(100)
    fields = reader.day("2023-05-03", cells)  # the reanalysis comes five days late
    assert np.isnan(fields.inputs["weather"]).all()
    found = conditions(fields, reader.inputs, np.zeros(cells.shape, dtype=bool), 0)
    assert set(np.unique(found.state)) == {State.ABSTAINED, State.CANNOT_BURN}


def test_a_cube_without_maps_of_the_ground_or_snow_is_forecast_all_the_same(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "bare.zarr", days=3, groups=["fire_weather"])
    cells = grid_of(path).region_geobox(100)
    fields = Reader(path, INPUTS).day("2023-05-03", cells)
    snow = conditions_module.Snow(path, INPUTS).cover("2023-05-03", cells)
    found = conditions(fields, INPUTS, snow, 0, needed=frozenset())
    assert set(np.unique(found.state)) == {State.FORECAST}


def test_the_front_of_a_fire_is_not_called_burnt(cube: Path) -> None:
    reader = Remembering(cube, INPUTS)
    cells = grid_of(cube).region_geobox(100)
    fields = reader.day("2023-05-19", cells)
    found = conditions(fields, INPUTS, np.zeros(cells.shape, dtype=bool), 0)
    hot = fields.inputs["fire"][2] > 0.5
    scar = found.state == State.ALREADY_BURNT
    rows, columns = np.nonzero(hot)
    assert SCAR == 11
    assert (scar <= hot).all()
    assert not scar[rows.min() : rows.min() + 5].any()
    assert not scar[:, columns.max() - 4 : columns.max() + 1].any()


@pytest.mark.usefixtures("smooth")
def test_a_whole_map_is_kept_and_a_damaged_one_is_made_anew(
    cube: Path, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = predict(settings, cube, quiet)
    content = maps[0].read_bytes()
    assert [planned.kept[0] for planned in plan(settings, cube)] == maps
    with monkeypatch.context() as patched:
        patched.setattr(run, "machine_of", None)  # nothing may be loaded
        assert predict(replace(settings, batch_size=3), cube, quiet) == maps
    maps[0].write_bytes(content[:1000])
    assert not plan(settings, cube)[0].kept
    predict(settings, cube, quiet)
    assert maps[0].read_bytes() == content


@pytest.mark.usefixtures("smooth")
@pytest.mark.parametrize("change", ["checkpoint", "stride", "min_looks", "products"])
def test_what_is_made_otherwise_is_made_anew(
    cube: Path, settings: PredictSettings, change: str
) -> None:
    predict(settings, cube, quiet)
    other: dict[str, object] = {"stride": 40, "min_looks": 3, "products": [Quality()]}
    if change == "checkpoint":
        (settings.output.parent / "smooth.ckpt").write_bytes(b"other weights")
    else:
        settings = replace(settings, **{change: other[change]})
    assert not plan(settings, cube)[0].kept


@pytest.mark.usefixtures("smooth")
def test_a_killed_run_keeps_the_days_it_had_finished(
    cube: Path, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, days=("2023-05-15", "2023-05-17"))
    leave = run.leave_receipt

    def die_on_second(receipt: Path, *rest: Any) -> None:
        if receipt.stem == "2023-05-17":
            raise KeyboardInterrupt
        leave(receipt, *rest)

    monkeypatch.setattr(run, "leave_receipt", die_on_second)
    with pytest.raises(KeyboardInterrupt):
        predict(settings, cube, quiet)
    assert [bool(planned.kept) for planned in plan(settings, cube)] == [True, False]


def test_days_are_asked_for_once_and_in_iso_form(
    cube: Path, smooth: Forecaster, settings: PredictSettings
) -> None:
    twice = replace(settings, days=("20230517", "2023-05-17"))
    assert [planned.day for planned in plan(twice, cube)] == ["2023-05-17"]


def test_the_window_of_the_checkpoint_names_the_files(
    cube: Path, scaler: Scaler, settings: PredictSettings, smooth: Forecaster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    inputs = replace(INPUTS, window=Window(horizon=3))
    shorter = Forecaster(Smooth(inputs.channels(80))).eval()
    loaded = (shorter, inputs.record, scaler.record)
    monkeypatch.setattr(machine, "load_forecaster", lambda _: loaded)
    (path,) = predict(settings, cube, quiet)
    assert path.name == "firesat_2023-05-17_p3d.tif"
