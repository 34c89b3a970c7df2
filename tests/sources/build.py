"""Sources from YAML, as projects build them."""

from typing import Any

from jsonargparse import ArgumentParser

from firesat.sources.base import Source


def build_source(content: dict[str, Any]) -> Source:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--source", type=Source)
    return parser.instantiate(parser.parse_object({"source": content})).source
