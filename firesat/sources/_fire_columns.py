"""What the makers of fire perimeters call their columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["NBAC", "NFDB", "CIFFC", "BC Wildfire Service", "perimeters"]

# Role to the names that are known for it, lower case, the surest first. NBAC's dates were AFSDATE
# and SDATE (agency, hotspots) up to the release of 2021.
_KNOWN: dict[str, tuple[str, ...]] = {
    "fire": (
        "gid", "nfireid", "fire_num", "fire_number", "firenumber", "fire_no", "nfdbfireid",
        "fire_id", "fireid", "incident_number", "incident_id", "field_agency_fire_id",
    ),
    "agency": ("src_agency", "field_agency_code"),
    "year": ("fire_year", "year", "season"),
    "agency_start": (
        "ag_sdate", "afsdate", "rep_date", "fire_date", "ignition_date", "ignitn_dt",
        "fire_start_date", "start_date", "startdate", "date_start", "discovery_date", "start",
        "field_situation_report_date",
    ),
    "agency_end": (
        "ag_edate", "afedate", "out_date", "fire_out_date", "end_date", "enddate", "date_end",
        "end",
    ),
    "hotspot_start": ("hs_sdate", "sdate", "firstdate", "first_date"),
    "hotspot_end": ("hs_edate", "edate", "lastdate", "last_date"),
    "prescribed": ("prescribed",),
    "cause": ("cause", "fire_cause", "firecaus", "field_system_fire_cause"),
    "hectares": (
        "adj_ha", "size_ha", "current_sz", "current_size", "fire_sz_ha", "fire_size_hectares",
        "fire_final_size", "hectares", "hectares_utm", "area_ha", "poly_ha", "calc_ha",
        "field_fire_size",
    ),
}  # fmt: skip
_BC = {"fire_num", "fire_number", "fire_no"}
_DBF = 10  # characters that a shapefile keeps of a column's name


@dataclass(frozen=True, kw_only=True)
class FireColumns:
    """Which columns of a file hold what; "" = it has none.

    Parameters
    ----------
    kind : {"NBAC", "NFDB", "CIFFC", "BC Wildfire Service", "perimeters"}
        Whose schema it is; "perimeters" for any other.
    fire, agency : str
        Name of the fire, and of the agency within which it is unique.
    year : str
        Season.
    agency_start, agency_end, hotspot_start, hotspot_end : str
        Dates.
    prescribed, cause : str
        What tells prescribed burns.
    hectares : str
        Official size.
    """

    kind: Kind
    fire: str = ""
    agency: str = ""
    year: str = ""
    agency_start: str = ""
    agency_end: str = ""
    hotspot_start: str = ""
    hotspot_end: str = ""
    prescribed: str = ""
    cause: str = ""
    hectares: str = ""

    @property
    def used(self) -> list[str]:
        """The columns that are read.

        Returns
        -------
        list of str
            Those that the file has.
        """
        return [name for role, name in vars(self).items() if role != "kind" and name]

    @property
    def dates(self) -> list[str]:
        """The columns of dates.

        Returns
        -------
        list of str
            Starts before ends.
        """
        ends = (self.agency_end, self.hotspot_end)
        return [*self.starts, *(name for name in ends if name)]

    @property
    def dated(self) -> list[str]:
        """The columns that tell a feature's season.

        Returns
        -------
        list of str
            Its year and its dates.
        """
        return [name for name in (self.year, *self.dates) if name]

    @property
    def starts(self) -> list[str]:
        """The columns that say when a fire started.

        Returns
        -------
        list of str
            Up to two.
        """
        return [name for name in (self.agency_start, self.hotspot_start) if name]


def recognise(columns: Iterable[str]) -> FireColumns:
    """Find out which columns hold what.

    Parameters
    ----------
    columns : iterable of str
        Names as the file has them, in any case; a shapefile's may be cut to 10 characters.

    Returns
    -------
    FireColumns
        With "" for what is not there under a known name.
    """
    given = {name.lower(): name for name in columns}
    found = {role: _first(names, given) for role, names in _KNOWN.items()}
    return FireColumns(kind=_kind(set(given), found), **found)


def known_starts() -> str:
    """Name the columns that would say when a fire started.

    Returns
    -------
    str
        For messages.
    """
    return ", ".join(
        name.upper() for role in ("agency_start", "hotspot_start") for name in _KNOWN[role]
    )


def _first(names: tuple[str, ...], given: dict[str, str]) -> str:
    """The first known name that a file has, whole or cut."""
    return next((given[n] for name in names for n in (name, name[:_DBF]) if n in given), "")


def _kind(given: set[str], found: dict[str, str]) -> Kind:
    """Whose schema it is."""
    if "nfireid" in given and (found["hotspot_start"] or found["agency_start"]):
        return "NBAC"
    if "src_agency" in given or "nfdbfireid" in given:
        return "NFDB"
    if "field_agency_fire_id" in given:
        return "CIFFC"
    return "BC Wildfire Service" if found["fire"].lower() in _BC else "perimeters"
