"""What usually burns there and then."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from firesat.baselines.logistic import HIGHEST, LOWEST, PRIOR
from firesat.errors import SampleError

YEAR = 365.25  # days

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass
class Climatology:
    """Rates by kernels of place and of the day of the year, times a factor for the fuel class.

    Whole maps are counted on coarse cells, and the counts smoothed by Gaussians. A class's factor
    is what burned of it over what its places and dates led to expect. Places, dates and classes of
    which little was seen are pulled to the mean by `PRIOR` burned cells.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the region's coarse cells.
    kernel_km, kernel_days : float
        Standard deviations of the kernels.
    cell_km : float
        Side of the coarse cells.
    seen, burned : dict of np.datetime64 to ndarray of float64, shape `shape`
        Scored and burned cells by issue day.
    fuel_seen : dict of int to ndarray of float64, shape `shape`
        Scored cells by fuel class, all issue days together.
    fuel_burned : dict of int to float
        Burned cells by fuel class.
    """

    shape: tuple[int, int]
    kernel_km: float = 50.0
    kernel_days: float = 15.0
    cell_km: float = 10.0
    seen: dict[np.datetime64, Floats] = field(default_factory=dict)
    burned: dict[np.datetime64, Floats] = field(default_factory=dict)
    fuel_seen: dict[int, Floats] = field(default_factory=dict)
    fuel_burned: dict[int, float] = field(default_factory=dict)
    _factors: dict[int, float] = field(default_factory=dict)

    def add(
        self,
        day: np.datetime64,
        place: Codes,
        fuel: Codes,
        burned: NDArray[np.bool_],
    ) -> None:
        """Count scored cells of one issue day.

        Parameters
        ----------
        day : np.datetime64
            Issue day of the training periods.
        place : ndarray of int64, shape (N,)
            Number of the coarse cell of each, row by row.
        fuel : ndarray of int64, shape (N,)
            Fuel class.
        burned : ndarray of bool, shape (N,)
            Whether it burned within the window.
        """
        self._factors = {}
        self._into(self.seen, day, place)
        self._into(self.burned, day, place[burned])
        for code in np.unique(fuel):
            inside = fuel == code
            self._into(self.fuel_seen, int(code), place[inside])
            hits = float((inside & burned).sum())
            self.fuel_burned[int(code)] = self.fuel_burned.get(int(code), 0.0) + hits

    def _into[K](self, shelf: dict[K, Floats], key: K, place: Codes) -> None:
        """Add the counts of places to what stands under a key."""
        size = self.shape[0] * self.shape[1]
        counts = np.bincount(place, minlength=size).reshape(self.shape).astype(np.float64)
        shelf[key] = shelf[key] + counts if key in shelf else counts

    def rate(self, day: np.datetime64) -> Floats:
        """Give the rate of each coarse cell, all fuel classes together.

        Parameters
        ----------
        day : np.datetime64
            Issue day, of any year.

        Returns
        -------
        ndarray of float64, shape `shape`
            Probability that a cell burns within the window.

        Raises
        ------
        SampleError
            If nothing burned on the days that were counted.
        """
        days = sorted(self.seen)
        apart = np.array([_day_distance(day, other) for other in days])
        return self._smooth(days, np.exp(-0.5 * (apart / self.kernel_days) ** 2))

    def _smooth(self, days: list[np.datetime64], weight: Floats) -> Floats:
        """Rate by place, issue days weighted."""
        mean = self._mean()
        sigma = self.kernel_km / self.cell_km
        effective = 2 * np.pi * sigma**2  # sum of a Gaussian whose peak is 1
        seen, burned = (
            effective
            * gaussian_filter(
                np.tensordot(weight, np.stack([shelf[day] for day in days]), axes=1),
                sigma,
                mode="constant",
            )
            for shelf in (self.seen, self.burned)
        )
        rate: Floats = (burned + PRIOR) / (seen + PRIOR / mean)
        return rate

    def _mean(self) -> float:
        """Share of all scored cells that burned."""
        burned = sum(float(counts.sum()) for counts in self.burned.values())
        if not burned:
            raise SampleError(
                "nothing burned in the training periods: no climatology; give longer ones"
            )
        return burned / sum(float(counts.sum()) for counts in self.seen.values())

    def factors(self) -> dict[int, float]:
        """Give each fuel class's factor.

        Returns
        -------
        dict of int to float
            Around 1; below for classes that burn less than their places.
        """
        if not self._factors:
            days = sorted(self.seen)
            usual = self._smooth(days, np.ones(len(days)))
            self._factors = {
                code: (self.fuel_burned[code] + PRIOR) / (float((seen * usual).sum()) + PRIOR)
                for code, seen in self.fuel_seen.items()
            }
        return self._factors

    def predict(self, day: np.datetime64, row: Floats, column: Floats, fuel: Codes) -> Floats:
        """Give probabilities of a map.

        Parameters
        ----------
        day : np.datetime64
            Issue day.
        row, column : ndarray of float64, shapes (Y,) and (X,)
            Where the map's cells lie, in coarse cells from the centre of the first.
        fuel : ndarray of int64, shape (Y, X)
            Fuel class; one never seen has factor 1.

        Returns
        -------
        ndarray of float64, shape (Y, X)
            Interpolated between coarse cells, times the factor of the class.
        """
        where = np.meshgrid(row, column, indexing="ij")
        usual = map_coordinates(self.rate(day), where, order=1, mode="nearest")
        factor = np.ones(fuel.shape)
        for code, value in self.factors().items():
            factor[fuel == code] = value
        probability: Floats = np.clip(usual * factor, LOWEST, HIGHEST)
        return probability


def _day_distance(one: np.datetime64, other: np.datetime64) -> float:
    """Days between two days of the year, the short way round."""
    first, second = (
        float((day - day.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D"))
        for day in (one.astype("datetime64[D]"), other.astype("datetime64[D]"))
    )
    apart = abs(first - second)
    return min(apart, YEAR - apart)
