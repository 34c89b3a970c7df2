"""Which of several productions of a granule counts."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

NAME = re.compile(r"(M[COY]D\w+)\.A(\d{7})\.h(\d{2})v(\d{2})\.(\d{3})\.(\d{13})")
"""Product, day, tile, collection and time of production: the archive's names."""


@dataclass(frozen=True, kw_only=True)
class Production:
    """The newest production of a granule.

    Parameters
    ----------
    name : str
        The archive's name of it.
    url : str
        Its address.
    older : tuple of str
        Names of the others, oldest first.
    """

    name: str
    url: str
    older: tuple[str, ...]


def newest(
    listed: Iterable[tuple[str, str]],
    product: str,
    day: str,
    tiles: Collection[tuple[int, int]],
) -> Iterator[Production]:
    """Of several productions of one tile keep the newest, which remembers the others.

    Parameters
    ----------
    listed : iterable of (str, str)
        Names and addresses, in any order; what is of another product, day or tile is left out.
    product : str
        Such as "MOD13A1".
    day : str
        Year and day of the year, such as "2023177".
    tiles : collection of (int, int)
        Wanted.

    Yields
    ------
    Production
        By name.
    """
    found: dict[tuple[int, int], dict[str, str]] = {}
    for name, url in listed:
        match = NAME.fullmatch(name)
        if match is None or (match[1], match[2]) != (product, day):
            continue
        tile = int(match[3]), int(match[4])
        if tile in tiles:
            found.setdefault(tile, {})[name] = url
    for productions in sorted(found.values(), key=max):
        *older, name = sorted(productions, key=lambda each: each.rsplit(".", 1)[1])
        yield Production(name=name, url=productions[name], older=tuple(older))
