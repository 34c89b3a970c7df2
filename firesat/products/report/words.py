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
