"""Weather models on the Datamart of the Meteorological Service of Canada: folders and file names.

A file holds one quantity at one lead; names of quantities differ between models and change with
the years, so that files are found by listing their folder
(eccc-msc.github.io/open-data/msc-datamart/readme_en).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firesat.errors import ProviderError
from firesat.sources._http import name_of

# Words of file names, from the present to the oldest; ours are of the first column.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "t2m": ("AirTemp_AGL-2m", "TMP_AGL-2m", "TMP_TGL_2m", "TMP_TGL_2"),
    "d2m": ("DewPoint_AGL-2m", "DPT_AGL-2m", "DPT_TGL_2m", "DPT_TGL_2"),
    "r2": ("RelativeHumidity_AGL-2m", "RH_AGL-2m", "RH_TGL_2m", "RH_TGL_2"),
    "ws": ("WindSpeed_AGL-10m", "WIND_AGL-10m", "WIND_TGL_10m", "WIND_TGL_10"),
    "u10": ("WindU_AGL-10m", "UGRD_AGL-10m", "UGRD_TGL_10m", "UGRD_TGL_10"),
    "v10": ("WindV_AGL-10m", "VGRD_AGL-10m", "VGRD_TGL_10m", "VGRD_TGL_10"),
    "tp": ("Precip-Accum_Sfc", "APCP_Sfc", "APCP_SFC_0"),
}
# What will do, the first choice first: humidity over water comes from the dew point.
_CHOICES = ((("t2m",),), (("d2m",), ("r2",)), (("ws",), ("u10", "v10")), (("tp",),))


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model's place and habits.

    Parameters
    ----------
    name : str
        In words.
    folder : str
        Between the date and the hour of the run.
    steps : tuple of (int, int)
        Leads up to which files are taken so many hours apart.
    days : int
        Whole fire days that the runs of 00 UTC hold, at most.
    latency_hours : float
        From the start of a run until its last file is out.
    field_bytes : float
        Of one file.
    """

    name: str
    folder: str
    steps: tuple[tuple[int, int], ...]
    days: int
    latency_hours: float
    field_bytes: float


# Latencies: when the last files of a run are usually out, rounded up.
MODELS: Mapping[str, Model] = {
    "hrdps": Model(
        name="High Resolution Deterministic Prediction System, 2.5 km",
        folder="model_hrdps/continental/2.5km",
        steps=((48, 3),),
        days=1,
        latency_hours=6.0,
        field_bytes=2.7e6,
    ),
    "rdps": Model(
        name="Regional Deterministic Prediction System, 10 km",
        folder="model_rdps/10km",
        steps=((84, 3),),
        days=3,
        latency_hours=6.0,
        field_bytes=0.8e6,
    ),
    "gdps": Model(
        name="Global Deterministic Prediction System, 15 km",
        folder="model_gdps/15km",
        steps=((240, 3),),
        days=9,
        latency_hours=7.0,
        field_bytes=1.1e6,
    ),
    "geps": Model(
        name="Global Ensemble Prediction System, 0.5 degrees, mean of its members",
        folder="ensemble/geps/grib2/raw",
        steps=((192, 3), (384, 6)),
        days=15,
        latency_hours=9.0,
        field_bytes=4e6,
    ),
}


def choose_files(urls: Sequence[str], stamp: str, lead: int) -> Iterator[str]:
    """Choose what is needed of a folder.

    Parameters
    ----------
    urls : sequence of str
        What the folder of a lead lists.
    stamp : str
        Date and hour of the run, such as "2023070100".
    lead : int
        Hours.

    Yields
    ------
    str
        Addresses of temperature, humidity, wind and rain.

    Raises
    ------
    ProviderError
        If one of these is not there; of lead 0 there is no rain.
    """
    stamps = (f"{stamp[:8]}T{stamp[8:]}Z_", f"_{stamp}_")
    own = {name_of(url): url for url in urls if any(each in name_of(url) for each in stamps)}
    for choices in _CHOICES:
        found = [[_find(own, name) for name in names] for names in choices]
        whole = next((urls for urls in found if all(urls)), [])
        if not whole and (choices[0][0] != "tp" or lead):
            raise ProviderError(
                f"the run of {stamp[:8]} {stamp[8:]} UTC lists no {_WORDS[choices[0][0]][0]} at "
                f"lead {lead} h among {len(own)} files: it may not be complete yet, run again later"
            )
        yield from whole


def _find(own: Mapping[str, str], name: str) -> str:
    """The address of a quantity; "" if there is none."""
    spelt = (f"_{word}_" for word in _WORDS[name])
    return next((url for word in spelt for file, url in own.items() if word in file), "")
