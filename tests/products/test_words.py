"""Words and legends are those that were decided, in both languages."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from firesat.metrics.bootstrap import Estimate
from firesat.products.base import Issue
from firesat.products.report.words import spelled
from firesat.products.strips import State
from firesat.products.style import (
    BREAKS,
    COLOURS,
    labels,
    write_mask_style,
    write_probability_style,
)
from firesat.products.wording import LANGUAGES, chance, moment, notice


@pytest.mark.parametrize(
    ("probability", "normal", "en", "fr"),
    [
        (
            1.2e-4, 3e-5,
            "1.2 in 10 000 (0.012 %), 4 x normal",
            "1,2 sur 10 000 (0,012 %), 4 fois la normale",
        ),
        (3e-5, None, "3 in 100 000 (0.003 %)", "3 sur 100 000 (0,003 %)"),
        (9.99e-5, None, "1 in 10 000 (0.01 %)", "1 sur 10 000 (0,01 %)"),
        (0.25, 0.5, "2.5 in 10 (25 %), 0.5 x normal", "2,5 sur 10 (25 %), 0,5 fois la normale"),
        (1.0, None, "10 in 10 (100 %)", "10 sur 10 (100 %)"),
        (0.0, None, "0", "0"),
    ],
)  # fmt: skip
def test_a_pixel_reads_as_a_number_of_cases(
    probability: float, normal: float | None, en: str, fr: str
) -> None:
    assert chance(probability, normal) == en
    assert chance(probability, normal, "fr") == fr


@pytest.mark.parametrize("power", [-6, -5, -4, -3, -2])
def test_what_is_read_is_what_was_meant(power: int) -> None:
    for digits in np.linspace(1, 9.99, 40):
        probability = digits * 10.0**power
        number, _, rest = chance(probability).partition(" in ")
        denominator = rest.partition(" (")[0].replace(" ", "")
        assert float(number) / float(denominator) == pytest.approx(probability, rel=0.05)


def test_moments_are_told_in_utc_and_local_time() -> None:
    night = datetime(2023, 8, 1, 3, tzinfo=UTC)
    assert moment(night, -6) == "1 August 2023 03:00 UTC (31 July 2023 21:00 UTC-6)"
    assert moment(night, -6, "fr") == "1er août 2023 3 h 00 UTC (31 juillet 2023 21 h 00 UTC-6)"


def test_the_notice_names_the_window_in_both_languages(issue: Issue) -> None:
    english, french = (notice(issue.valid_time, -6, language) for language in LANGUAGES)
    assert "5 July 2023 12:00 UTC (06:00 UTC-6) to 13 July 2023 12:00 UTC" in english
    assert "not for evacuation or public-safety decisions" in english
    assert "5 juillet 2023 12 h 00 UTC (6 h 00 UTC-6) au 13 juillet 2023" in french
    assert "{" not in english + french


def test_classes_reach_from_one_in_100_000_to_one_in_100() -> None:
    assert labels()[0] == "less than 1 in 100 000"
    assert labels()[2:4] == ("3 to 10 in 100 000", "1 to 3 in 10 000")
    assert labels()[-1] == "more than 1 in 100"
    assert labels("fr")[0] == "moins de 1 sur 100 000"
    assert labels("fr")[-1] == "plus de 1 sur 100"
    assert len(labels()) == len(labels("fr")) == len(COLOURS) == len(BREAKS) + 1


def _linear(colour: str) -> np.ndarray:
    """Linear light of a hexadecimal sRGB colour (IEC 61966-2-1)."""
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = np.asarray(to_xyz) @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Full dichromacy: Machado, Oliveira and Fernandes 2009, table 1, severity 1.0.
SIGHT = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.mark.parametrize("sight", SIGHT)
def test_more_likely_is_darker_to_every_eye(sight: str) -> None:
    seen = [_lab(np.clip(np.asarray(SIGHT[sight]) @ _linear(c), 0, 1)) for c in COLOURS]
    for lighter, darker in pairwise(seen):
        assert lighter[0] - darker[0] > 4  # lightness alone orders them
        assert np.linalg.norm(lighter - darker) > 10  # a difference of 2.3 is just noticeable


def test_no_class_wears_a_colour_of_the_danger_ratings() -> None:
    official = ["#0000ff", "#00ff00", "#ffff00", "#ffa500", "#ff0000"]
    for colour in COLOURS:
        nearest = min(np.linalg.norm(_lab(_linear(colour)) - _lab(_linear(o))) for o in official)
        assert nearest > 40


def test_the_qgis_style_has_the_logarithmic_classes(tmp_path: Path) -> None:
    path = tmp_path / "map.qml"
    write_probability_style(path)
    assert path.read_text().startswith("<!DOCTYPE qgis")
    renderer = ET.parse(path).getroot().find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.attrib["type"] == "singlebandpseudocolor"
    assert renderer.attrib["band"] == "1"
    assert renderer.attrib["nodataColor"] == ""  # transparent
    shader = renderer.find("rastershader/colorrampshader")
    assert shader is not None
    assert shader.attrib["colorRampType"] == "DISCRETE"
    bounds = [float(item.attrib["value"]) for item in shader.findall("item")]
    assert bounds == [*BREAKS, np.inf]
    assert [item.attrib["color"] for item in shader.findall("item")] == list(COLOURS)
    first = shader.find("item")
    assert first is not None
    assert first.attrib["label"] == "less than 1 in 100 000 / moins de 1 sur 100 000"


def test_the_mask_style_names_every_state_and_hides_what_is_forecast(tmp_path: Path) -> None:
    write_mask_style(tmp_path / "mask.qml")
    entries = (
        ET.parse(tmp_path / "mask.qml")
        .getroot()
        .findall("pipe/rasterrenderer/colorPalette/paletteEntry")
    )
    assert [int(entry.attrib["value"]) for entry in entries] == list(State)
    assert [int(entry.attrib["alpha"]) for entry in entries] == [0, 255, 255, 255, 255, 255]
    assert entries[1].attrib["label"] == "cannot burn / ne peut pas brûler"


def test_a_tiny_score_is_written_with_two_digits_that_say_something() -> None:
    tiny, usual = Estimate(0.000512, 0.0001, 0.001), Estimate(0.2128, 0.1, 0.3)
    assert spelled(tiny, 3) == "0.00051 [0.00010, 0.00100]"
    assert spelled(usual, 3) == "0.213 [0.100, 0.300]"
    assert Estimate(float("nan"), 0, 0).digits(3) == Estimate(0.0, 0, 0).digits(3) == 3
