"""What every product is given, and what it promises."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from odc.geo.geobox import GeoBox
from pyproj import Transformer

from firesat.grid import crs_of
from firesat.products.strips import Strip
from firesat.window import Window


@dataclass(frozen=True, kw_only=True)
class Issue:
    """One forecast: when it was issued, and by what.

    Parameters
    ----------
    day : str
        Issue day, ISO 8601; the forecast starts at 12:00 UTC of it.
    window : Window
        Days seen and days forecast.
    model : str
        Name of the network.
    checkpoint : str
        SHA-256 of the checkpoint file.
    regime : str
        Which weather the forecaster had: "hindsight", "protocol" or "operational".
    utc_offset : int
        Local standard time minus UTC at the region's centre, whole hours.
    version : str
        Of firesat.
    missing : tuple of str
        Groups that the forecaster reads and the cube lacks.
    note : str
        What who reads the files must know besides.
    forecasts : tuple of str
        Groups of forecast weather that it had, in operation.
    """

    day: str
    window: Window
    model: str
    checkpoint: str
    regime: str
    utc_offset: int
    version: str
    missing: tuple[str, ...] = ()
    note: str = ""
    forecasts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The stem of all its files.

        Returns
        -------
        str
            Such as "firesat_2023-07-05_p8d".
        """
        return f"firesat_{self.day}_p{self.window.horizon}d"

    @property
    def valid_time(self) -> tuple[datetime, datetime]:
        """Start and end of what is forecast; the start is the reference time.

        Returns
        -------
        tuple of datetime
            UTC.
        """
        return self.window.valid_time(self.day)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file that a product has written.

    Parameters
    ----------
    path : Path
        Where it stands.
    title : str
        What it is, in a few words.
    roles : tuple of str
        STAC roles, such as "data", "data-mask", "metadata" or "style".
    """

    path: Path
    title: str
    roles: tuple[str, ...]


class Product(Protocol):
    """One kind of map. One module each; none knows another."""

    def files(self, issue: Issue) -> list[Path]:
        """Name what :meth:`write` will write.

        Parameters
        ----------
        issue : Issue
            A forecast.

        Returns
        -------
        list of Path
            Relative to the output folder.
        """
        ...

    def write(
        self, strips: Iterable[Strip], cells: GeoBox, issue: Issue, folder: Path
    ) -> list[Asset]:
        """Write the product's files; each appears under its name only when it is whole.

        Parameters
        ----------
        strips : iterable of Strip
            The forecast from top to bottom, in order and without gaps.
        cells : GeoBox
            Cells of the map.
        issue : Issue
            What is forecast.
        folder : Path
            Output folder.

        Returns
        -------
        list of Asset
            One for each of :meth:`files`, in the same order.

        Raises
        ------
        ProductError
            If a file cannot be written as promised.
        """
        ...


def local_offset(cells: GeoBox) -> int:
    """Estimate local standard time at the centre of cells.

    Nautical zones of 15 degrees: the legal zone may differ by an hour, so products print the offset
    with every local time.

    Parameters
    ----------
    cells : GeoBox
        Any cells.

    Returns
    -------
    int
        Hours to add to UTC.
    """
    left, bottom, right, top = cells.boundingbox
    to_degrees = Transformer.from_crs(crs_of(cells).to_wkt(), "EPSG:4326", always_xy=True)
    longitude, _ = to_degrees.transform((left + right) / 2, (bottom + top) / 2)
    return round(float(longitude) / 15)
