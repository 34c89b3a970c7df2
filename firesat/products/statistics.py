"""Statistics of a band, exact and in one pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(kw_only=True)
class Statistics:
    """Running count, extremes, mean and spread; parts are merged by Chan, Golub and LeVeque (1983).

    Parameters
    ----------
    cells : int
        All cells so far.
    count : int
        Valid ones.
    minimum, maximum : float
        Of the valid ones; infinite without any.
    mean : float
        Of the valid ones.
    squares : float
        Sum of their squared distances from the mean.
    """

    cells: int = 0
    count: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: NDArray[np.float64], valid: NDArray[np.bool_]) -> None:
        """Count some cells.

        Parameters
        ----------
        values : ndarray of float
            As stored.
        valid : ndarray of bool
            Same shape; True where there is a value.
        """
        self.cells += values.size
        known = values[valid]
        if known.size == 0:
            return
        mean = float(known.mean())
        total = self.count + known.size
        step = mean - self.mean
        self.squares += float(((known - mean) ** 2).sum()) + step**2 * self.count * (
            known.size / total
        )
        self.mean += step * known.size / total
        self.count = total
        self.minimum = min(self.minimum, float(known.min()))
        self.maximum = max(self.maximum, float(known.max()))

    def within(self, valid_range: tuple[float, float]) -> bool:
        """Tell whether every value so far is possible.

        Parameters
        ----------
        valid_range : tuple of float
            Smallest and largest possible value.

        Returns
        -------
        bool
            True without any value.
        """
        low, high = valid_range
        return self.count == 0 or bool(low <= self.minimum and self.maximum <= high)

    def tags(self) -> dict[str, str]:
        """Write them as GDAL's band metadata.

        Returns
        -------
        dict of str
            All digits, so that they read back to the same float; without a value only the share of
            valid cells.
        """
        share = 100.0 * self.count / self.cells if self.cells else 0.0
        tags = {"STATISTICS_VALID_PERCENT": f"{share:.6g}"}
        if self.count:
            tags |= {
                "STATISTICS_MINIMUM": repr(self.minimum),
                "STATISTICS_MAXIMUM": repr(self.maximum),
                "STATISTICS_MEAN": repr(self.mean),
                "STATISTICS_STDDEV": repr((self.squares / self.count) ** 0.5),
            }
        return tags
