"""What a file says of itself when there is something special to say."""

from dataclasses import replace

from firesat.products.base import Issue
from firesat.products.tags import forecast_tags


def test_a_note_and_what_was_missing_stand_in_the_tags(issue: Issue) -> None:
    plain = forecast_tags(issue)
    assert not {"note", "missing_inputs"} & set(plain)
    special = forecast_tags(replace(issue, note="A check.", missing=("hotspots", "static")))
    assert special == {**plain, "note": "A check.", "missing_inputs": "hotspots, static"}
