"""L1C products without any server: metadata, names, images and where tiles lie."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CorruptFileError, ProviderError, SourceError
from firesat.sandbox.encode.jp2 import encode_jp2
from firesat.sandbox.encode.safe import GranuleFacts, encode_granule_metadata
from firesat.sources._fine import Fine, clear_share
from firesat.sources._granule import PIXELS, check, to_reflectance
from firesat.sources._jp2 import read_band
from firesat.sources._mgrs import tile_box
from firesat.sources._products import Product, newest, product_of
from firesat.sources._safe import Placing, Radiometry, read_placing, read_radiometry

SPECIAL = (0, 65535)
ID = "S2B_MSIL1C_20210629T181645_N0301_R084_T14UPF_20210629T200645"
FOLDER = f"Sentinel-2/MSI/L1C/2021/06/29/{ID}.SAFE/GRANULE/L1C_T14UPF_A031662_20210629T181647"
PLACING = Placing(
    tile="14UPF", sensed="2021-06-29T18:16:47Z", epsg=32614, left=685_800, top=6_077_520,
    shapes={10: (1110, 1080), 20: (555, 540), 60: (185, 180)},
)  # fmt: skip


# --- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "baseline", "reflectance"),
    [
        ("S2A_MSIL1C_20200717T221941_R029_T01LAC_20200717T234135", "02.09", 0.15),
        ("S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248", "03.01", 0.15),
        ("S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126", "04.00", 0.05),
        ("S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157", "05.09", 0.05),
    ],
)
def test_1500_is_what_the_real_product_of_each_baseline_says(
    real_data: Path, tmp_path: Path, product: str, baseline: str, reflectance: float
) -> None:
    folder = real_data / "sentinel2/safe_metadata" / f"{product}.SAFE"
    (real,) = folder.glob("MTD_MSIL??.xml")
    path = tmp_path / "MTD_MSIL1C.xml"
    # Of the baselines with offsets only L2A files are at hand: the same lists by other names.
    text = real.read_text().replace("BOA_ADD_", "RADIO_ADD_").replace("BOA_QUANTI", "QUANTI")
    path.write_text(text.replace("Level-2A<", "Level-1C<"))
    found = read_radiometry(path)
    assert found.baseline == baseline
    assert (found.nodata, found.saturated, found.quantification) == (0, 65535, 10_000)
    for band in range(13):
        value = to_reflectance(np.array([1500.0, np.nan]), found, band)
        assert value[0] == pytest.approx(reflectance, abs=1e-12)
        assert np.isnan(value[1])
    if "MSIL1C" in product:
        assert read_radiometry(real) == found
    else:
        with pytest.raises(CorruptFileError, match="is of Level-2A"):
            read_radiometry(real)


def test_offsets_are_those_of_each_band_and_dark_noise_is_not_negative() -> None:
    offsets = tuple(-100.0 * number for number in range(13))
    made = Radiometry(uri="", baseline="05.09", offsets=offsets, quantification=8000.0,
                      nodata=0, saturated=65535)  # fmt: skip
    found = [float(to_reflectance(np.array([1000.0]), made, band)[0]) for band in range(13)]
    wanted = [max(0.0, (1000 - 100 * band) / 8000) for band in range(13)]
    assert found == pytest.approx(wanted, abs=1e-12)
    assert found[12] == 0.0


def xml(**changes: str) -> str:
    offsets = "".join(
        f'<RADIO_ADD_OFFSET band_id="{n}">-1000</RADIO_ADD_OFFSET>' for n in range(13)
    )
    parts = {
        "level": "<PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL>",
        "baseline": "<PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>",
        "uri": f"<PRODUCT_URI>{ID}.SAFE</PRODUCT_URI>",
        "special": "".join(
            f"<Special_Values><SPECIAL_VALUE_TEXT>{text}</SPECIAL_VALUE_TEXT>"
            f"<SPECIAL_VALUE_INDEX>{index}</SPECIAL_VALUE_INDEX></Special_Values>"
            for text, index in (("NODATA", 0), ("SATURATED", 65535))
        ),
        "quantification": "<QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE>",
        "offsets": offsets,
    }
    return f"<a>{''.join((parts | changes).values())}</a>"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": ""}, "has no PROCESSING_LEVEL"),
        ({"uri": "<PRODUCT_URI> </PRODUCT_URI>"}, "has no PRODUCT_URI"),
        ({"special": ""}, "special values"),
        ({"quantification": "<QUANTIFICATION_VALUE>0</QUANTIFICATION_VALUE>"}, "VALUE is 0"),
        ({"quantification": "<QUANTIFICATION_VALUE>1e400</QUANTIFICATION_VALUE>"}, "no number"),
        ({"baseline": "<PROCESSING_BASELINE>new</PROCESSING_BASELINE>"}, "no baseline"),
        # a product of a baseline with offsets that states none, or not all, is not guessed at
        ({"offsets": ""}, "no RADIO_ADD_OFFSET of B01, B02"),
        ({"offsets": '<RADIO_ADD_OFFSET band_id="0">-1000</RADIO_ADD_OFFSET>'}, "OFFSET of B02"),
    ],
)
def test_incomplete_metadata_are_refused_by_name(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    path = tmp_path / "MTD_MSIL1C.xml"
    path.write_text(xml())
    assert read_radiometry(path).offsets == (-1000.0,) * 13
    path.write_text(xml(**changes))
    with pytest.raises(CorruptFileError, match=rf"MTD_MSIL1C\.xml.*{words}"):
        read_radiometry(path)


LAUGHS = '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
)
HOSTILE = {
    "laughs": f"<!DOCTYPE a [{LAUGHS}]><a>&a11;</a>",
    "quadratic": f'<!DOCTYPE a [<!ENTITY b "{"x" * 100_000}">]><a>{"&b;" * 10_000}</a>',
    "file": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "http": '<!DOCTYPE a [<!ENTITY b SYSTEM "http://127.0.0.1:9/x">]><a>&b;</a>',
    "subset": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    "public": '<!DOCTYPE a PUBLIC "-//X" "http://127.0.0.1:9/x.dtd"><a/>',
    "parameter": '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/x"> %b;]><a/>',
    "recursive": '<!DOCTYPE a [<!ENTITY b "&c;"><!ENTITY c "&b;">]><a>&b;</a>',
    "attribute": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
    "empty dtd": "<!DOCTYPE a []><a/>",
    "undeclared": "<a>&b;</a>",
    "unclosed": "<a><b></a>",
    "deep": "<a>" * 200_000,
    "encoding": '<?xml version="1.0" encoding="no-such"?><a/>',
    "utf-7": '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
    "nothing": "",
    "login": "<!doctype html><html><body>Log in</body></html>",
    "binary": "\x00\x01\x02",
    "two roots": "<a/><b/>",
    "include": '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/></a>',
}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: f"F4-{name}")
def test_hostile_xml_is_refused_at_once_and_nothing_is_opened(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "MTD_TL.xml"
    path.write_text(HOSTILE[name])

    def no_network(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", no_network)
    start = time.perf_counter()
    with pytest.raises(CorruptFileError, match=r"MTD_TL\.xml"):
        read_placing(path)
    assert time.perf_counter() - start < 1


def test_metadata_of_gigabytes_are_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "MTD_TL.xml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(CorruptFileError, match="too many for metadata"):
        read_placing(path)


# --- places ---------------------------------------------------------------------------------------


def test_a_real_granule_lies_where_its_tile_s_name_says(real_data: Path) -> None:
    (path,) = real_data.glob("sentinel2/safe_metadata/S2A_MSIL1C_20210908*/GRANULE/*/MTD_TL.xml")
    placing = read_placing(path)
    assert placing.tile == "46RER"
    assert placing.shapes == {10: (10980, 10980), 20: (5490, 5490), 60: (1830, 1830)}
    assert placing.cells == (1098, 1098)
    box = tile_box("46RER")
    assert (box.epsg, box.bounds) == (placing.epsg, placing.bounds)
    assert placing.sensed == "2021-09-08T04:40:48.758475Z"


def test_all_tiles_of_british_columbia_lie_where_they_are_published(real_data: Path) -> None:
    table = gpd.read_file(real_data / "sentinel2/bc_tiles/Sentinel_BC_Tiles.shp")
    assert len(table) > 100
    for name, polygon in zip(table["Name"], table.geometry, strict=True):
        box = tile_box(name)
        x0, y0, x1, y1 = box.bounds
        to_degrees = Transformer.from_crs(f"EPSG:{box.epsg}", "EPSG:4326", always_xy=True)
        corners = np.column_stack(to_degrees.transform([x0, x1, x1, x0], [y1, y1, y0, y0]))
        ring = np.array(polygon.exterior.coords)[:, :2]
        assert max(abs(ring - corner).max(axis=1).min() for corner in corners) < 1e-6, name


@pytest.mark.parametrize("name", ["00UVB", "61UVB", "15IVB", "15UIB", "15UAB", "15UVW", "15UV", ""])
def test_tiles_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(SourceError, match="is no Sentinel-2 tile"):
        tile_box(name)


def product(**changes: Any) -> Product:
    stamp = datetime(2021, 6, 29, 18, 16, 45, tzinfo=UTC)
    given = {
        "id": ID, "tile": "14UPF", "observed": stamp, "cloud": 0.0, "strip": stamp, "files": {},
        "bounds": PLACING.bounds,
    }  # fmt: skip
    return Product(**(given | changes))


RADIOMETRY = Radiometry(uri=f"{ID}.SAFE", baseline="03.01", offsets=(0.0,) * 13,
                        quantification=1e4, nodata=0, saturated=65535)  # fmt: skip


def placed(**changes: Any) -> Placing:
    return Placing(**(vars(PLACING) | changes))


@pytest.mark.parametrize(
    ("radiometry", "placing"),
    [
        (RADIOMETRY, placed(tile="14UPE")),  # another tile in the granule's metadata
        (
            Radiometry(**(vars(RADIOMETRY) | {"uri": ID.replace("14UPF", "14UPE") + ".SAFE"})),
            PLACING,
        ),
        (Radiometry(**(vars(RADIOMETRY) | {"uri": ID.replace("0629T18", "0630T18")})), PLACING),
        (RADIOMETRY, placed(epsg=32615)),  # the neighbouring zone
        (RADIOMETRY, placed(left=PLACING.top, top=PLACING.left)),  # axes swapped
        (RADIOMETRY, placed(left=PLACING.left + 20)),  # two pixels from what the catalogue says
        (RADIOMETRY, placed(top=PLACING.top - 100_000)),
        (RADIOMETRY, placed(left=-PLACING.left)),
        (RADIOMETRY, placed(shapes={10: (109_800, 109_800), 20: (5, 5), 60: (1, 1)})),  # too large
    ],
)
def test_metadata_of_another_granule_or_place_are_refused(
    radiometry: Radiometry, placing: Placing
) -> None:
    check(product(), RADIOMETRY, PLACING)
    with pytest.raises(CorruptFileError, match="refused"):
        check(product(), radiometry, placing)


# --- images ---------------------------------------------------------------------------------------


def averaged(
    path: Path, placing: Placing, size: int, **part: Placing
) -> tuple[np.ndarray, np.ndarray]:
    """A band at 100 m under a clear sky."""
    fine = read_band(path, placing, size, SPECIAL, **part)
    shape = part.get("part", placing).shapes[60]
    return fine.average(np.full(shape, 2, dtype="uint8"))


@pytest.mark.parametrize("size", [10, 20, 60])
def test_cells_are_means_by_area_of_what_was_measured_and_clear(size: int) -> None:
    rng = np.random.default_rng(size)
    numbers = rng.integers(1, 3000, (6000 // size, 3000 // size)).astype("uint16")
    numbers[rng.random(numbers.shape) < 0.2] = 0
    numbers[rng.random(numbers.shape) < 0.1] = 65535
    numbers[: 300 // size, : 300 // size] = 0
    grade = rng.integers(0, 3, (100, 50)).astype("uint8")
    grade[5:10] = 1  # nothing is clear in three rows of cells
    fine = Fine.of_shape((300, 150))
    for first in range(0, len(numbers), 7):  # strips of any height
        fine.add(numbers[first : first + 7], first, size, SPECIAL)
    mean, share = fine.average(grade)

    def by_cells(values: np.ndarray) -> np.ndarray:
        return values.astype("float64").reshape(60, 10, 30, 10).sum(axis=(1, 3))

    small = numbers.repeat(size // 10, axis=0).repeat(size // 10, axis=1)  # each to 10 m
    measured = (small != 0) & (small != 65535)
    usable = measured & (grade == 2).repeat(6, axis=0).repeat(6, axis=1)
    usable |= measured & (by_cells(usable) == 0).repeat(10, axis=0).repeat(10, axis=1)
    np.testing.assert_allclose(share, by_cells(measured) / 100)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(mean, by_cells(small * usable) / by_cells(usable))
    assert np.isnan(mean[:3, :3]).all()


def test_what_clouds_are_looked_for_in_are_means_of_60_m() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(1, 3000, (600, 300)).astype("uint16")
    numbers[:9, :6] = 0
    fine = Fine.of_shape((300, 150))
    fine.add(numbers, 0, 10, SPECIAL)
    found = fine.for_mask()
    expected = numbers.reshape(100, 6, 50, 6).mean(axis=(1, 3))
    np.testing.assert_allclose(found[2:], expected[2:])
    assert np.isnan(found[0, 0])
    assert found[1, 0] == numbers[9:12, :6].mean()


def test_the_clear_share_of_a_cell_counts_what_was_observed() -> None:
    grade = np.full((5, 5), 2, dtype="uint8")  # pixels of 60 m: nine cells
    grade[0, 0] = 1  # 3 x 3 of the first cell's 5 x 5 parts
    grade[:, 2:] = 0  # beyond its second column nothing was seen
    share = clear_share(grade)
    assert share.shape == (3, 3)
    assert share[0, 0] == pytest.approx(16 / 25)
    assert share[1, 0] == 1  # the part that was seen
    assert np.isnan(share[:, 2]).all()


def test_a_real_image_of_15_bits_is_averaged(real_data: Path) -> None:
    path = real_data / "sentinel2/sentinelhub_py/img-15bit.jp2"
    placing = Placing(
        tile="31SCA", sensed="", epsg=32631, left=300_000, top=4_100_040,
        shapes={60: (1830, 1830), 10: (10980, 10980), 20: (5490, 5490)},
    )  # fmt: skip
    mean, share = averaged(path, placing, 60)
    with rasterio.open(path) as raster:
        numbers = raster.read(1).astype("float64")
    assert mean.shape == (1098, 1098)
    # five pixels of 60 m are three cells of 100 m: sums over those must agree
    groups = numbers.reshape(366, 5, 366, 5).sum(axis=(1, 3)) * 3600
    cells = (np.nan_to_num(mean) * share * 10_000).reshape(366, 3, 366, 3).sum(axis=(1, 3))
    np.testing.assert_allclose(cells, groups, rtol=1e-9)


def test_the_largest_number_of_15_bits_is_saturation(tmp_path: Path) -> None:
    numbers = np.full(PLACING.shapes[60], 1000, dtype="uint16")
    numbers[:5, :5] = 32_767
    profile = {
        "driver": "JP2OpenJPEG", "count": 1, "dtype": "uint16", "crs": "EPSG:32614",
        "height": numbers.shape[0], "width": numbers.shape[1], "QUALITY": "100",
        "REVERSIBLE": "YES", "transform": Affine(60, 0, PLACING.left, 0, -60, PLACING.top),
    }  # fmt: skip
    for bits, mean, share in ((15, np.nan, 0.0), (16, 32_767.0, 1.0)):
        with rasterio.open(tmp_path / f"{bits}.jp2", "w", **profile, NBITS=bits) as raster:
            raster.write(numbers, 1)
        found = averaged(tmp_path / f"{bits}.jp2", PLACING, 60)
        np.testing.assert_equal([found[0][0, 0], found[1][0, 0]], [mean, share])
        assert found[0][3, 3] == 1000


@pytest.mark.parametrize("bounds", [(330_000, 4_000_000, 345_000, 4_011_000), (0, 0, 1e6, 5e6)])
def test_a_part_of_an_image_is_that_of_the_whole(
    real_data: Path, bounds: tuple[float, ...]
) -> None:
    path = real_data / "sentinel2/sentinelhub_py/img-15bit.jp2"
    placing = Placing(
        tile="31SCA", sensed="", epsg=32631, left=300_000, top=4_100_040,
        shapes={60: (1830, 1830), 10: (10980, 10980), 20: (5490, 5490)},
    )  # fmt: skip
    part = placing.cut(bounds)
    mean, share = averaged(path, placing, 60)
    cut, cut_share = averaged(path, placing, 60, part=part)
    row, column = (
        round((placing.top - part.top) / 100), round((part.left - placing.left) / 100)
    )  # fmt: skip
    place = slice(row, row + part.cells[0]), slice(column, column + part.cells[1])
    np.testing.assert_array_equal(mean[place], cut)
    np.testing.assert_array_equal(share[place], cut_share)


def test_a_part_outside_the_granule_is_refused() -> None:
    with pytest.raises(SourceError, match="outside the granule"):
        PLACING.cut((0.0, 0.0, 300.0, 300.0))


def image(path: Path, size: int = 20, **changes: Any) -> Path:
    rows, columns = PLACING.shapes[size]
    affine = changes.get("affine", Affine(size, 0, PLACING.left, 0, -size, PLACING.top))
    shape = changes.get("shape", (rows, columns))
    cells = GeoBox(shape, affine, changes.get("crs", "EPSG:32614"))
    numbers = np.random.default_rng(1).integers(900, 1100, shape).astype("uint16")
    path.write_bytes(encode_jp2(numbers, cells))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"crs": "EPSG:32615"},
        {"affine": Affine(20, 0, PLACING.left + 10, 0, -20, PLACING.top)},  # half a pixel
        {"affine": Affine(20, 0, PLACING.left, 0, -20, PLACING.top + 10)},
        {"affine": Affine(20, 0, PLACING.top, 0, -20, PLACING.left)},
        {"affine": Affine(10, 0, PLACING.left, 0, -10, PLACING.top)},
        {"shape": (554, 540)},
        {"shape": (540, 555)},
    ],
)
def test_an_image_that_lies_elsewhere_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    mean, share = averaged(image(tmp_path / "a.jp2"), PLACING, 20)
    assert abs(mean.mean() - 1000) < 2
    assert (share == 1).all()
    with pytest.raises(CorruptFileError, match=r"b\.jp2 holds"):
        averaged(image(tmp_path / "b.jp2", **changes), PLACING, 20)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, -2])
def test_a_truncated_image_is_never_read_as_if_nothing_was_seen(
    tmp_path: Path, kept: float
) -> None:
    whole = image(tmp_path / "B05.jp2", 10).read_bytes()  # four tiles, the last ones cut
    length = int(kept) if kept < 0 else int(kept * len(whole))
    (tmp_path / "B05.jp2").write_bytes(whole[:length])
    with pytest.raises(CorruptFileError, match=r"B05\.jp2"):
        averaged(tmp_path / "B05.jp2", PLACING, 10)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<VRTDataset/>", b"II*\0", b"\x00\x00\x00\x0cjP  "]
)
def test_other_files_are_no_images(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "B02.jp2").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"B02\.jp2"):
        averaged(tmp_path / "B02.jp2", PLACING, 10)


@pytest.mark.exhaustive
def test_mutated_images_give_a_typed_error_or_numbers(tmp_path: Path) -> None:
    whole = image(tmp_path / "a.jp2").read_bytes()
    path = tmp_path / "B05.jp2"
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        changed = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 9)):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(bytes(changed))
        try:
            mean, share = averaged(path, PLACING, 20)
        except CorruptFileError:
            continue
        assert mean.shape == share.shape == PLACING.cells


def test_the_sandbox_s_metadata_place_its_granules(tmp_path: Path) -> None:
    facts = GranuleFacts(
        tile_id="S2B_OPER_MSI_L1C_TL_SBOX_20210629T200645_A031662_T14UPF_N03.01",
        sensed=PLACING.sensed, epsg=32614, corner=(685_800, 6_077_520), extent=(11_100, 10_800),
        cloud=0.0,
    )  # fmt: skip
    (tmp_path / "MTD_TL.xml").write_bytes(encode_granule_metadata(facts))
    assert read_placing(tmp_path / "MTD_TL.xml") == PLACING


# --- names ----------------------------------------------------------------------------------------


def item(**changes: Any) -> dict[str, Any]:
    hrefs = {
        band: f"s3://eodata/{FOLDER}/IMG_DATA/T14UPF_20210629T181645_{band}.jp2"
        for band in SENTINEL2_BANDS
    }
    hrefs |= changes.pop("hrefs", {})
    found = {
        "id": ID,
        "properties": {"datetime": "2021-06-29T18:16:45.024000Z", "eo:cloud_cover": 12.5},
        "assets": {band: {"href": href, "file:size": 7} for band, href in hrefs.items()},
    }
    return found | changes


def test_an_item_is_a_product_with_all_its_files() -> None:
    found = product_of(item())
    assert (found.id, found.tile, found.cloud, found.bounds) == (ID, "14UPF", 12.5, ())
    assert found.observed == datetime(2021, 6, 29, 18, 16, 45, 24_000, tzinfo=UTC)
    assert found.strip == datetime(2021, 6, 29, 18, 16, 47, tzinfo=UTC)
    assert set(found.files) == {*SENTINEL2_BANDS, "MTD_MSIL1C", "MTD_TL"}
    assert set(PIXELS) == set(SENTINEL2_BANDS)
    assert found.files["MTD_TL"].key == f"{FOLDER}/MTD_TL.xml"
    root = FOLDER.partition("/GRANULE")[0]
    assert found.files["MTD_MSIL1C"].key == f"{root}/MTD_MSIL1C.xml"
    assert found.files["B02"].size == 7


GOOD = item()["assets"]["B02"]["href"]


@pytest.mark.parametrize(
    "href",
    [
        GOOD.replace("s3://", "http://"),
        GOOD.replace("s3://eodata/", "https://eodata.dataspace.copernicus.eu/eodata/"),
        "http://169.254.169.254/latest/meta-data/iam",
        "http://localhost/x.jp2",
        "file:///etc/passwd",
        "/etc/passwd",
        "/vsis3/eodata/x.jp2",
        "/vsicurl/http://127.0.0.1/x.jp2",
        GOOD.replace("s3://eodata/", "s3:///vsicurl/http://x/"),
        GOOD.replace("eodata", "eodata.evil.org"),
        GOOD.replace("eodata", "EODATA"),
        GOOD.replace("GRANULE", "GRANULE/../../../../.."),
        GOOD.replace("IMG_DATA", "IMG_DATA/.."),
        GOOD.replace("IMG_DATA", "IMG%2e%2eDATA"),
        GOOD.replace("_B02.jp2", "_B03.jp2"),
        GOOD.replace("_B02.jp2", "_B02.jp2?versionId=1"),
        GOOD.replace("_B02.jp2", "_B02.jp2\n"),
        GOOD.replace("_B02.jp2", "_B02.vrt"),
        GOOD.replace("T14UPF_2021", "T14UPE_2021"),
        GOOD.replace("L1C/2021", "L2A/2021"),
        GOOD.replace("//eodata/", "//eodata//"),
        "",
    ],
)
def test_an_address_that_is_not_the_product_s_own_is_refused(href: str) -> None:
    with pytest.raises(ProviderError, match="refused"):
        product_of(item(hrefs={"B02": href}))
    with pytest.raises(ProviderError, match="refused"):  # also where all bands agree on it
        product_of(item(hrefs={b: href.replace("_B02.jp2", f"_{b}.jp2") for b in SENTINEL2_BANDS}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "../../etc/passwd"}, "no name of an L1C product"),
        ({"id": ID.replace("MSIL1C", "MSIL2A")}, "no name of an L1C product"),
        ({"id": ID.replace("14UPF", "14U/F")}, "no name of an L1C product"),
        ({"id": ID + "\n"}, "no name of an L1C product"),
        ({"id": None}, "no name of an L1C product"),
        ({"properties": {}}, "KeyError"),
        ({"properties": {"datetime": "2021-06-29T18:16:45"}}, "no time zone"),
        ({"properties": {"datetime": "yesterday"}}, "ValueError"),
        ({"assets": {}}, "KeyError"),
        ({"assets": []}, "TypeError"),
    ],
)
def test_an_item_of_another_form_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        product_of(item(**changes))


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=80), place=st.integers(0, len(ID)))
def test_no_changed_name_passes_with_the_old_addresses(text: str, place: int) -> None:
    name = ID[:place] + text + ID[place + len(text) :]
    if name != ID:
        with pytest.raises(ProviderError):
            product_of(item(id=name))


def names(products: list[Product]) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.id, each.older) for each in newest(products)]


def test_of_two_productions_the_newest_counts_and_remembers_the_other() -> None:
    made_anew = ID.replace("N0301", "N0500").replace("20210629T200645", "20230315T224658")
    late = datetime(2021, 6, 29, 18, 16, 46, tzinfo=UTC)  # the datastrip may begin a second apart
    pair = [product(), product(id=made_anew, strip=late)]
    assert names(pair) == [(made_anew, (ID,))]
    assert names(pair[::-1]) == [(made_anew, (ID,))]
    assert names([product(), product()]) == [(ID, ())]  # one item listed twice


def test_parts_of_a_tile_from_two_datastrips_are_both_kept() -> None:
    other = ID.replace("20210629T200645", "20210629T213000")
    later = datetime(2021, 6, 29, 18, 17, 30, tzinfo=UTC)
    assert {name for name, _ in names([product(), product(id=other, strip=later)])} == {ID, other}


def test_tiles_and_passes_are_not_taken_for_productions() -> None:
    others = [re.sub("14UPF", "15UUA", ID), re.sub("T181645", "T183000", ID), "S2A" + ID[3:]]
    found = [product(id=name, tile=name[39:44]) for name in (ID, *others)]
    assert sorted(name for name, _ in names(found)) == sorted([ID, *others])
