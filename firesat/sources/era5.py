"""ERA5-Land: hourly reanalysis of the land surface, as daily weather of fire days.

Humidity, vapour pressure and wind speed are computed hour by hour before anything is averaged.
"""

from dataclasses import dataclass
from typing import ClassVar

from firesat.sources._era5_names import LAND
from firesat.sources._reanalysed import Reanalysed
from firesat.sources._reanalysis import DataSet


@dataclass(frozen=True, kw_only=True)
class Era5Land(Reanalysed):
    """Daily weather from ERA5-Land, 10 km, the whole box, 32 days a block.

    Parameters
    ----------
    base_url, dataset : str
        Root of the Climate Data Store's interface, and its name of the data set.
    hours : tuple of int
        Hours UTC that are fetched; must hold 0, 12 and the noon hour. Three-hourly by default: a
        third of the download, and a daily mean within 0.2 K of the hourly one over land.
    noon_hour : int, optional
        Hour UTC of local standard noon; None = from the middle of the region.
    data_format : {"grib", "netcdf"}
        GRIB is what the store keeps; NetCDF is converted, with a smaller limit per request.
    stream : {"nrt", "final"}
        Which version the values are taken from; "final" takes no preliminary hour. The latency
        stays that of the near-real-time one: that is what a forecaster would have had.
    latency_hours : float
        From the end of a fire day to its publication.
    day_start : int
        Hour UTC at which days begin; 0 = calendar days.
    retries, pause : int, float
        Attempts after a failed call, and the longest wait in seconds between two calls.
    """

    data_set: ClassVar[DataSet] = DataSet(
        group="era5_land",
        title="ERA5-Land hourly",
        degrees=0.1,
        requested=LAND,
        hourly_rain=False,
        basis="fields: variables x days x hours, as the store counts; bytes: 16 bits a value of "
        "the 0.1 degree grid, sea included",
    )

    dataset: str = "reanalysis-era5-land"
    hours: tuple[int, ...] = (0, 3, 6, 9, 12, 15, 18, 21)

    def __post_init__(self) -> None:
        """Refuse hours from which no rain of a day can be told."""
        self._reanalysis.check_hours()

    @property
    def hours_of_day(self) -> tuple[int, ...]:
        """Tell which hours are fetched.

        Returns
        -------
        tuple of int
            UTC.
        """
        return self.hours
