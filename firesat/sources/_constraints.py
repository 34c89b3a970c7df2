"""Which part of a request a data store cannot meet, in its own words."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import requests

_FREE = ("area", "grid")  # keys that take any number


def unmet(client: Any, dataset: str, request: Mapping[str, object]) -> str:  # noqa: ANN401
    """Ask the store's constraints what is wrong with a request.

    Parameters
    ----------
    client : ecmwf.datastores.Client
        Of the store.
    dataset : str
        Its name of the data set.
    request : mapping
        What was refused.

    Returns
    -------
    str
        One line that names key and value, and the nearest that there is; "" if the constraints
        exclude nothing of it, or cannot be read.
    """
    for chosen in ({}, dict(request)):  # what there is at all, then together with the rest
        try:
            allowed = client.apply_constraints(dataset, chosen)
        except (requests.RequestException, RuntimeError, ValueError):
            return ""
        wrong = _excluded(allowed, request)
        if wrong:
            key, value, others = wrong
            near = get_close_matches(value, others, n=1)
            hint = f"the nearest is {near[0]!r}" if near else f"it has {', '.join(others[:8])}"
            return (
                f"{dataset} has no {key} {value!r}"
                f"{' together with the rest of the request' if chosen else ''}: {hint}; the store "
                "has changed its names or its dates, change the source's settings"
            )
    return ""


def _excluded(allowed: object, request: Mapping[str, object]) -> tuple[str, str, list[str]] | None:
    """The first key and value that the constraints leave out, and what they have instead."""
    if not isinstance(allowed, Mapping):
        return None
    for key, asked in request.items():
        others = [str(value) for value in allowed.get(key) or []]
        values = asked if isinstance(asked, list) else [asked]
        missing = [str(value) for value in values if str(value) not in others]
        if missing and others and key not in _FREE:
            return key, missing[0], others
    return None
