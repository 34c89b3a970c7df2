"""The MODIS products that a world's archive holds."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from firesat.sandbox.servers.modis_layers import (
    BURNED_AREA,
    LEAF_AREA,
    VEGETATION,
    Layer,
    temperature,
)


@dataclass(frozen=True, kw_only=True)
class Product:
    """One MODIS land product.

    Parameters
    ----------
    name : str
        Short name.
    days : int
        Length of a composite; 0 = a calendar month.
    size : int
        Pixels of a tile's side.
    grid : str
        Name of the grid in the file.
    layers : tuple of Layer
        What it holds.
    """

    name: str
    days: int
    size: int
    grid: str
    layers: tuple[Layer, ...]

    def starts(self, year: int) -> Iterator[date]:
        """List the first days of its composites; they begin anew on each 1 January.

        Parameters
        ----------
        year : int
            A year.

        Yields
        ------
        date
            Rising.
        """
        if not self.days:
            yield from (date(year, month, 1) for month in range(1, 13))
            return
        for day in range(0, 365, self.days):
            yield date(year, 1, 1) + timedelta(days=day)

    def length(self, start: date) -> int:
        """Tell how long a composite is.

        Parameters
        ----------
        start : date
            Its first day.

        Returns
        -------
        int
            Days.
        """
        return self.days or monthrange(start.year, start.month)[1]


PRODUCTS = {
    product.name: product
    for product in (
        Product(
            name="MOD13A1", days=16, size=2400, grid="MODIS_Grid_16DAY_500m_VI", layers=VEGETATION
        ),
        Product(
            name="MOD11A2",
            days=8,
            size=1200,
            grid="MODIS_Grid_8Day_1km_LST",
            layers=temperature(0),
        ),
        Product(
            name="MOD11A1",
            days=1,
            size=1200,
            grid="MODIS_Grid_Daily_1km_LST",
            layers=temperature(3),
        ),
        Product(name="MOD15A2H", days=8, size=2400, grid="MOD_Grid_MOD15A2H", layers=LEAF_AREA),
        Product(
            name="MCD64A1",
            days=0,
            size=2400,
            grid="MOD_Grid_Monthly_500m_DB_BA",
            layers=BURNED_AREA,
        ),
    )
}
