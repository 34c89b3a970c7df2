"""What tells the quantities of a GRIB file apart, and how they are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from firesat.sources._grib_grid import Keys

Moment = tuple[int, int, int]  # seconds since 1970, ensemble member, level
# What tells one quantity from another: names cost a table search, these are read from the header.
KIND_KEYS = {
    1: ("table2Version", "indicatorOfParameter", "indicatorOfTypeOfLevel"),
    2: (
        "discipline",
        "parameterCategory",
        "parameterNumber",
        "productDefinitionTemplateNumber",
        "typeOfFirstFixedSurface",
        "typeOfSecondFixedSurface",
    ),
}


@dataclass
class Quantity:
    """All fields of one quantity in a file.

    Parameters
    ----------
    name, level_type : str
        As CF and ecCodes name them.
    attrs : dict of str
        Units and name in words.
    has_member : bool
        Whether it is of an ensemble.
    fields : dict of ndarray of float32
        By moment, member and level.
    """

    name: str
    level_type: str
    attrs: dict[str, str]
    has_member: bool
    fields: dict[Moment, NDArray[np.float32]] = field(default_factory=dict)


def describe(handle: int, keys: Keys) -> Quantity:
    """Name the quantity of a message.

    Parameters
    ----------
    handle : int
        The message in ecCodes.
    keys : callable
        Gives the value of one of its keys.

    Returns
    -------
    Quantity
        Without fields.
    """
    import eccodes

    name = str(keys("cfVarName"))
    if name == "unknown":
        name = "p" + "_".join(str(keys(key)) for key in KIND_KEYS[keys("edition")][:3])
    attrs = {
        "units": str(keys("units")).replace("**", ""),  # ECMWF's m s**-1 in the spelling of CF
        "long_name": str(keys("name")),
    }
    has_member = bool(eccodes.codes_is_defined(handle, "number"))
    return Quantity(name, str(keys("typeOfLevel")), attrs, has_member)


def one_of_each(kinds: Mapping[tuple[int, ...], Quantity]) -> list[Quantity]:
    """Join what a file holds of one quantity in several kinds, such as in both editions of GRIB.

    Parameters
    ----------
    kinds : mapping of tuple to Quantity
        What was read, by `KIND_KEYS`.

    Returns
    -------
    list of Quantity
        Those of one name, unit and level are one where they tell of different times or members.
        What lies at one level has another number of it, and another type, in the other edition.
    """
    found: list[tuple[int, Quantity]] = []
    for kind, quantity in kinds.items():
        for place, (length, known) in enumerate(found):
            joined = _joined(known, quantity, same_edition=length == len(kind))
            if joined is not None:
                found[place] = length, joined
                break
        else:
            found.append((len(kind), quantity))
    return [quantity for _, quantity in found]


def _joined(one: Quantity, other: Quantity, *, same_edition: bool) -> Quantity | None:
    """Both in one; None where they are other quantities, or tell of the same field."""
    levels = [{level for *_, level in each.fields} for each in (one, other)]
    alike = (one.name, one.attrs["units"]) == (other.name, other.attrs["units"])
    if not alike or (same_edition and one.level_type != other.level_type):
        return None
    if any(len(own) > 1 for own in levels):
        return None
    (level,) = levels[0]
    moved = {(when, member, level): values for (when, member, _), values in other.fields.items()}
    return None if moved.keys() & one.fields.keys() else replace(one, fields=one.fields | moved)


def version_of(handle: int, keys: Keys) -> int:
    """Tell ECMWF's version of an experiment.

    Parameters
    ----------
    handle : int
        The message in ecCodes.
    keys : callable
        Gives the value of one of its keys.

    Returns
    -------
    int
        Of reanalyses 1 consolidated, 5 preliminary; 0 where there is none.
    """
    import eccodes

    text = str(keys("expver")) if eccodes.codes_is_defined(handle, "expver") else ""
    return int(text) if text.isdigit() else 0


def seconds(date: int, time: int) -> int:
    """Count the seconds since 1970.

    Parameters
    ----------
    date, time : int
        Such as 20230705 and 1800.

    Returns
    -------
    int
        Of UTC.
    """
    text = f"{date:08d}"
    day = np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "s")
    return int(day.astype(np.int64)) + time // 100 * 3600 + time % 100 * 60
