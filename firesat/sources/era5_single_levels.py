"""ERA5 on single levels: hourly reanalysis of land and sea, as daily weather of fire days.

It is read and reduced by the same code as ERA5-Land, and is another data set all the same: coarser,
with its own land surface and its own way to accumulate rain. The two are never mixed under a name.
"""

from dataclasses import dataclass
from typing import ClassVar

from firesat.errors import ConfigError
from firesat.sources._era5_names import SINGLE_LEVELS
from firesat.sources._reanalysed import Reanalysed
from firesat.sources._reanalysis import DataSet


@dataclass(frozen=True, kw_only=True)
class Era5SingleLevels(Reanalysed):
    """Daily weather from ERA5, 0.25 degrees, the whole box, 32 days a block.

    All 24 hours are fetched, because its rain is of single hours; means are of all of them. Over
    the sea it has values of its own, so that nothing is filled in from the land.

    Parameters
    ----------
    base_url, dataset : str
        Root of the Climate Data Store's interface, and its name of the data set.
    noon_hour : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    data_format : {"grib", "netcdf"}
        GRIB is what the store keeps; NetCDF is converted, with a smaller limit per request.
    stream : {"nrt", "final"}
        Which version the values are taken from; "final" takes no hour of ERA5T. The latency stays
        that of the near-real-time one: that is what a forecaster would have had.
    latency_hours : float
        From the end of a fire day to its publication.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    retries, pause : int, float
        Attempts after a failed call, and the longest wait in seconds between two calls.
    """

    data_set: ClassVar[DataSet] = DataSet(
        group="era5",
        title="ERA5 hourly on single levels",
        degrees=0.25,
        requested=SINGLE_LEVELS,
        hourly_rain=True,
        further={"product_type": ["reanalysis"]},
        basis="fields: variables x days x 24 hours, as the store counts, at most 60 000 a job "
        "(July 2025, github.com/daniloceano/ATMOS-BUD/issues/7); bytes: 16 bits a value of the "
        "0.25 degree grid",
    )

    dataset: str = "reanalysis-era5-single-levels"

    def __post_init__(self) -> None:
        """Refuse hours that are none."""
        noon = 1 if self.noon_hour is None else self.noon_hour
        if self.day_start not in self.hours_of_day or noon not in self.hours_of_day[1:]:
            raise ConfigError(
                f"era5.day_start is {self.day_start} and era5.noon_hour {self.noon_hour}: give "
                "hours UTC up to 23, noon from 1"
            )
