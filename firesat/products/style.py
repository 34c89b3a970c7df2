"""Legends: logarithmic classes, their colours, and QGIS style files that sit beside a map."""

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

from firesat.manifest import sync_folder
from firesat.products.strips import State
from firesat.products.wording import STATES, Language

BREAKS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Upper bounds of all classes but the last: two to a decade, since chances span five decades."""

COLOURS = (
    "#faf0f4", "#eac5db", "#d59aca", "#bc6ec1", "#9b45b7", "#7228a0", "#471a79", "#221147",
)  # fmt: skip
"""From least to most. OKLCH lightness falls from 0.965 to 0.24 in equal steps while the hue goes
from 350 to 292 degrees: darker is more likely, for colour-blind readers and in grey print too, and
no colour of the official danger ratings (blue, green, yellow, orange, red) occurs."""

_IN_WORDS: dict[Language, tuple[str, str, str, str]] = {
    "en": ("less than", "more than", "in", "to"),
    "fr": ("moins de", "plus de", "sur", "à"),
}

STATE_COLOURS: dict[State, tuple[int, int, int]] = {
    State.FORECAST: (255, 255, 255),
    State.CANNOT_BURN: (190, 200, 205),
    State.ALREADY_BURNT: (70, 70, 70),
    State.SNOW_COVERED: (230, 240, 250),
    State.NOT_EVALUATED: (245, 245, 240),
    State.ABSTAINED: (222, 214, 190),
}
"""Red, green, blue: greys and beige, so that no mask is taken for a probability. A TIFF's colour
table knows no opacity; the QGIS style makes what is forecast transparent."""


def labels(language: Language = "en") -> tuple[str, ...]:
    """Name the classes in words.

    Parameters
    ----------
    language : {"en", "fr"}
        Language.

    Returns
    -------
    tuple of str
        One for each of `COLOURS`, from "less than 1 in 100 000" to "more than 1 in 100".
    """
    less, more, among, to = _IN_WORDS[language]
    between = []
    for low, high in pairwise(BREAKS):
        base = 10 ** -int(f"{low:.0e}"[2:])
        span = f"{round(low * base)} {to} {round(high * base)}"
        between.append(f"{span} {among} {_spaced(base)}")
    first, last = round(1 / BREAKS[0]), round(1 / BREAKS[-1])
    return (
        f"{less} 1 {among} {_spaced(first)}",
        *between,
        f"{more} 1 {among} {_spaced(last)}",
    )


def _spaced(number: int) -> str:
    """Thousands apart by spaces, which both languages allow."""
    return f"{number:,}".replace(",", " ")


def write_probability_style(path: Path) -> None:
    """Write the QGIS style of a probability map: band 1 in logarithmic classes.

    Parameters
    ----------
    path : Path
        ``NAME.qml`` beside ``NAME.tif``: QGIS then applies it by itself.
    """
    renderer = ET.Element(
        "rasterrenderer",
        type="singlebandpseudocolor", band="1", opacity="1", alphaBand="-1", nodataColor="",
        classificationMin="0", classificationMax="inf",
    )  # fmt: skip
    ET.SubElement(renderer, "rasterTransparency")
    limits = ET.SubElement(renderer, "minMaxOrigin")
    for name, text in (("limits", "None"), ("extent", "WholeRaster"), ("statAccuracy", "Exact")):
        ET.SubElement(limits, name).text = text
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="DISCRETE", classificationMode="1", clip="0", labelPrecision="6",
        minimumValue="0", maximumValue="inf",
    )  # fmt: skip
    bounds = (*(f"{value:g}" for value in BREAKS), "inf")
    for bound, colour, words in zip(bounds, COLOURS, _bilingual_classes(), strict=True):
        ET.SubElement(shader, "item", value=bound, color=colour, alpha="255", label=words)
    _write(path, renderer)


def _bilingual_classes() -> list[str]:
    """Both languages on one line of the legend."""
    return [f"{en} / {fr}" for en, fr in zip(labels("en"), labels("fr"), strict=True)]


def write_mask_style(path: Path) -> None:
    """Write the QGIS style of a mask: named classes; what is forecast is transparent.

    Parameters
    ----------
    path : Path
        ``NAME.qml`` beside ``NAME.tif``.
    """
    renderer = ET.Element(
        "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    ET.SubElement(renderer, "rasterTransparency")
    palette = ET.SubElement(renderer, "colorPalette")
    for state, colour in STATE_COLOURS.items():
        words: Mapping[Language, str] = STATES[state]
        ET.SubElement(
            palette,
            "paletteEntry",
            value=str(int(state)), color=f"#{bytes(colour).hex()}",
            alpha="0" if state is State.FORECAST else "255",
            label=f"{words['en']} / {words['fr']}",
        )  # fmt: skip
    _write(path, renderer)


def _write(path: Path, renderer: ET.Element) -> None:
    """A QGIS layer style around a renderer; whole, or not there."""
    root = ET.Element("qgis", version="3.34.0", styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    provider = ET.SubElement(ET.SubElement(pipe, "provider"), "resampling")
    provider.attrib |= {
        "enabled": "false",
        "zoomedInResamplingMethod": "nearestNeighbour",
        "zoomedOutResamplingMethod": "nearestNeighbour",
        "maxOversampling": "2",
    }
    pipe.append(renderer)
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n")
        file.write(ET.tostring(root, encoding="unicode") + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(path.parent)
