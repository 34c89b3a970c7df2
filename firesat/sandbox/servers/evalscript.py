"""The few words of JavaScript that a Sentinel Hub evalscript for raw bands is made of."""

import re
from dataclasses import dataclass

from firesat.bands import SENTINEL2_BANDS
from firesat.sandbox.servers.messages import RefusalError

MASK = "dataMask"
KNOWN = (*SENTINEL2_BANDS, MASK)
SAMPLE_TYPES = {"UINT16": "uint16", "FLOAT32": "float32"}
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED = re.compile(r"[\"']([^\"']*)[\"']")
_SAMPLE = re.compile(r"\w+\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Evalscript:
    """What an evalscript asks for.

    Parameters
    ----------
    inputs : tuple of str
        Bands that it reads.
    outputs : tuple of str
        Bands that it returns, in their order.
    units : str
        "DN" or "REFLECTANCE", of the bands.
    sample_type : str
        numpy type of the result.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    units: str
    sample_type: str


def parse(script: str) -> Evalscript:
    """Read an evalscript that returns bands as they are.

    Parameters
    ----------
    script : str
        Version 3, with ``setup`` and an ``evaluatePixel`` of one ``return [s.B01, ...]``.

    Returns
    -------
    Evalscript
        What it asks for.

    Raises
    ------
    RefusalError
        If it is anything else, or names unknown bands, or contradicts itself.
    """
    if not script.lstrip().startswith("//VERSION=3"):
        raise RefusalError(400, "evalscript: the first line must be //VERSION=3")
    code = _COMMENT.sub("", script)
    inputs = tuple(_QUOTED.findall(_find(r"bands\s*:\s*\[([^\]]*)\]", code, "input bands")))
    returned = _find(r"return\s*\[([^\]]*)\]", code, "return [...] in evaluatePixel")
    outputs = tuple(_band_of(item) for item in returned.split(","))
    units = _option(r"units\s*:\s*[\"'](\w+)[\"']", code, "REFLECTANCE")
    sample_type = _option(r"sampleType\s*:\s*[\"'](\w+)[\"']", code, "AUTO")
    if sample_type not in SAMPLE_TYPES:
        raise RefusalError(400, f"evalscript: the sandbox has no sampleType {sample_type}")
    if units not in ("DN", "REFLECTANCE"):
        raise RefusalError(400, f"evalscript: unknown units {units}")
    _check(inputs, outputs, int(_find(r"bands\s*:\s*(\d+)", code, "number of output bands")))
    return Evalscript(
        inputs=inputs, outputs=outputs, units=units, sample_type=SAMPLE_TYPES[sample_type]
    )


def _find(pattern: str, code: str, what: str) -> str:
    """The group of a pattern that must occur."""
    found = re.search(pattern, code)
    if found is None:
        raise RefusalError(400, f"evalscript: no {what}")
    return found[1]


def _option(pattern: str, code: str, default: str) -> str:
    """The group of a pattern that may occur."""
    found = re.search(pattern, code)
    return found[1] if found else default


def _band_of(item: str) -> str:
    """The band of one returned item such as ``s.B01``."""
    found = _SAMPLE.fullmatch(item.strip())
    if found is None:
        raise RefusalError(
            400, f"evalscript: the sandbox returns bands as they are, not {item.strip()!r}"
        )
    return found[1]


def _check(inputs: tuple[str, ...], outputs: tuple[str, ...], count: int) -> None:
    """Refuse unknown bands, bands that were not requested, and a wrong number of them."""
    unknown = [name for name in (*inputs, *outputs) if name not in KNOWN]
    if unknown:
        raise RefusalError(400, f"evalscript: {unknown[0]} is not a band of sentinel-2-l1c")
    missing = [name for name in outputs if name not in inputs]
    if missing:
        raise RefusalError(400, f"evalscript: {missing[0]} is returned but is no input")
    if count != len(outputs):
        raise RefusalError(
            400, f"evalscript: output has {count} bands, evaluatePixel returns {len(outputs)}"
        )
