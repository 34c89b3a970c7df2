"""What is asked of ERA5-Land, and what becomes of it."""

from firesat.layout import Variable

REQUESTED = (
    "2m_temperature",
    "2m_dewpoint_temperature",
    "skin_temperature",
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
    "total_precipitation",
    "volumetric_soil_water_layer_1",
    "snow_depth_water_equivalent",
)
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
BASIS = (
    "fields: variables x days x hours, as the store counts; bytes: 16 bits a value of the "
    "0.1 degree grid, sea included"
)
