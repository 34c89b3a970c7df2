"""A row of CanadaFireSat as the fields that every network sees."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from firesat.bands import SENTINEL2_BANDS
from firesat.benchmark.fields import fields_of, label_of, overlap
from firesat.benchmark.layout import IMAGES
from firesat.benchmark.nested import Row
from firesat.benchmark.sample import Sample, Taker
from firesat.benchmark.settings import MODIS, WEATHER, BenchmarkInputs
from firesat.errors import ConfigError, SampleError
from firesat.scaling import Batch
from tests.canadafiresat_files import NAMES, make_row, table

DAY = date(2021, 7, 4)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "meta_hf.json"
    path.write_text(json.dumps(NAMES))
    return path


def take(names: Path, row: dict[str, Any], *, dated: bool = True, **inputs: Any) -> Sample:
    """A row's journey through Arrow, as from a file."""
    (batch,) = table([row], "Yukon", dated=dated).to_batches()
    here = Row(file=Path("a.parquet"), number=0, batch=batch, place=0)
    return Taker(BenchmarkInputs(**inputs), names).take(here)


def fields(names: Path, row: dict[str, Any], **inputs: Any) -> Batch:
    return fields_of(take(names, row, **inputs), BenchmarkInputs(**inputs))


def images(look: Any, looks: int = 3) -> dict[str, NDArray[Any]]:
    """The three columns, each filled by ``look(pixel centres in m, band number)``."""
    out, band = {}, 0
    for column, (bands, side) in IMAGES.items():
        metres = (np.arange(side) + 0.5) * 2640 / side
        layers = [np.broadcast_to(look(metres[:, None], band + i), (side, side))
                  for i in range(len(bands))]  # fmt: skip
        out[column] = np.stack([np.stack(layers)] * looks)
        band += len(bands)
    return out


def dated(*back: int) -> list[int]:
    return [DAY.timetuple().tm_yday - days for days in back]


def test_bands_are_put_into_the_order_of_the_lexicon(names: Path) -> None:
    stored = [band for bands, _ in IMAGES.values() for band in bands]
    assert " ".join(stored) == "B04 B03 B02 B08 B05 B06 B07 B8A B11 B12 B01 B09 B10"
    row = make_row(0) | images(lambda _, band: np.full(1, 10.0 * (band + 1)).astype("u1"))
    row |= {"doy": dated(20, 10, 5)}
    for resolution, side in ((100, 26), (10, 264)):
        reflectance = fields(names, row, resolution=resolution, looks=3)["sentinel2"]
        assert reflectance.shape == (3, 13, side, side)
        for place, band in enumerate(SENTINEL2_BANDS):
            wanted = 10 * (stored.index(band) + 1) / 255
            np.testing.assert_allclose(reflectance[:, place], wanted, rtol=1e-6)


def test_means_lie_on_the_cells_at_every_resolution_of_the_bands(names: Path) -> None:
    row = make_row(0) | images(lambda metres, _: metres / 20) | {"doy": dated(20, 10, 5)}
    reflectance = fields(names, row, looks=1)["sentinel2"][0]
    # cell i has its centre 20 + 100 i + 50 m from the northern edge of the sample
    centre = 20 + 100 * np.arange(26) + 50
    for place, band in enumerate(SENTINEL2_BANDS):
        wanted = centre / 20 / 255
        if band in IMAGES["60x"][0]:  # steps of 60 m: their mean over the very metres of the cell
            steps = ((np.arange(44) + 0.5) * 60 / 20 / 255).repeat(60)
            wanted = steps[20:2620].reshape(26, 100).mean(axis=1)
        np.testing.assert_allclose(
            reflectance[place], np.broadcast_to(wanted[:, None], (26, 26)), rtol=1e-4, err_msg=band
        )


@pytest.mark.parametrize("side", [264, 132, 44])
def test_overlap_shares_out_the_inner_2600_metres(side: int) -> None:
    weights = overlap(side)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    pixel = 2640 / side
    covered = np.clip(np.minimum(np.arange(1, side + 1) * pixel, 2620)
                      - np.maximum(np.arange(side) * pixel, 20), 0, None)  # fmt: skip
    np.testing.assert_allclose(weights.sum(axis=0) * 100, covered, rtol=1e-5)


def test_ten_metres_are_the_stored_pixels_and_what_was_not_seen_is_missing(names: Path) -> None:
    row = make_row(5) | {"doy": dated(20, 10, 5)}
    row |= {column: row[column][:3].copy() for column in IMAGES}
    for column, (_, side) in IMAGES.items():
        row[column][2, :, : 11 * side // 44] = 0  # the newest look begins 660 m further south
    found = fields(names, row, resolution=10, looks=2)
    newest, before = found["sentinel2"]
    assert np.isnan(newest[:, :66]).all()
    assert np.isfinite(newest[:, 66:]).all()
    np.testing.assert_allclose(before[3], row["10x"][1, 0] / 255, rtol=1e-6)
    np.testing.assert_allclose(before[0][::6, ::6], row["60x"][1, 0] / 255, rtol=1e-6)
    np.testing.assert_allclose(before[0][5::6, 5::6], row["60x"][1, 0] / 255, rtol=1e-6)
    # rows 2 to 65 are not seen: cells 0 to 5 not at all, cell 6 by 6 of its 10 rows
    np.testing.assert_array_equal(found["clear"][0, :, 0], [0] * 6 + [1] * 20)
    np.testing.assert_array_equal(found["age"][0, 6:], 5)


def test_a_cell_is_the_mean_of_what_was_seen_of_at_least_half_of_it(names: Path) -> None:
    row = make_row(0) | images(lambda _, __: np.full(1, 100).astype("u1"))
    row |= {"doy": dated(20, 10, 5)}
    row["10x"] = row["10x"].copy()
    row["10x"][-1, :, :8] = 0  # 6 of the 10 rows of cell 0
    row["10x"][-1, :, 12:17] = 0  # half of cell 1
    found = fields(names, row, looks=2)
    np.testing.assert_array_equal(found["clear"][0, :, 0], [0] + [1] * 25)
    assert np.isnan(found["age"][0, 0]).all()
    assert np.isnan(found["sentinel2"][0, :, 0]).all()
    np.testing.assert_allclose(found["sentinel2"][0, :, 1], 100 / 255, rtol=1e-6)
    np.testing.assert_array_equal(found["clear"][1], 1)


@pytest.mark.parametrize(("number", "looks"), [(3, 5), (9, 5), (5, 5)])
def test_the_latest_looks_come_newest_first_and_those_that_lack_are_masked(
    names: Path, number: int, looks: int
) -> None:
    back = [60 - 6 * place for place in range(number)]
    row = make_row(0) | images(lambda _, __: np.full(1, 50).astype("u1"), number)
    for place in range(number):
        for column in IMAGES:
            row[column][place] = 10 * (place + 1)
    found = fields(names, row | {"doy": dated(*back)}, looks=looks)
    kept = min(number, looks)
    np.testing.assert_array_equal(found["age"][:kept, 0, 0], back[::-1][:kept])
    np.testing.assert_allclose(
        found["sentinel2"][:kept, 0, 0, 0] * 255,
        [10 * (number - i) for i in range(kept)],
        rtol=1e-5,
    )
    np.testing.assert_array_equal(found["clear"][:, 3, 3], [1] * kept + [0] * (looks - kept))
    assert np.isnan(found["sentinel2"][kept:]).all()


def test_looks_in_the_days_that_are_forecast_are_left_out_and_counted(names: Path) -> None:
    row = make_row(0) | images(lambda _, __: np.full(1, 50).astype("u1"), 4)
    sample = take(names, row | {"doy": dated(30, 1, 0, -3)})
    assert sample.age.tolist() == [1, 30]
    assert (sample.late_looks, sample.late_steps) == (2, 0)


@pytest.mark.parametrize(("year", "length"), [(2021, 366), (2022, 365)])
def test_ages_go_on_across_the_new_year(names: Path, year: int, length: int) -> None:
    row = make_row(0, day=date(year, 1, 17)) | {"doy": [length, 1, 16]}
    row |= {column: row[column][:3] for column in IMAGES}
    sample = take(names, row)
    assert sample.age.tolist() == [1, 16, 17]
    assert sample.day == 17


def test_without_a_date_the_forecast_begins_where_the_last_step_ends(names: Path) -> None:
    row = make_row(4)
    one, other = take(names, row), take(names, row, dated=False)
    assert other.day == one.day == DAY.timetuple().tm_yday
    np.testing.assert_array_equal(one.age, other.age)
    np.testing.assert_array_equal(one.weather, other.weather)
    last = make_row(4, day=date(2021, 1, 1)) | {"env_doy": [*range(305, 362, 8)]}
    assert take(names, last, dated=False).day == 1


def test_steps_come_oldest_first_and_none_reaches_into_the_forecast(names: Path) -> None:
    row = make_row(2)
    turned = row | {
        name: row[name][::-1]
        for name in ("env_doy", "tab_era5", "tab_cds", "env_modis11", "env_modis13_15")
    }
    one, other = take(names, row), take(names, turned)
    np.testing.assert_array_equal(one.weather, other.weather)
    np.testing.assert_array_equal(one.modis, other.modis)
    late = take(names, row | {"env_doy": [day + 8 for day in row["env_doy"]]})
    assert late.late_steps == 1
    assert np.isnan(late.weather[0]).all()  # the step that begins at T: no step is so far back
    np.testing.assert_array_equal(late.weather[1:], one.weather[:-1])


def test_variables_are_found_by_name_and_missing_values_are_masks(names: Path) -> None:
    row = make_row(3)
    found = fields(names, row)
    assert found["weather"].shape == (8, 9, 1, 1)
    for place, name in enumerate(WEATHER):
        column = "tab_cds" if name in NAMES["tab_cds"] else "tab_era5"
        wanted = row[column][:, NAMES[column].index(name)]
        np.testing.assert_allclose(found["weather"][:, place, 0, 0], wanted, rtol=1e-6)
    era5 = [name in NAMES["tab_era5"] for name in WEATHER]
    np.testing.assert_array_equal(
        found["weather_mask"][0], ~np.array(era5)
    )  # its first step is NaN
    np.testing.assert_array_equal(found["weather_mask"][1:], 1)
    for place, name in enumerate(MODIS):
        column = "env_modis11" if name in NAMES["env_modis11"] else "env_modis13_15"
        wanted = row[column][1:, NAMES[column].index(name), -1, -1]
        np.testing.assert_allclose(found["modis"][1:, place, 4, 4], wanted, rtol=1e-6)
    assert found["modis"].shape == (8, 5, 5, 5)
    np.testing.assert_array_equal(found["modis_mask"][0, 0, :, 0], [0, 0, 0, 1, 1])


def test_rasters_may_have_steps_or_variables_first(names: Path) -> None:
    row = make_row(3)
    swapped = {name: row[name].swapaxes(0, 1) for name in ("env_modis11", "env_modis13_15")}
    np.testing.assert_array_equal(take(names, row).modis, take(names, row | swapped).modis)


@pytest.mark.parametrize(
    ("use", "absent"),
    [
        (("sentinel2",), ("modis", "weather")),
        (("modis", "weather"), ("sentinel2",)),
        (("weather",), ("sentinel2", "modis")),
    ],
)
def test_what_is_not_used_is_masked_and_not_even_read(
    names: Path, use: Any, absent: tuple[str, ...]
) -> None:
    columns = {
        "sentinel2": ("doy", *IMAGES),
        "modis": ("env_modis11", "env_modis13_15", "env_modis11_loc", "env_modis13_15_loc", "loc"),
        "weather": ("tab_era5", "tab_cds"),
    }
    row = make_row(1)
    for name in (column for field in absent for column in columns[field]):
        del row[name]
    found = fields(names, row, use=use)
    masks = {"sentinel2": "clear", "modis": "modis_mask", "weather": "weather_mask"}
    for name, mask in masks.items():
        assert found[mask].any() == (name in use)
        assert np.isnan(found[name]).all() == (name in absent)


def test_season_and_layers_that_the_set_has_not(names: Path) -> None:
    found = fields(names, make_row(0))
    angle = 2 * np.pi * (DAY.timetuple().tm_yday - 1) / 365.25
    np.testing.assert_allclose(found["season"], [np.sin(angle), np.cos(angle)], rtol=1e-6)
    assert found["fire"].shape == found["static"].shape == (0, 26, 26)


def test_a_pixel_belongs_to_the_cell_it_lies_in() -> None:
    for row, cell in ((1, None), (2, 0), (11, 0), (12, 1), (261, 25), (262, None)):
        labels = np.zeros((264, 264), "i1")
        labels[row, 100] = 1
        label, valid = label_of(labels, "any")
        assert label.sum() == (cell is not None)
        assert cell is None or label[cell, 9] == 1  # column 100 lies in 92 .. 101
        assert valid.all()


def test_half_of_a_cell_must_burn_where_fractions_count() -> None:
    labels = np.zeros((264, 264), "i1")
    labels[2:12, 2:6] = 1
    labels[2:11, 6] = 1
    assert label_of(labels, "fraction")[0].sum() == 0
    labels[11, 6] = 1
    assert label_of(labels, "fraction")[0][0, 0] == 1


def test_published_labels_are_those_of_the_padded_pooling() -> None:
    labels = (np.random.default_rng(0).random((264, 264)) < 0.004).astype("i1")
    crop = torch.from_numpy(labels[None, 2:262, 2:262]).float()
    wanted = functional.max_pool2d(crop, 10, padding=1)[0].numpy()
    found, valid = label_of(labels, "published")
    np.testing.assert_array_equal(found, wanted)
    assert valid.all()
    assert (label_of(labels, "any")[0] != found).sum() > 20  # shifted labels are other labels


def test_unknown_pixels_make_a_cell_unknown_unless_they_do_not_matter(names: Path) -> None:
    row = make_row(0)
    labels = np.zeros((264, 264), "i2")
    labels[2:12, 2:12] = -999
    labels[12, 2:12] = -999
    labels[13, 2] = 1
    found = fields(names, row | {"labels": labels})
    assert found["label"].shape == found["valid"].shape == (1, 26, 26)
    assert (found["label"][0, 1, 0], found["valid"][0, 1, 0]) == (1, 1)
    assert found["valid"].sum() == 26 * 26 - 1
    half = fields(names, row | {"labels": labels}, label="fraction")
    assert half["valid"].sum() == 26 * 26 - 1
    assert half["label"].sum() == 0


def test_a_negative_sample_may_come_without_labels(names: Path) -> None:
    def nothing(positive: bool) -> Sample:
        row = make_row(0, positive=positive)
        (batch,) = table([row, row | {"labels": None}], "Yukon").to_batches()
        here = Row(file=Path("a.parquet"), number=1, batch=batch, place=1)
        return Taker(BenchmarkInputs(), names).take(here)

    assert not nothing(False).labels.any()
    with pytest.raises(SampleError, match="row 1: labels is null, though something burned"):
        nothing(True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"10x": np.zeros((3, 4, 128, 128), "u1")},
         r"10x has shape \(3, 4, 128, 128\), expected \(3, 4, 264, 264\)"),
        ({"20x": np.zeros((2, 6, 132, 132), "u1")}, r"20x has shape \(2, "),
        ({"10x": np.full((3, 4, 264, 264), 2000, "i2")},
         r"10x holds 2000 to 2000, expected 0 to 255"),
        ({"labels": np.zeros((26, 26), "u1")}, r"labels has shape \(26, 26\)"),
        ({"env_doy": [1, 2, 3]}, r"env_doy has shape \(3,\), expected \(8\)"),
        ({"tab_cds": np.zeros((8, 3))}, r"tab_cds has shape \(8, 3\), expected \(8, 4\)"),
        ({"env_modis11": np.zeros((8, 2, 16, 16), "f4")},
         r"env_modis11 has shape \(8, 2, 16, 16\), expected 8 steps of 3 variables"),
        ({"env_modis11_loc": np.zeros((9, 9, 2), "f4")}, r"env_modis11_loc has shape \(9, 9, 2\)"),
        ({"loc": np.zeros((2, 264, 264), "f4")}, "no longitudes and latitudes of Canada"),
        ({"file_id": "HARD"}, "file_id is 'HARD', expected POS or NEG"),
    ],
)  # fmt: skip
def test_a_row_of_another_shape_or_scale_is_refused_in_one_line(
    names: Path, change: dict[str, Any], words: str
) -> None:
    row = make_row(0) | {"doy": dated(20, 10, 5)}
    row |= {column: row[column][:3] for column in IMAGES}
    with pytest.raises(SampleError, match=rf"^a\.parquet, row 0: .*{words}") as caught:
        take(names, row | change)
    assert "\n" not in str(caught.value)


def test_variables_that_the_set_has_not_are_refused_with_the_nearest(names: Path) -> None:
    with pytest.raises(ConfigError, match="no variable 'fwinx_meen': did you mean fwinx_mean"):
        Taker(BenchmarkInputs(weather=("fwinx_meen",)), names)
    with pytest.raises(ConfigError, match="the first of 7 are LST_Day_1km_max"):
        Taker(BenchmarkInputs(modis=("zzz",)), names)
    with pytest.raises(SampleError, match=r"there is no .*\.json: this JSON"):
        Taker(BenchmarkInputs(), names.with_name("none.json"))
    with pytest.raises(ConfigError, match="leave a field out with use"):
        BenchmarkInputs(weather=())


@pytest.mark.parametrize("content", ["[]", "{", '{"tab_era5": 3}', '{"env_modis11": ["a"]}'])
def test_a_file_of_names_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "meta_hf.json"
    path.write_text(content)
    with pytest.raises(SampleError, match="does not name the variables of env_modis11"):
        Taker(BenchmarkInputs(), path)
    Taker(BenchmarkInputs(use=("sentinel2",)), path)  # looks have no names to find


def test_dates_are_those_of_the_file(names: Path) -> None:
    row = make_row(0) | {"date": datetime(2021, 7, 12, tzinfo=UTC)}
    assert take(names, row).day == date(2021, 7, 12).timetuple().tm_yday
    (batch,) = table([row], "Yukon").to_batches()
    assert batch.schema.field("date").type == pa.timestamp("s")
