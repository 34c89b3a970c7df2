"""Which settings and which version of the processing a block was made with."""

import hashlib
import json
from dataclasses import fields
from typing import Any

from firesat.sources.base import Source

PROCESSING = 5
"""Raised whenever the same files give other numbers than before: cubes do not mix them."""

_MANNERS = ("base_url", "connections", "attempts", "retries", "pause")


def settings_of(source: Source) -> dict[str, str]:
    """Give the settings that shape a source's blocks, and the processing's version.

    Parameters
    ----------
    source : Source
        A dataclass.

    Returns
    -------
    dict
        Name to value as text, and "processing"; how it is fetched shapes nothing and is left out.
    """
    chosen: Any = source
    settings = {f.name: str(getattr(source, f.name)) for f in fields(chosen)}
    for name in _MANNERS:
        settings.pop(name, None)
    return settings | {"processing": str(PROCESSING)}


def config_hash(source: Source) -> str:
    """Hash the settings that shape a source's blocks.

    Parameters
    ----------
    source : Source
        A dataclass.

    Returns
    -------
    str
        12 hexadecimal digits.
    """
    text = json.dumps([type(source).__name__, settings_of(source)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
