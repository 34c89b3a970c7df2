"""MODIS variables that a batch may have, and where in the cube they lie.

Burned area (group ``modis_burned``) is not among them: it is a truth, for labels and scores.
"""

_LST = ("lst_day", "lst_night")
_GROUPS = {
    "modis_vi": ("ndvi", "evi"),
    "modis_lst": (*_LST, *(f"{name}{end}" for end in ("_hour", "_anomaly") for name in _LST)),
    "modis_fpar": ("fpar", "lai"),
}
VARIABLES = tuple(name for names in _GROUPS.values() for name in names)
"""All of them; anomalies are worked out when they are read, see :mod:`firesat.samples.anomaly`."""


def modis_group(variable: str) -> str:
    """Tell in which group of the cube a MODIS variable lies.

    Parameters
    ----------
    variable : str
        Such as "ndvi".

    Returns
    -------
    str
        "modis_vi", "modis_lst" or "modis_fpar".
    """
    return next(group for group, names in _GROUPS.items() if variable in names)
