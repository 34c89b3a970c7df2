"""Forecasts as they were published: GeoTIFFs, read back window by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as Pixels

from firesat.errors import ConfigError, ProductError
from firesat.grid import crs_of
from firesat.products.strips import State
from firesat.raster import open_raster
from firesat.window import Period, Window, all_days

BANDS = ("p_fire", "p_growth", "p_new")
_SAME = ("regime", "weather_forecasts", "horizon", "model", "checkpoint_sha256")
_NEVER = (State.CANNOT_BURN, State.ALREADY_BURNT, State.SNOW_COVERED)

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Published:
    """The map of one issue day.

    Parameters
    ----------
    day : np.datetime64
        Issue day.
    path : Path
        The probability map.
    mask : Path
        The map that says why a cell has no probability.
    tags : dict of str
        What the file says of itself.
    """

    day: np.datetime64
    path: Path
    mask: Path
    tags: dict[str, str]

    @property
    def window(self) -> Window:
        """What is forecast.

        Returns
        -------
        Window
            With the horizon of the map.
        """
        return Window(horizon=int(self.tags["horizon"].strip("PD")))

    def read(self, cells: GeoBox) -> dict[str, Probabilities]:
        """Read the probabilities of some cells.

        A cell that the mask calls unable to burn, already burnt or snow-covered is a forecast too:
        that it will not burn.

        Parameters
        ----------
        cells : GeoBox
            Cells on the map's own lines.

        Returns
        -------
        dict of str to ndarray of float32, shape (Y, X)
            By name of the band; NaN where the map abstains or ends.

        Raises
        ------
        ProductError
            If the map lies on other lines, or in another CRS.
        """
        bands = _read(self.path, cells, np.nan)
        if not self.mask.is_file():
            return dict(zip(BANDS, bands, strict=True))
        state = _read(self.mask, cells, State.NOT_EVALUATED)[0]
        spared = np.isin(state, _NEVER)
        return {
            name: np.where(spared, np.float32(0.0), values)
            for name, values in zip(BANDS, bands, strict=True)
        }


def _read(path: Path, cells: GeoBox, outside: float) -> NDArray[np.float32]:
    """The bands of a file over some cells."""
    with open_raster(path) as source:
        row, column = _offset(source, cells)
        height, width = cells.shape
        out = np.full((source.count, height, width), outside, dtype=np.float32)
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + height, source.height), min(column + width, source.width)
        if bottom > top and right > left:
            pixels = Pixels(left, top, right - left, bottom - top)
            values = source.read(window=pixels, masked=True, out_dtype="float32")
            where = np.s_[:, top - row : bottom - row, left - column : right - column]
            out[where] = values.filled(np.nan)
        return out


def _offset(source: rasterio.DatasetReader, cells: GeoBox) -> tuple[int, int]:
    """Row and column of the map's pixel under the first cell."""
    a, b = cells.affine, source.transform
    row, column = (a.f - b.f) / b.e, (a.c - b.c) / b.a
    same = source.crs is not None and source.crs == rasterio.crs.CRS.from_wkt(
        crs_of(cells).to_wkt()
    )
    on_lines = max(abs(row - round(row)), abs(column - round(column))) < 1e-3
    if not same or not on_lines or abs(a.a - b.a) > 1e-6:
        raise ProductError(
            f"{source.name} does not lie on the cube's cells: it was made with another grid; "
            "predict again with this config"
        )
    return round(row), round(column)


def find(folder: Path) -> list[Published]:
    """List the forecasts of a folder.

    Parameters
    ----------
    folder : Path
        Output of ``firesat predict``.

    Returns
    -------
    list of Published
        In order of time.

    Raises
    ------
    ConfigError
        If there is none, or they were made by different models or for different horizons.
    """
    found = [made for path in sorted(folder.glob("*.tif")) if (made := _published(path))]
    if not found:
        raise ConfigError(f"there is no forecast in {folder}: make some with firesat predict")
    for key in _SAME:
        kinds = sorted({made.tags.get(key, "") for made in found})
        if len(kinds) > 1:
            raise ConfigError(
                f"the forecasts in {folder} differ in {key} ({', '.join(kinds)}): keep each kind "
                "in a folder of its own"
            )
    return sorted(found, key=lambda made: made.day)


def _published(path: Path) -> Published | None:
    """A forecast, or None for any other raster."""
    with open_raster(path) as source:
        tags = source.tags()
        if tuple(source.descriptions) != BANDS or "reference_time" not in tags:
            return None
    day = np.datetime64(tags["reference_time"][:10], "D")
    return Published(
        day=day, path=path, mask=path.parent / "masks" / f"{path.stem}_mask.tif", tags=tags
    )


def unseen(
    forecasts: Sequence[Published], learned: Sequence[Sequence[Period]]
) -> tuple[list[Published], list[Published]]:
    """Set apart the forecasts whose windows reach into the training periods.

    Parameters
    ----------
    forecasts : sequence of Published
        In order of time.
    learned : sequence of sequence of Period
        What the model, the baselines or the calibration were fitted on, split by split.

    Returns
    -------
    list of Published
        To be scored.
    list of Published
        Seen in training.

    Raises
    ------
    ConfigError
        If none is left, or the windows of two overlap.
    """
    known = {day for periods in learned for day in all_days(list(periods)).tolist()}
    seen = [made for made in forecasts if known & set(made.window.fire_days(_day(made)).tolist())]
    fresh = [made for made in forecasts if made not in seen]
    if not fresh:
        raise ConfigError(
            "every forecast lies in the training periods, where scores mean nothing: predict days "
            "of a season that the model has not seen"
        )
    for before, after in pairwise(fresh):
        apart = int((after.day - before.day) / np.timedelta64(1, "D"))
        if apart < before.window.horizon:
            raise ConfigError(
                f"the forecasts of {before.day} and {after.day} are {apart} days apart and their "
                f"{before.window.horizon}-day windows overlap: score issue days at least "
                f"{before.window.horizon} apart"
            )
    return fresh, seen


def _day(made: Published) -> str:
    """Issue day, ISO 8601."""
    return str(made.day)
