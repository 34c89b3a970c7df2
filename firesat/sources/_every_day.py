"""The time axis of most sources."""

import numpy as np
from numpy.typing import NDArray


class EveryDay:
    """A source with a step for each fire day of the project."""

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Choose its time axis.

        Parameters
        ----------
        days : ndarray of datetime64[D]
            Fire days of the project.

        Returns
        -------
        ndarray of datetime64[D]
            The same days.
        """
        return days
