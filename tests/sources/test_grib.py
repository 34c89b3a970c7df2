"""GRIB files of all shapes, against ecCodes."""

from pathlib import Path

import numpy as np
import pytest

from firesat.errors import CorruptFileError, SourceError
from firesat.sources import _grib
from firesat.sources._grib import read_grib
from firesat.sources._grib_message import dissect, unpack
from firesat.sources._grib_spans import spans
from tests.sources.gribs import LATITUDES, LONGITUDES, PARAMETERS, grib_message, raw_values

NOON = np.datetime64("2023-07-01T12", "h")
SHAPE = (len(LATITUDES), len(LONGITUDES))


@pytest.fixture
def field() -> np.ndarray:
    values = np.random.default_rng(3).normal(285, 8, SHAPE)
    values[0, :3] = np.nan
    return values


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("bits", [1, 8, 12, 16, 24, 25])
def test_direct_unpacking_is_what_eccodes_decodes(
    field: np.ndarray, edition: int, bits: int
) -> None:
    message = grib_message(field, NOON, edition=edition, bits=bits)
    packed = dissect(message)
    assert packed is not None
    np.testing.assert_allclose(unpack(packed, field.size), raw_values(message), rtol=1e-12)


@pytest.mark.parametrize("edition", [1, 2])
def test_a_constant_field_and_negative_numbers_are_unpacked(edition: int) -> None:
    for values in (np.full(SHAPE, -7.25), np.linspace(-1e-7, 3e-9, 48).reshape(SHAPE)):
        message = grib_message(values, NOON, edition=edition, parameter=PARAMETERS["tp"], step=3)
        packed = dissect(message)
        assert packed is not None
        np.testing.assert_allclose(unpack(packed, 48), raw_values(message), rtol=1e-12)


def test_packing_that_is_not_simple_is_left_to_eccodes(field: np.ndarray, tmp_path: Path) -> None:
    message = grib_message(
        np.nan_to_num(field, nan=280), NOON, edition=2, keys={"packingType": "grid_ccsds"}
    )
    assert dissect(message) is None
    (tmp_path / "a.grib").write_bytes(message)
    values = read_grib(tmp_path / "a.grib")["t2m"].values[0]
    np.testing.assert_allclose(values.ravel(), raw_values(message), rtol=1e-6)


@pytest.mark.parametrize("edition", [1, 2])
def test_a_month_goes_through_eccodes_once_per_kind(
    edition: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    written = {}
    with (tmp_path / "month.grib").open("wb") as file:
        for day in range(1, 6):
            run = np.datetime64(f"2023-07-{day:02d}T00", "h")
            for name in ("t2m", "tp"):
                for step in (6, 12, 18, 24):
                    values = rng.normal(280, 5, SHAPE)
                    message = grib_message(
                        values, run, parameter=PARAMETERS[name], edition=edition, step=step
                    )
                    written[name, run + np.timedelta64(step, "h")] = raw_values(message)
                    file.write(message)
    slow = []
    add = _grib._File.add
    monkeypatch.setattr(
        _grib._File, "add", lambda self, message: (slow.append(1), add(self, message))
    )
    dataset = read_grib(tmp_path / "month.grib")
    assert len(slow) == 8  # two quantities, four steps
    assert dataset["t2m"].shape == (20, *SHAPE)
    for (name, moment), values in written.items():
        ours = dataset[name].sel(time=moment).values.ravel()
        np.testing.assert_allclose(ours, values, rtol=1e-6)


def test_names_units_times_and_places(field: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.grib").write_bytes(grib_message(field, NOON))
    dataset = read_grib(tmp_path / "a.grib")
    assert dataset["t2m"].attrs["units"] == "K"
    assert dataset["time"].values == np.array(["2023-07-01T12:00:00"], dtype="datetime64[s]")
    np.testing.assert_allclose(dataset["y"].values, LATITUDES, atol=1e-6)
    np.testing.assert_allclose(dataset["x"].values, LONGITUDES, atol=1e-6)
    np.testing.assert_allclose(dataset["t2m"].values[0], field, atol=0.01)
    assert np.isnan(dataset["t2m"].values[0, 0, :3]).all()


@pytest.mark.parametrize(
    "keys",
    [
        {"jScansPositively": 1},
        {"iScansNegatively": 1},
        {"jPointsAreConsecutive": 1},
        {"alternativeRowScanning": 1},
        {"jScansPositively": 1, "iScansNegatively": 1, "jPointsAreConsecutive": 1},
    ],
)
def test_fields_are_turned_north_up(keys: dict[str, int], tmp_path: Path) -> None:
    north_up = np.arange(48, dtype="float64").reshape(SHAPE)
    stored = north_up
    corners = [LATITUDES[0], LATITUDES[-1], LONGITUDES[0], LONGITUDES[-1]]
    if keys.get("jScansPositively"):
        stored, corners[:2] = stored[::-1], corners[1::-1]
    if keys.get("iScansNegatively"):
        stored, corners[2:] = stored[:, ::-1], corners[:1:-1]
    if keys.get("jPointsAreConsecutive"):
        stored = stored.T
    if keys.get("alternativeRowScanning"):
        stored = np.where(np.arange(len(stored))[:, None] % 2, stored[:, ::-1], stored)
    names = ("latitudeOfFirst", "latitudeOfLast", "longitudeOfFirst", "longitudeOfLast")
    places = {
        f"{name}GridPointInDegrees": corner % 360 if "lon" in name else corner
        for name, corner in zip(names, corners, strict=True)
    }
    message = grib_message(stored, NOON, edition=2, keys={**keys, **places})
    (tmp_path / "a.grib").write_bytes(message)
    dataset = read_grib(tmp_path / "a.grib")
    np.testing.assert_allclose(dataset["t2m"].values[0], north_up, atol=0.01)
    np.testing.assert_allclose(dataset["x"].values, LONGITUDES, atol=1e-6)
    np.testing.assert_allclose(dataset["y"].values, LATITUDES, atol=1e-6)


def test_padding_between_messages_is_passed_over(field: np.ndarray, tmp_path: Path) -> None:
    one, two = (grib_message(field, NOON + np.timedelta64(h, "h")) for h in (0, 3))
    (tmp_path / "a.grib").write_bytes(one + bytes(90) + two + bytes(7))
    assert read_grib(tmp_path / "a.grib").sizes["time"] == 2


def test_damage_anywhere_is_found(field: np.ndarray, tmp_path: Path) -> None:
    one, two = (grib_message(field, NOON + np.timedelta64(h, "h")) for h in (0, 3))
    damaged = {
        "cut": (one + two)[:-20],
        "junk": one + b"login page" + two,
        "start": b"GRXB" + one[4:] + two,
        "end": one[:-4] + b"1234" + two,
        "empty": b"",
        "other": b"<html>not authorised</html>",
        "edition": one[:7] + b"\x07" + one[8:],
    }
    for name, content in damaged.items():
        path = tmp_path / f"{name}.grib"
        path.write_bytes(content)
        with pytest.raises(CorruptFileError, match=rf"{name}\.grib is a damaged GRIB file"):
            read_grib(path)


@pytest.mark.parametrize(
    ("edition", "place", "length"),
    [
        (1, 60, b"\xc0\x00\x20"),  # the grid's section would end far beyond the message
        (1, 60, b"\x00\x00\x00"),
        (1, 8, b"\x00\x01\x00"),  # the product's section, past the end of all
        (2, 16, b"\x00\x00\x40\x00"),
        (2, 37, b"\x00\x00\x00\x00"),
        (2, 37, b"\x00\x00\x00\x49"),  # one byte too long
    ],
)
def test_sections_that_leave_their_message_are_refused_before_eccodes_sees_them(
    field: np.ndarray, tmp_path: Path, edition: int, place: int, length: bytes
) -> None:
    message = grib_message(field, NOON, edition=edition)
    path = tmp_path / "a.grib"
    path.write_bytes(message)
    assert len(list(spans(path))) == 1
    path.write_bytes(message[:place] + length + message[place + len(length) :])
    with pytest.raises(CorruptFileError, match="sections of the message at byte 0 do not fit it"):
        list(spans(path))


def test_two_grids_in_one_file_are_refused(field: np.ndarray, tmp_path: Path) -> None:
    other = grib_message(field, NOON, keys={"latitudeOfFirstGridPointInDegrees": 55.7})
    (tmp_path / "a.grib").write_bytes(grib_message(field, NOON) + other)
    with pytest.raises(SourceError, match="holds 2 grids"):
        read_grib(tmp_path / "a.grib")


def test_a_global_field_is_cut_at_the_date_line_and_a_regional_one_is_shifted(
    tmp_path: Path,
) -> None:
    longitudes = np.arange(8) * 45.0
    values = np.tile(longitudes, (6, 1))
    keys = {
        "longitudeOfFirstGridPointInDegrees": 0,
        "longitudeOfLastGridPointInDegrees": 315,
        "iDirectionIncrementInDegrees": 45,
    }
    (tmp_path / "a.grib").write_bytes(grib_message(values, NOON, edition=2, keys=keys))
    dataset = read_grib(tmp_path / "a.grib")
    np.testing.assert_allclose(dataset["x"].values, np.arange(-180, 180, 45))
    np.testing.assert_allclose(
        dataset["t2m"].values[0, 0] % 360, dataset["x"].values % 360, atol=0.01
    )
