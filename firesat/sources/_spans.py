"""Files of the user's own that tell of some days, and which days these are."""

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from firesat.blocks import Block
from firesat.errors import ConfigError, WindowError
from firesat.sources._layers import hours
from firesat.sources.base import Scene
from firesat.window import Period

ONE_DAY = np.timedelta64(1, "D")


@cache
def period_of(path: str, span: str) -> Period:
    """Read the days that a file tells of.

    Parameters
    ----------
    path : str
        The file, for messages.
    span : str
        First and last day, such as "2023-05-01/2023-09-30".

    Returns
    -------
    Period
        Both included.

    Raises
    ------
    ConfigError
        If it is no such span.
    """
    first, slash, last = span.partition("/")
    try:
        return Period(start=first, end=last if slash else first)
    except WindowError as error:
        raise ConfigError(
            f"{span!r} of {path} is no span of days ({error}): write 2023-05-01/2023-09-30"
        ) from None


def scenes_of(
    files: Mapping[str, str],
    block: Block,
    latency_hours: float,
    dates: NDArray[np.datetime64],
) -> list[Scene]:
    """List the files that tell of the dates that a block needs.

    Parameters
    ----------
    files : mapping of str to str
        File to its span of days.
    block : Block
        Its group is named in the scenes.
    latency_hours : float
        From the end of a day to its availability.
    dates : ndarray of datetime64[D]
        Dates that the block's days need.

    Returns
    -------
    list of Scene
        In the order of the files; the request tells the ``dates`` that each covers of them.
    """
    found = []
    for path, span in files.items():
        covered = np.intersect1d(dates, period_of(path, span).days)
        if covered.size:
            end = (covered[-1] + ONE_DAY).astype("datetime64[s]")
            found.append(
                Scene(
                    id=path,
                    source=block.group,
                    observed=end,
                    available=end + hours(latency_hours),
                    request={"dates": [str(date) for date in covered]},
                )
            )
    return found


def dates_of(scene: Scene) -> Iterator[str]:
    """Give the dates that a scene covers.

    Parameters
    ----------
    scene : Scene
        Whose request tells them.

    Yields
    ------
    str
        ISO 8601.
    """
    dates = scene.request["dates"]
    if isinstance(dates, list):
        yield from map(str, dates)
