"""A trained forecaster's card: what it is for, what it learned from, how it scored."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

_USE = """## Use

Chance that each 100 m cell burns within the window, by fires that burn at the reference time and by
new ones, day by day. Experimental: not an official fire danger rating, not for evacuation or
public-safety decisions. It says nothing of intensity, smoke or values at risk, and knows
suppression only as in the years that it learned from.
"""

_NO_CHANCES = """
**As trained, its outputs are no chances.** Its loss was {loss}, whose minimum is not at the true
chance: they rank cells. Only a calibration (firesat calibrate) makes numbers of them, and then
this card says below what it rests on.
"""

CALIBRATED = "\n## Calibration\n"
"""Heading of what a calibration adds to a card."""


def calibration_card(calibration: Mapping[str, Any]) -> str:
    """Write what a calibration adds to the card.

    Parameters
    ----------
    calibration : mapping
        As it is kept: ``curves`` and ``rests_on`` by process, ``days``.

    Returns
    -------
    str
        Markdown from `CALIBRATED` on; empty for probabilities as they are.
    """
    if "curves" not in calibration:
        return ""
    days, seen = calibration["days"], calibration["rests_on"]
    rows = {
        head: " | ".join(
            [
                f"{each['expected']:.0f} of {each['burned']}",
                f"{each['slope']:.2f}",
                f"{each['fires']} in {each['blocks']}",
            ]
        )
        for head, each in seen.items()
    }
    said = f"{len(days)} full maps, {days[0]} to {days[-1]}, at natural prevalence."
    return "\n".join(
        [
            f"{CALIBRATED}\nBy rising curves, fitted to {said} Before it:\n",
            "| process | burned cells expected of seen | slope | fires in blocks |",
            "|---|---|---|---|",
            *(f"| {head} | {row} |" for head, row in rows.items()),
            "",
        ]
    )


def card(record: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Write the card.

    Parameters
    ----------
    record : mapping
        What a checkpoint says of itself.
    weights : mapping of Tensor
        Its state.

    Returns
    -------
    str
        Markdown.
    """
    inputs = record.get("inputs") or {}
    loss = ", ".join(f"{name} {value:g}" for name, value in (record.get("loss") or {}).items())
    count = sum(value.numel() for name, value in weights.items() if name.startswith("network."))
    scores = record.get("scores") or {}
    facts = {
        "Network": record["network_class"],
        "Numbers": f"{count}",
        "Weather": inputs.get("regime", "not known"),
        "Data (SHA-256)": record.get("data_sha256") or "not known",
        "Settings": record.get("config_hash") or "not known",
        "Audit of the chips": record.get("audit") or "none",
        "Seed": str(record.get("seed")),
        "Code": record.get("git_revision") or f"firesat {record.get('firesat_version')}",
    }
    return "\n".join(
        [
            "# A forecaster of firesat\n",
            _USE + (_NO_CHANCES.format(loss=loss) if loss else ""),
            "## Made from\n",
            *_table(("what", "value"), facts),
            "\n## Scores on the validation chips\n",
            "Weighted to natural prevalence; the choice among epochs was made by them.\n",
            *_table(("score", "value"), {name: f"{value:.4g}" for name, value in scores.items()}),
            "",
        ]
    )


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> list[str]:
    """Lines of a Markdown table."""
    return [
        f"| {head[0]} | {head[1]} |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
