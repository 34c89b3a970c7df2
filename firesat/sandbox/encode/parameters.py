"""What reanalysis parameters are called: by requests, by GRIB and by NetCDF.

Numbers and names are those of the ECMWF parameter database (codes.ecmwf.int/grib/param-db).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a reanalysis.

    Parameters
    ----------
    request : str
        Name in a request.
    name : str
        Variable name in NetCDF.
    number : int
        ECMWF ``paramId``.
    short : str
        ECMWF ``shortName``.
    units : str
        Units of the values.
    long_name : str
        Plain words.
    accumulated : bool
        Whether it is a sum over an interval rather than the value at an instant.
    """

    request: str
    name: str
    number: int
    short: str
    units: str
    long_name: str
    accumulated: bool = False


def _table(*rows: tuple[str, str, int, str, str, str]) -> tuple[Parameter, ...]:
    """Parameters from rows of request name, variable, number, short name, units and words."""
    return tuple(
        Parameter(
            request=request,
            name=name,
            number=number,
            short=short,
            units=units,
            long_name=words,
            accumulated=name == "tp",
        )
        for request, name, number, short, units, words in rows
    )


ERA5_LAND = _table(
    ("2m_temperature", "t2m", 167, "2t", "K", "2 metre temperature"),
    ("2m_dewpoint_temperature", "d2m", 168, "2d", "K", "2 metre dewpoint temperature"),
    ("skin_temperature", "skt", 235, "skt", "K", "Skin temperature"),
    ("10m_u_component_of_wind", "u10", 165, "10u", "m s**-1", "10 metre U wind component"),
    ("10m_v_component_of_wind", "v10", 166, "10v", "m s**-1", "10 metre V wind component"),
    ("surface_pressure", "sp", 134, "sp", "Pa", "Surface pressure"),
    ("total_precipitation", "tp", 228, "tp", "m", "Total precipitation"),
    ("volumetric_soil_water_layer_1", "swvl1", 39, "swvl1", "m**3 m**-3",
     "Volumetric soil water layer 1"),
    ("snow_depth_water_equivalent", "sd", 141, "sd", "m of water equivalent",
     "Snow depth water equivalent"),
)  # fmt: skip

ERA5 = (
    *(each for each in ERA5_LAND if each.name != "sd"),
    *_table(("snow_depth", "sd", 141, "sd", "m of water equivalent", "Snow depth")),
)
"""Those of ERA5 on single levels, which names the water in the snow otherwise."""

CEMS_FIRE = _table(
    ("fire_weather_index", "fwinx", 260540, "fwinx", "Numeric", "Fire weather index"),
    ("fine_fuel_moisture_code", "ffmcode", 260541, "ffmcode", "Numeric",
     "Fine fuel moisture code"),
    ("duff_moisture_code", "dufmcode", 260542, "dufmcode", "Numeric", "Duff moisture code"),
    ("drought_code", "drtcode", 260543, "drtcode", "Numeric", "Drought code"),
    ("initial_fire_spread_index", "infsinx", 260544, "infsinx", "Numeric",
     "Initial fire spread index"),
    ("build_up_index", "fbupinx", 260545, "fbupinx", "Numeric", "Fire buildup index"),
    ("fire_daily_severity_rating", "fdsrte", 260546, "fdsrte", "Numeric",
     "Fire daily severity rating"),
)  # fmt: skip
