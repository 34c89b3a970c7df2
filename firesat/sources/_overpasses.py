"""Which granules one satellite took in one go."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

_SAME_PASS = timedelta(minutes=2)  # granules of one overpass are seconds apart
# ESA's names begin with platform and start of the datatake, the same for a whole overpass.
_DATATAKE = re.compile(r"(S2[A-Z])_MSIL1C_(\d{8}T\d{6})_")

Granule = tuple[datetime, str]
"""Start of sensing, UTC, and name."""


def overpasses(granules: Sequence[Granule]) -> Iterator[list[Granule]]:
    """Put granules of one overpass together.

    Parameters
    ----------
    granules : sequence of (datetime, str)
        By time.

    Yields
    ------
    list of (datetime, str)
        Of one satellite, seconds apart.
    """
    group: list[Granule] = []
    for granule in granules:
        apart = group and granule[0] - group[-1][0] > _SAME_PASS
        if group and (apart or _datatake(granule) != _datatake(group[-1])):
            yield group
            group = []
        group.append(granule)
    if group:
        yield group


def name_of_overpass(granule: Granule) -> str:
    """Name the overpass that a granule belongs to, whatever part of it a block sees.

    Parameters
    ----------
    granule : tuple of (datetime, str)
        Any of it.

    Returns
    -------
    str
        Platform and start of the datatake; the granule's own time where its name tells neither.
    """
    return _datatake(granule) or f"{granule[0]:%Y%m%dT%H%M%S}"


def _datatake(granule: Granule) -> str:
    """Platform and start of the datatake; "" where the name does not tell."""
    match = _DATATAKE.match(granule[1])
    return f"{match[1]}-{match[2]}" if match else ""
