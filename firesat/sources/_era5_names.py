"""What reanalyses are asked for, and what becomes of it."""

from firesat.layout import Variable

_SHARED = (
    "2m_temperature",
    "2m_dewpoint_temperature",
    "skin_temperature",
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "total_precipitation",
    "volumetric_soil_water_layer_1",
)
LAND = (*_SHARED, "snow_depth_water_equivalent")
# The same quantity, metres of water: the depth of the snow itself is what ERA5-Land calls so.
SINGLE_LEVELS = (*_SHARED, "snow_depth")
MEANS = ("t2m", "skt", "rh", "vp", "ws", "swvl1", "sd")
AT_NOON = ("t2m", "rh", "ws")
BANDS = (
    "t2m", "t2m_max", "t2m_min", "skt", "rh", "vp", "ws", "tp", "swvl1", "sd",
    "t2m_noon", "rh_noon", "ws_noon", "tp_noon",
)  # fmt: skip
# Preliminary: 1 where any hour of a day is as first published (ERA5's expver 5), 0 where all are
# consolidated, missing where the files do not tell.
VARIABLES = (
    *(Variable(name=name) for name in BANDS),
    Variable(name="preliminary", dtype="uint8", fill=255),
)
UNITS = {"t2m": "K", "skt": "K", "rh": "%", "vp": "hPa", "ws": "m s-1", "tp": "mm",
          "swvl1": "m3 m-3", "sd": "m"}  # fmt: skip
