"""How the page writes numbers."""

from firesat.metrics.bootstrap import Estimate
from firesat.metrics.result import Scores


def count(number: float) -> str:
    """Write a number with its thousands apart.

    Parameters
    ----------
    number : float
        Any.

    Returns
    -------
    str
        Such as "12 345".
    """
    return f"{number:,.0f}".replace(",", " ")


def counted(number: int, thing: str) -> str:
    """Write how many there are of something.

    Parameters
    ----------
    number : int
        Any.
    thing : str
        One of them, such as "fire".

    Returns
    -------
    str
        Such as "1 fire" or "2 fires".
    """
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def brackets(estimate: Estimate, factor: float, digits: int) -> str:
    """Write an interval in brackets.

    Parameters
    ----------
    estimate : Estimate
        A score.
    factor : float
        Such as 100 for per cents.
    digits : int
        After the point.

    Returns
    -------
    str
        Such as "[0.08, 0.17]"; "" where there is no interval.
    """
    if estimate.low != estimate.low:
        return ""
    low, high = (factor * end for end in (estimate.low, estimate.high))
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def spelled(estimate: Estimate, least: int) -> str:
    """Write a score and its interval.

    Parameters
    ----------
    estimate : Estimate
        A score.
    least : int
        Digits after the point; more where the score is smaller than they show.

    Returns
    -------
    str
        Such as "0.12 [0.08, 0.17]".
    """
    digits = estimate.digits(least)
    return f"{estimate.value:.{digits}f} {brackets(estimate, 1, digits)}".strip()


def spoken(estimate: Estimate, least: int) -> str:
    """Write a score and its interval for those who have the page read to them.

    Parameters
    ----------
    estimate : Estimate
        A score.
    least : int
        Digits after the point; more where the score is smaller than they show.

    Returns
    -------
    str
        Such as "0.12 (from 0.08 to 0.17)".
    """
    digits = estimate.digits(least)
    low, high = (f"{end:.{digits}f}" for end in (estimate.low, estimate.high))
    return f"{estimate.value:.{digits}f} (from {low} to {high})"


def left_out(scores: Scores) -> str:
    """Say how many cells no score counts, because they have no forecast.

    Parameters
    ----------
    scores : Scores
        With its facts.

    Returns
    -------
    str
        One sentence; "" under 1 % of the headline cells.
    """
    share = scores.unforecast
    if share < 0.01:
        return ""
    missing = int(scores.facts["cells_without_forecast"])
    burned = int(scores.facts["burned_cells_without_forecast"])
    return (
        f"No score counts the {count(missing)} cells without a forecast: {percent(share)} of the "
        f"cells at risk; {count(burned) if burned else 'none'} of them burned."
    )


def percent(share: float) -> str:
    """Write a share so that only all of it is 100 %.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
        Such as "4.9 %" or "over 99.9 %".
    """
    text = f"{100 * share:.1f} %"
    return "over 99.9 %" if text == "100.0 %" and share < 1 else text.replace(".0 ", " ")


def level(scores: Scores) -> str:
    """Write the probability content of the intervals.

    Parameters
    ----------
    scores : Scores
        With its facts.

    Returns
    -------
    str
        Such as "90 %".
    """
    return f"{100 * float(scores.facts['level']):.0f} %"


def span(scores: Scores) -> str:
    """Name the first and the last issue day.

    Parameters
    ----------
    scores : Scores
        With its facts.

    Returns
    -------
    str
        Such as "2023-05-01 to 2023-09-14".
    """
    issued = scores.facts["issue_days"]
    return f"{issued[0]} to {issued[-1]}" if len(issued) > 1 else str(issued[0])
