"""What the codes of class maps mean: fuels of Canada's fire behaviour system, land cover."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

FBP: Mapping[int, str] = {
    1: "C-1 spruce-lichen woodland",
    2: "C-2 boreal spruce",
    3: "C-3 mature jack or lodgepole pine",
    4: "C-4 immature jack or lodgepole pine",
    5: "C-5 red and white pine",
    6: "C-6 conifer plantation",
    7: "C-7 ponderosa pine and Douglas-fir",
    11: "D-1 leafless aspen",
    12: "D-2 green aspen",
    13: "D-1/D-2 aspen",
    21: "S-1 jack or lodgepole pine slash",
    22: "S-2 white spruce and balsam slash",
    23: "S-3 coastal cedar, hemlock and Douglas-fir slash",
    31: "O-1a matted grass",
    32: "O-1b standing grass",
    40: "M-1 boreal mixedwood, leafless",
    50: "M-2 boreal mixedwood, green",
    60: "M-1/M-2 boreal mixedwood",
    70: "M-3 dead balsam fir mixedwood, leafless",
    80: "M-4 dead balsam fir mixedwood, green",
    90: "M-3/M-4 dead balsam fir mixedwood",
    100: "not available",
    101: "non-fuel",
    102: "water",
    103: "unknown",
    104: "unclassified",
    105: "vegetated non-fuel",
}
"""Fuel types as the national grids number them (Forestry Canada Fire Danger Group 1992, ST-X-3).

Mixedwood of 5 to 95 % conifer or dead fir has three digits there, such as 425 for M-1 of 25 %
conifer; :func:`fold_fuels` makes these the ten of their type.
"""

NALCMS: Mapping[int, str] = {
    1: "temperate or sub-polar needleleaf forest",
    2: "sub-polar taiga needleleaf forest",
    3: "tropical or sub-tropical broadleaf evergreen forest",
    4: "tropical or sub-tropical broadleaf deciduous forest",
    5: "temperate or sub-polar broadleaf deciduous forest",
    6: "mixed forest",
    7: "tropical or sub-tropical shrubland",
    8: "temperate or sub-polar shrubland",
    9: "tropical or sub-tropical grassland",
    10: "temperate or sub-polar grassland",
    11: "sub-polar or polar shrubland-lichen-moss",
    12: "sub-polar or polar grassland-lichen-moss",
    13: "sub-polar or polar barren-lichen-moss",
    14: "wetland",
    15: "cropland",
    16: "barren lands",
    17: "urban",
    18: "water",
    19: "snow and ice",
}
"""Land cover of North America at 30 m, 2020 (CEC, NALCMS), the same codes since 2005; 0 = none."""

SANDBOX: Mapping[int, str] = {
    0: "water",
    1: "conifer",
    2: "deciduous",
    3: "mixed",
    4: "grass",
    5: "wetland",
    6: "rock",
    7: "burned scar",
    8: "harvest",
    9: "built-up",
}
"""The fuel map of the sandbox."""

TABLES: Mapping[str, Mapping[int, str]] = {"fbp": FBP, "nalcms": NALCMS, "sandbox": SANDBOX}
"""Tables by the name that a config gives them."""


def flags(table: Mapping[int, str]) -> dict[str, str | list[int]]:
    """Give CF's attributes of a class map.

    Parameters
    ----------
    table : mapping of int to str
        Code to meaning.

    Returns
    -------
    dict
        ``flag_values``, and ``flag_meanings`` in the same order, blanks as underscores.
    """
    words = [name.replace(",", "").replace(" ", "_") for name in table.values()]
    return {"flag_values": list(table), "flag_meanings": " ".join(words)}


def fold_fuels(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave the share of conifer or dead fir out of mixedwood codes.

    Parameters
    ----------
    codes : ndarray of float32
        Of the national fuel grids; NaN where missing.

    Returns
    -------
    ndarray of float32
        405 to 995 as the ten of their type, such as 425 as 40; others as they are.
    """
    mixed = (codes >= 400) & (codes < 1000)
    return np.where(mixed, 10 * np.floor(codes / 100), codes).astype(np.float32)
