"""Tags: what a file says of itself wherever it goes."""

from firesat.products.base import Issue
from firesat.products.wording import RESOLUTION, moment, notice


def forecast_tags(issue: Issue) -> dict[str, str]:
    """Give the metadata that every file of a forecast carries.

    Parameters
    ----------
    issue : Issue
        A forecast.

    Returns
    -------
    dict of str
        ISO times in UTC, who made it, from what and without what, the notices.
        ``TIFFTAG_DATETIME`` is the reference time, not the time of writing: the same forecast gives
        the same bytes.
    """
    start, end = issue.valid_time
    special = {
        "note": issue.note,
        "missing_inputs": ", ".join(issue.missing),
        "weather_forecasts": ", ".join(issue.forecasts),
    }
    return {
        **{name: text for name, text in special.items() if text},
        "reference_time": _iso(start),
        "valid_time_start": _iso(start),
        "valid_time_end": _iso(end),
        "valid_local": f"{moment(start, issue.utc_offset)} to {moment(end, issue.utc_offset)}",
        "horizon": f"P{issue.window.horizon}D",
        "model": issue.model,
        "checkpoint_sha256": issue.checkpoint,
        "regime": issue.regime,
        "firesat_version": issue.version,
        "notice": notice(issue.valid_time, issue.utc_offset, "en"),
        "notice_fr": notice(issue.valid_time, issue.utc_offset, "fr"),
        "resolution_note": RESOLUTION["en"],
        "resolution_note_fr": RESOLUTION["fr"],
        "TIFFTAG_DATETIME": f"{start:%Y:%m:%d %H:%M:%S}",
        "TIFFTAG_SOFTWARE": f"firesat {issue.version}",
        "TIFFTAG_IMAGEDESCRIPTION": f"Wildfire forecast {issue.day}, {issue.window.horizon} days",
    }


def _iso(time: object) -> str:
    """UTC with a Z."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
