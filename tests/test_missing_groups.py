"""A cube that lacks groups, or bands: what is not there is missing, and the rest is as before."""

from pathlib import Path

import numpy as np
import pytest

from firesat.bands import SENTINEL2_BANDS
from firesat.blocks import Layout, Variable
from firesat.cube import Cube, grid_of
from firesat.jobs.prepare import sample
from firesat.samples import Inputs, Reader, SampleSettings
from firesat.scaling import Scaler, add_masks
from firesat.window import Period
from tests.tiny_cube import DAY, HOUR, World, write_group, write_tiny_cube

DAYS, FIRE_DAYS = 20, 12
ISSUED = "2023-05-04"
OTHERS = ("modis_vi", "modis_lst", "era5_land", "fire_weather", "hotspots", "static")
SOME = ("B12", "B11", "B8A")  # in another order than the lexicon's


def three_bands(cube: Cube) -> None:
    """Sentinel-2 on the first day, band b of the lexicon at 0.05 + 0.01 b, clear everywhere."""
    world = World(axis=np.array(["2023-05-01"], "datetime64[D]"), fires=(), seed=0, scene_every=1)
    places = [SENTINEL2_BANDS.index(name) for name in SOME]

    def fill(variable: str, step: int) -> np.ndarray:
        shape = (len(SOME), 200, 200) if variable == "reflectance" else (200, 200)
        values = 0.05 + 0.01 * np.array(places) if variable == "reflectance" else np.ones(1)
        return np.broadcast_to(values[:, None, None] if len(values) > 1 else 1.0, shape)

    layout = Layout(
        group="sentinel2",
        level=100,
        variables=(
            Variable(name="reflectance", bands=SOME),
            Variable(name="clear", dtype="uint8", scale=0.01, fill=255),
        ),
    )
    seen = world.axis.astype("datetime64[s]") + 18 * HOUR
    write_group(cube, layout, world.axis, fill, seen + DAY)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bare") / "bare.zarr"
    write_tiny_cube(path, days=DAYS, groups=["labels"], fires=_fires())
    three_bands(Cube(path, grid_of(path)))
    return path


def _fires() -> tuple:
    from tests.tiny_cube import TinyFire

    return (TinyFire(fire_id=1, row=60, column=60, start=5, days=FIRE_DAYS, rate=2.0),)


def test_the_missing_groups_are_named(bare: Path) -> None:
    assert Reader(bare, Inputs()).missing == OTHERS
    assert Reader(bare, Inputs(modis=("ndvi",), fire_weather=())).missing == (
        "modis_vi",
        "era5_land",
        "hotspots",
        "static",
    )


def test_their_fields_are_all_missing_and_masked(bare: Path, tiny_cube: Path) -> None:
    inputs = Inputs()
    cells = grid_of(bare).region_geobox(100)
    fields = Reader(bare, inputs).day(ISSUED, cells, truth=True)
    whole = Reader(tiny_cube, inputs).day(ISSUED, cells)
    for name, values in fields.inputs.items():
        assert values.shape == whole.inputs[name].shape
        assert values.dtype == whole.inputs[name].dtype
        assert np.isnan(values).all() == (name not in ("sentinel2", "age", "season"))
    masked = add_masks(fields.inputs)
    assert not masked["modis_mask"].any()
    assert not masked["weather_mask"].any()
    assert fields.truth is not None
    assert (fields.truth.valid.any(axis=0)).all()  # no water is known: all of it can burn


def test_a_cube_without_images_has_no_looks(tmp_path: Path) -> None:
    path = write_tiny_cube(tmp_path / "dark.zarr", days=3, groups=["labels"], fires=())
    fields = Reader(path, Inputs()).day("2023-05-02", grid_of(path).region_geobox(100))
    assert fields.inputs["sentinel2"].shape == (3, 13, 200, 200)
    assert np.isnan(fields.inputs["sentinel2"]).all()
    assert np.isnan(fields.inputs["age"]).all()


def test_bands_come_in_the_order_of_the_lexicon_and_others_are_missing(bare: Path) -> None:
    looks = Reader(bare, Inputs()).region(grid_of(bare).region_geobox(100)).looks(ISSUED)
    for number, name in enumerate(SENTINEL2_BANDS):
        newest = looks.reflectance[0, number]
        if name in SOME:
            np.testing.assert_allclose(newest, 0.05 + 0.01 * number, atol=1e-6)
        else:
            assert np.isnan(newest).all()
    assert (looks.age[0] == 3).all()
    assert np.isnan(looks.age[1:]).all()


def test_chips_say_what_they_lack_and_the_scaler_what_it_never_saw(
    bare: Path, tmp_path: Path
) -> None:
    from firesat.chipstore import ChipStore

    settings = SampleSettings(
        path=tmp_path / "chips.zarr",
        splits={"train": [Period(start="2023-05-03", end="2023-05-12")]},
        positives=4,
    )
    report = sample(settings, bare)
    assert report.missing == OTHERS
    store = ChipStore(settings.path)
    scaler = Scaler.from_record(store.attrs["scaler"])
    assert {name: scaler.learned(name) for name in scaler.names} == {
        "sentinel2": True,
        "modis": False,
        "weather": False,
        "static": False,
    }
    chip = scaler.apply(store[0])
    assert all(np.isfinite(values).all() for values in chip.values())
    assert not chip["weather"].any()
    assert not chip["static"].any()
