"""From a cube and a checkpoint to maps, once and not twice."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import rasterio
import torch
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor, nn
from torch.nn import functional

from firesat import compiling
from firesat.batch import Channels
from firesat.checkpoint import RECORD
from firesat.cli.main import main
from firesat.cube import Cube, create_cube, grid_of
from firesat.errors import CheckpointError, ConfigError, CubeError, GridError, ProductError
from firesat.forecast import Forecaster
from firesat.jobs.predict import conditions as conditions_module
from firesat.jobs.predict import empty_shares, machine, plan, predict, run
from firesat.jobs.predict.census import Census, count
from firesat.jobs.predict.conditions import SCAR, SNOW, conditions
from firesat.jobs.predict.days import check_days
from firesat.jobs.predict.machine import chip_side, chip_step, machine_of
from firesat.jobs.predict.pieces import Load, pieces
from firesat.model_folder import write_folder
from firesat.products.leads import Leads
from firesat.products.probability import Probability
from firesat.products.quality import Quality
from firesat.products.settings import PredictSettings
from firesat.products.strips import State, Strip
from firesat.samples import Inputs, Reader, Region
from firesat.scaling import Moments, Scaler
from firesat.window import Window
from firesat_models.temporal_cnn import TemporalCNN
from tests.tiny_cube import (
    CELLS,
    DAY,
    HOUR,
    LAKE,
    LATENCY,
    REGION,
    TinyFire,
    World,
    layouts,
    write_group,
    write_tiny_cube,
)

DAYS = 20
AXIS = np.datetime64("2023-05-01", "D") + np.arange(DAYS) * DAY
INPUTS = Inputs(looks=2, weather_days=8, modis_steps=2)
BLAZE = (TinyFire(fire_id=1, row=140, column=120, start=8, days=12, rate=2.0, slack=1),)
HALO = 10
GROUPS = ("sentinel2", "modis_vi", "modis_lst", "fire_weather", "hotspots", "static")


def quiet(*_: object) -> None:
    """A progress that nobody watches."""


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cube; its north-western 10 km lie under snow, the rest is free of it."""
    path = write_tiny_cube(
        tmp_path_factory.mktemp("cube") / "tiny.zarr",
        days=DAYS,
        scene_every=5,
        fires=BLAZE,
        groups=GROUPS,
    )
    world = World(axis=AXIS, fires=BLAZE, seed=0, scene_every=5)

    def weather(variable: str, step: int) -> NDArray[np.float64]:
        if variable == "sd":
            return np.array([[2 * SNOW, 0.0], [0.5 * SNOW, 0.0]])
        return world.weather(variable, step)

    end = AXIS.astype("datetime64[s]") + DAY + 12 * HOUR
    write_group(
        Cube(path, grid_of(path)), layouts()["era5_land"], AXIS, weather,
        end + LATENCY["era5_land"] * HOUR,
    )  # fmt: skip
    return path


class Remembering(Reader):
    """Opens each part of the cube once for all tests."""

    opened: ClassVar[dict[str, Region]] = {}

    def region(self, cells: GeoBox) -> Region:
        key = f"{self.cube_path} {self.inputs} {cells}"
        if key not in self.opened:
            self.opened[key] = super().region(cells)
        return self.opened[key]


class Smooth(nn.Module):
    """Elevation, fire and the newest look, averaged over 7 x 7 cells: nothing else, and no seam."""

    halo = 3
    stride = 1

    def __init__(self, channels: Channels, slope: float = 1.0) -> None:
        super().__init__()
        self.channels, self.slope = channels, slope
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        fields = [batch["static"][:, :1], batch["fire"][:, :1], batch["sentinel2"][:, 0, 3:4]]
        mixed = functional.avg_pool2d(torch.cat(fields, dim=1), 7, 1, 3).sum(dim=1, keepdim=True)
        return torch.cat([mixed + 6.0, 0.3 * self.slope * mixed], dim=1)


@pytest.fixture(scope="module")
def scaler(cube: Path) -> Scaler:
    reader = Remembering(cube, INPUTS)
    moments = Moments(INPUTS.names)
    fields = reader.day("2023-05-17", grid_of(cube).region_geobox(100))
    moments.add(reader.chip(fields, 0, 0, CELLS))
    return moments.scaler()


def save(network: nn.Module, scaler: Scaler, path: Path) -> Path:
    forecaster = Forecaster(network, inputs=INPUTS.record, scaler=scaler.record)
    forecaster.provenance = {
        "data_sha256": "ab" * 32, "config_hash": "cd" * 8, "git_revision": "", "seed": 0
    }  # fmt: skip
    content: dict[str, Any] = {"state_dict": forecaster.state_dict()}
    forecaster.on_save_checkpoint(content)
    assert RECORD in content
    torch.save(content, path)
    return path


@pytest.fixture
def smooth(scaler: Scaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forecaster:
    """A forecaster whose chips can be checked against the whole map."""
    (tmp_path / "smooth.ckpt").write_bytes(b"first weights")
    forecaster = Forecaster(Smooth(INPUTS.channels(80)))
    loaded = (forecaster.eval(), INPUTS.record, scaler.record)
    monkeypatch.setattr(machine, "load_forecaster", lambda _: loaded)
    monkeypatch.setattr(machine, "Reader", Remembering)
    monkeypatch.setattr(conditions_module, "Reader", Remembering)
    return forecaster


@pytest.fixture
def settings(tmp_path: Path) -> PredictSettings:
    return PredictSettings(
        output=tmp_path / "forecast", days=("2023-05-17",), checkpoint=tmp_path / "smooth.ckpt"
    )


def read(path: Path) -> NDArray:
    with rasterio.open(path) as file:
        return file.read()


def mask_of(path: Path) -> NDArray:
    return read(path.parent / "masks" / f"{path.stem}_mask.tif")[0]


def whole_map(cube: Path, scaler: Scaler, forecaster: Forecaster, day: str) -> NDArray:
    """The forecast without chips."""
    reader = Remembering(cube, INPUTS)
    chip = reader.chip(reader.day(day, grid_of(cube).region_geobox(100)), 0, 0, CELLS)
    batch = {name: torch.from_numpy(v)[None] for name, v in scaler.apply(chip).items()}
    with torch.inference_mode():
        return forecaster.forecast(batch)[0].numpy()


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


def test_batches_are_no_larger_than_pieces_and_evenly_filled() -> None:
    small = Load.of([4], 16, days=100)  # a region of four chips
    assert (small.size, small.batches, small.chips, small.wanted) == (4, 100, 400, 1.0)
    large = Load.of([49, 49, 7], 16, days=2)  # 13 + 13 + 13 + 10, twice, and 7
    assert (large.size, large.batches, large.chips) == (13, 18, 210)
    assert large.wanted == pytest.approx(210 / (18 * 13))


@pytest.mark.parametrize(
    ("halo", "reach", "region", "side"),
    [
        (40, 40, (600, 600), 360),  # four chips; sixteen of 240 cells have twice as many
        (16, 16, (600, 600), 320),
        (40, 40, (48_000, 55_000), 400),
        (40, 40, (600, 400), 400),  # two chips
        (40, 40, (200, 300), 200),  # as large as the region has room for
        (16, 40, (600, 400), 80),  # reaches farther than its halo
        (16, None, (600, 400), 80),
    ],
)
def test_chips_are_as_large_as_changes_nothing(
    halo: int, reach: int | None, region: tuple[int, int], side: int
) -> None:
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    network.halo, network.reach = halo, reach
    assert chip_side(None, network, region) == side
    assert chip_side(120, network, region) == 120
    del network.reach  # networks of others need not say
    assert chip_side(None, network, region) == 80
    network.stride = 14  # patches of DINOv2: 80 is no multiple
    assert chip_side(None, network, region) == 70


@pytest.mark.usefixtures("smooth")
def test_a_batch_of_large_chips_has_few(cube: Path, settings: PredictSettings) -> None:
    chips = [40, 80, 200]  # 160 000 cells are as much as is quick on a processor
    machines = [machine_of(replace(settings, chip=chip), cube, ["2023-05-17"]) for chip in chips]
    assert [each.at_once for each in machines] == [100, 25, 4]


def test_chips_that_are_all_halo_are_refused_with_what_to_do() -> None:
    assert chip_step(None, 240, 40) == 160
    for wanted in (None, 10):
        with pytest.raises(ConfigError, match=r"nothing is left .*a smaller predict\.halo"):
            chip_step(wanted, 80, 40)


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


@pytest.mark.parametrize(
    ("regime", "day", "last"),
    [
        ("protocol", "2023-05-22", "2023-05-21"),
        ("hindsight", "2023-05-14", "2023-05-13"),
        ("operational", "2023-05-29", "2023-05-28"),
    ],
)
def test_a_day_outside_the_cube_is_refused_with_the_last_possible_one(
    cube: Path, regime: str, day: str, last: str
) -> None:
    inputs = replace(INPUTS, regime=regime)
    check_days([last], cube, inputs)
    with pytest.raises(CubeError, match=rf"{day} cannot be forecast.* last possible day is {last}"):
        check_days([last, day], cube, inputs)


def test_the_first_day_of_a_cube_has_no_weather_before_it(cube: Path) -> None:
    check_days(["2023-05-02"], cube, INPUTS)
    with pytest.raises(
        CubeError, match=r"2023-05-01 cannot be forecast: tiny\.zarr has weather from"
    ):
        check_days(["2023-05-01"], cube, INPUTS)


def test_a_cube_without_weather_says_so(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "bare.zarr", days=3, groups=["static"])
    with pytest.raises(CubeError, match=r"holds no weather \(era5_land\) yet"):
        check_days(["2023-05-02"], path, INPUTS)
    create_cube(path, grid_of(path)).add_group(layouts()["era5_land"], AXIS)
    with pytest.raises(CubeError, match=r"holds no weather \(era5_land\) yet"):
        check_days(["2023-05-02"], path, INPUTS)


@pytest.mark.usefixtures("smooth")
def test_settings_that_cannot_work_are_refused_before_any_data_are_read(
    cube: Path, settings: PredictSettings
) -> None:
    with pytest.raises(ConfigError, match="multiple of 10 up to 70"):
        predict(replace(settings, stride=80), cube, quiet)
    with pytest.raises(ConfigError, match=r"of chips of 80 cells nothing is left .* of 40"):
        predict(replace(settings, halo=40), cube, quiet)
    with pytest.raises(ConfigError, match="takes multiples of 10 cells"):
        predict(replace(settings, chip=84), cube, quiet)
    with pytest.raises(ConfigError, match="no day to forecast"):
        predict(replace(settings, days=()), cube, quiet)
    assert not settings.output.exists()


@pytest.mark.usefixtures("smooth")
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_loaded(
    cube: Path, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "machine_of", None)
    with pytest.raises(ConfigError, match=r"into .*smooth\.ckpt: Not a directory; .* as --output"):
        predict(replace(settings, output=settings.output.with_name("smooth.ckpt")), cube, quiet)


@pytest.fixture
def config(cube: Path, scaler: Scaler, tmp_path: Path) -> Path:
    """A project of the tiny cube, whose forecaster is a folder."""
    network = TemporalCNN(INPUTS.channels(80), width=8, weather_width=8)
    write_folder(save(network, scaler, tmp_path / "best.ckpt"), tmp_path / "model")
    period = {"start": "2023-05-01", "end": "2023-05-20"}
    content = {
        "grid": {"region": list(REGION)},
        "cube": {"path": str(cube), "periods": [period]},
        "sample": {
            "path": str(tmp_path / "chips.zarr"),
            "splits": {
                "train": [{"start": "2022-05-01", "end": "2022-05-20"}],
                "val": [{"start": "2023-05-02", "end": "2023-05-17"}],
            },
        },
        "predict": {
            "output": str(tmp_path / "out" / "maps"),
            "checkpoint": str(tmp_path / "model"),
            "days": ["2023-05-17", "2023-05-18"],
        },
    }
    path = tmp_path / "project.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_dry_run_refuses_what_a_run_would_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    command = ["predict", "--config", str(config), "--dry-run"]
    for wrong, words in (
        (["--reference_time", "2024-07-05"], "2024-07-05 cannot be forecast"),
        (["--checkpoint", "nope"], "there is no checkpoint at nope"),
        (["--set", "predict.chip=84"], "takes multiples of 40 cells"),
        (["--output", str(config)], "Not a directory; give another folder as --output"),
    ):
        assert main([*command, *wrong]) == main([*command[:-1], *wrong]) != 0
        said, again = capsys.readouterr().err.splitlines()
        assert words in said
        assert said == again
    assert main(command) == 0
    assert "would forecast 2023-05-17, 2023-05-18 in" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_tells_kept_days_from_days_to_be_made_in_json_too(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", "--config", str(config)]
    assert main([*command, "--reference_time", "2023-05-18", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["share_without_forecast"]) == ["2023-05-18"]
    assert main([*command, "--dry-run"]) == 0
    told = capsys.readouterr()
    output = tmp_path / "out" / "maps"
    assert told.err.splitlines()[-2:] == [
        f"would forecast 2023-05-17 in {output}",
        f"would keep the whole maps of 2023-05-18 in {output}",
    ]
    assert told.out == ""
    assert main([*command, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": str(output),
        "would_forecast": ["2023-05-17"],
        "kept": ["2023-05-18"],
    }


def test_a_dry_run_of_a_calibration_checks_its_maps_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    command = ["calibrate", "--config", str(config), "--dry-run"]
    assert main(command) == 0
    work = tmp_path / "out" / "calibration"
    assert f"would forecast 2023-05-02, 2023-05-10 into {work}, then" in capsys.readouterr().err
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["would_forecast"] == ["2023-05-02", "2023-05-10"]
    period = "sample.splits.val=[{start: 2024-05-02, end: 2024-05-09}]"
    assert main([*command, "--set", period]) == 1
    assert "2024-05-02 cannot be forecast" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["predict", "calibrate", "evaluate"])
def test_a_config_of_another_region_than_the_cube_s_is_refused_with_both(
    config: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    elsewhere = "grid.region=[10000, 660000, 40000, 680000]"
    output = f"evaluate.output={config.parent / 'scores'}"
    assert main([command, "--config", str(config), "--set", elsewhere, "--set", output]) == 1
    said = capsys.readouterr().err
    assert f"extent: {list(REGION)} there, [10000.0, 660000.0, 40000.0, 680000.0] now" in said
    assert said.count("\n") == 1


def test_a_missing_checkpoint_is_named(cube: Path, settings: PredictSettings) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*smooth\.ckpt"):
        predict(settings, cube, quiet)
    with pytest.raises(CheckpointError, match="give --checkpoint FILE"):
        predict(replace(settings, checkpoint=None), cube, quiet)


def test_a_network_that_gives_no_numbers_leaves_no_map(
    cube: Path, smooth: Forecaster, settings: PredictSettings
) -> None:
    smooth.network.slope = float("nan")
    with pytest.raises(CheckpointError, match="answers NaN"):
        predict(settings, cube, quiet)
    assert list(settings.output.iterdir()) == []


def test_a_device_without_room_is_one_line_and_leaves_no_map(
    cube: Path, smooth: Forecaster, settings: PredictSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Smooth, batch: dict[str, Tensor]) -> Tensor:
        raise torch.OutOfMemoryError(f"CUDA out of memory.\nTried {len(batch['age'])} GiB")

    monkeypatch.setattr(Smooth, "forward", forward)
    with pytest.raises(ProductError, match=r"of 5 chips .* predict\.batch_size=2") as caught:
        predict(replace(settings, batch_size=8), cube, quiet)
    assert "\n" not in str(caught.value)
    assert not list(settings.output.rglob("*.tif"))


@pytest.mark.parametrize("span", [40, 100, 1000])
def test_pieces_share_out_every_chip_and_every_cell_once(span: int) -> None:
    shape, chip, stride = (330, 250), 80, 50
    described = np.zeros(shape, dtype=int)
    places = []
    for piece in pieces(shape, chip, stride, margin=10, span=span):
        described[piece.own_rows, piece.own_columns] += 1
        places += piece.chips
        height = piece.rows.stop - piece.rows.start
        assert height < span + chip + stride + 20
        assert piece.rows.start % 10 == piece.columns.start % 10 == 0
        for row, column in piece.chips:
            assert piece.rows.start <= row <= piece.rows.stop - chip
            assert piece.columns.start <= column <= piece.columns.stop - chip
        own = np.zeros((height, piece.columns.stop - piece.columns.start))[piece.own]
        assert own.shape == described[piece.own_rows, piece.own_columns].shape
    assert (described == 1).all()
    assert len(places) == len(set(places)) == 6 * 5


def test_a_region_smaller_than_a_chip_is_refused() -> None:
    with pytest.raises(GridError, match="do not cover"):
        list(pieces((60, 200), 80, 40, margin=10))


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
