"""A page to look at: every value has its colour, every word is on it, and it is whole or absent."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.errors import ProductError
from firesat.grid import geobox
from firesat.products.page import wording
from firesat.products.quicklook import Burned, Panel, quicklook
from firesat.products.style import COLOURS

VALID = (datetime(2023, 7, 5, 12, tzinfo=UTC), datetime(2023, 7, 13, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def square() -> GeoBox:
    return geobox((10_000.0, 660_000.0, 30_000.0, 680_000.0), "EPSG:3979", 100)


def share_of(page: NDArray, colour: str) -> float:
    return float((np.abs(page[..., :3] - to_rgb(colour)).max(axis=-1) < 0.01).mean())


def test_every_class_appears_in_its_colour(square: GeoBox, tmp_path: Path) -> None:
    chances = np.repeat(10 ** np.linspace(-5.25, -1.75, 8), 25)
    panel = Panel(title="Forecast", values=np.tile(chances, (200, 1)))
    path = quicklook([panel], square, "A title", tmp_path / "new" / "page.png", valid_time=VALID)
    page = image.imread(path)
    shares = [share_of(page, colour) for colour in COLOURS]
    assert min(shares) > 0.05  # a tenth of the page each, less the scale bar and the arrow


def test_water_and_missing_cells_are_no_class(square: GeoBox, tmp_path: Path) -> None:
    values = np.full((200, 200), 2e-4)
    values[:100] = np.nan
    water = np.zeros((200, 200))
    water[150:] = 1.0
    path = quicklook([Panel(title="Forecast", values=values)], square, "A title",
                     tmp_path / "page.png", valid_time=VALID, water=water)  # fmt: skip
    page = image.imread(path)
    assert share_of(page, "#b4b4b0") > 0.15
    assert share_of(page, "#c9d6de") > 0.05


def test_three_kinds_stand_side_by_side(square: GeoBox, tmp_path: Path) -> None:
    burned = np.full((200, 200), float(Burned.NO))
    burned[50:100, 50:100] = Burned.GROWTH
    burned[120:150, 20:50] = Burned.NEW
    panels = [
        Panel(title="Forecast", values=np.full((200, 200), 1e-4)),
        Panel(title="What burned", values=burned, kind="burned"),
        Panel(
            title="FWI", values=np.array([[3.0, 9.0], [12.0, np.nan]]), kind="index", units="FWI"
        ),
    ]
    relief = np.add.outer(np.arange(200.0), np.sin(np.arange(200) / 9) * 20)
    one = quicklook(panels[:1], square, "A title", tmp_path / "one.png", valid_time=VALID)
    three = quicklook(panels, square, "A title", tmp_path / "three.png", valid_time=VALID,
                      elevation=relief)  # fmt: skip
    narrow, wide = image.imread(one), image.imread(three)
    assert wide.shape[1] > 2.5 * narrow.shape[1]
    assert share_of(wide, "#111111") > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "three.png"]


def test_the_same_page_gives_the_same_bytes(square: GeoBox, tmp_path: Path) -> None:
    panel = Panel(title="Forecast", values=np.full((200, 200), 1e-4))
    pages = [
        quicklook([panel], square, "A title", tmp_path / name, valid_time=VALID).read_bytes()
        for name in ("a.png", "b.png")
    ]
    assert pages[0] == pages[1]


def test_a_constant_index_has_a_scale(square: GeoBox, tmp_path: Path) -> None:
    panel = Panel(title="FWI", values=np.full((20, 20), 7.0), kind="index", units="FWI")
    assert quicklook([panel], square, "A title", tmp_path / "p.png", valid_time=VALID).is_file()


@pytest.mark.parametrize("shape", [(200, 100), (400, 400), (30, 30)])
def test_a_panel_of_another_shape_is_refused(
    square: GeoBox, tmp_path: Path, shape: tuple[int, int]
) -> None:
    panel = Panel(title="Forecast", values=np.zeros(shape))
    with pytest.raises(ProductError, match="does not fit the page's 200 x 200 cells"):
        quicklook([panel], square, "A title", tmp_path / "p.png", valid_time=VALID)
    assert list(tmp_path.iterdir()) == []


def test_a_page_without_panels_is_refused(square: GeoBox, tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="without a panel"):
        quicklook([], square, "A title", tmp_path / "p.png", valid_time=VALID)


@pytest.mark.parametrize("width", [4.7, 13.3])
def test_the_page_tells_both_times_and_the_whole_notice(width: float) -> None:
    head, small = wording("A title", VALID, -6, width)
    assert head[0] == "A title"
    assert "5 July 2023 12:00 UTC (06:00 UTC-6)" in " ".join(head)
    told = " ".join(small)
    for words in ("not for evacuation", "ni les avis d'évacuation", "weather resolved at about"):
        assert words in told
    assert max(len(line) for line in small) <= width * 17
