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
            _USE,
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
