"""What decides the strata of a panel's chips, day by day. No reflectance is read."""

from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.batch import HEADS
from firesat.samples.frames import enough
from firesat.samples.inputs import Inputs
from firesat.samples.region import Region
from firesat.samples.settings import SampleSettings
from firesat.samples.truth import WATER, Truth, truth
from firesat.samples.views import Views, box_sums
from firesat.sampling import Facts, Panel, chips_with

_DAY = np.timedelta64(1, "D")
_HALF_KM = 5  # cells of 100 m

Fires = list[list[int]]
"""Numbers of the fires in each chip, those with most cells first."""


class PanelFacts:
    """Chips of a panel, seen through labels, hotspots, fuel, fire weather and cloud masks.

    Parameters
    ----------
    region : Region
        The cube over the panel's cells.
    panel : Panel
        Its chips.
    settings : SampleSettings
        Sizes and rules.
    """

    def __init__(self, region: Region, panel: Panel, settings: SampleSettings) -> None:
        self._region, self._panel, self._settings = region, panel, settings
        self._size = settings.chip
        self._burnt: dict[str, _Burnt] = {}

    @property
    def _inputs(self) -> Inputs:
        """What a chip holds."""
        return self._settings.inputs

    def fires(self, day: str) -> Fires:
        """List the fires that burn, or may burn, a part of each chip within the window.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        list of list of int
            One list a chip.
        """
        burnt = self._burnt_in(day)
        found = self._truth(day).fire_id[0]
        names, counts = np.unique(found[found > 0]), []
        for name in names:
            here = found == name
            counts.append(chips_with((burnt.rows[here], burnt.cols[here]), self._panel, self._size))
        if not len(names):
            return [[] for _ in self._panel.origins]
        table = np.stack(counts, axis=1)
        return [[int(names[i]) for i in np.lexsort((names, -row)) if row[i]] for row in table]

    def facts(self, day: str) -> Facts:
        """Tell what decides the strata.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        Facts
            Of all chips.
        """
        label = self._truth(day).label.astype(bool)[:, 0]
        return Facts(
            burns=self._touched(day, label.any(axis=0)),
            grows=self._touched(day, label[HEADS.index("growth")]),
            near=self._near(day),
            fuel=self._fuel(day),
            fwi=self._fwi(day),
        )

    def _touched(self, day: str, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Chips that hold some of the year's burnt cells."""
        burnt = self._burnt_in(day)
        cells = burnt.rows[which], burnt.cols[which]
        return chips_with(cells, self._panel, self._size) > 0

    def looks(self, day: str) -> NDArray[np.int64]:
        """Count the scenes in hand at T that show at least half of a chip.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of int64, shape (chips,)
            Where frames are chosen chip by chip, of those that may be chosen.
        """
        if self._views is None:
            return np.zeros(len(self._panel.origins), dtype=np.int64)
        _, valid = self._views.valid(day, self._inputs)
        return valid.sum(axis=0)

    def complete(self, day: str) -> NDArray[np.bool_]:
        """Tell which chips have the scenes that they must have.

        Parameters
        ----------
        day : str
            Issue day.

        Returns
        -------
        ndarray of bool, shape (chips,)
            All, where looks are taken cell by cell.
        """
        if self._inputs.frames is None:
            return np.ones(len(self._panel.origins), dtype=bool)
        if self._views is None:
            return np.zeros(len(self._panel.origins), dtype=bool)
        ages, valid = self._views.valid(day, self._inputs)
        return enough(ages, valid, self._inputs.frames)

    @cached_property
    def _views(self) -> Views | None:
        """Cloud masks; none where the cube has no Sentinel-2."""
        piece = self._region.opened.sentinel2
        return None if piece is None else Views(piece, self._panel, self._size)

    def _burnt_in(self, day: str) -> "_Burnt":
        """Burnt cells of the year."""
        year = day[:4]
        if year not in self._burnt:
            season = self._region.season(year)
            rows, cols = np.nonzero(season["fraction"].values >= self._inputs.burnt)
            at = (xr.DataArray(index, dims="cell") for index in (rows, cols))
            picked = season.isel(dict(zip(("y", "x"), at, strict=True)))
            # the rules of labels ask for two dimensions
            line = xr.Dataset({n: (("y", "x"), v.values[None]) for n, v in picked.items()})
            self._burnt[year] = _Burnt(rows, cols, line)
        return self._burnt[year]

    def _truth(self, day: str) -> Truth:
        """What burns, of the year's burnt cells alone; all others have label 0."""
        burnt = self._burnt_in(day)
        water = self._region.ground.map("water", day)[burnt.rows, burnt.cols][None]
        return truth(burnt.line, water, day, self._inputs.window, self._inputs.burnt)

    def _near(self, day: str) -> NDArray[np.bool_]:
        """Chips that touch ground near a known fire."""
        near = self._region.heat.near(day, self._settings.near_km)
        fine = near.repeat(_HALF_KM, axis=0).repeat(_HALF_KM, axis=1)
        return box_sums(fine, self._panel.origins, self._size) > 0

    def _fuel(self, day: str) -> NDArray[np.int64]:
        """Commonest land cover of each chip's land; of all of it where there is no land; 0 = none.

        The mode, not the largest code: a maximum would call every chip with a lake water.
        """
        fuel = self._region.ground.map("fuel", day)
        if id(fuel) not in self._fuels:
            self._fuels.clear()
            land = ~(self._region.ground.map("water", day) > WATER)
            known = np.nan_to_num(fuel, nan=0.0).astype(np.int64)
            self._fuels[id(fuel)] = self._modes(known, land)
        return self._fuels[id(fuel)]

    @cached_property
    def _fuels(self) -> dict[int, NDArray[np.int64]]:
        """Land cover of the chips, for the map in hand."""
        return {}

    def _modes(self, known: NDArray[np.int64], land: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The commonest value in each chip, the smallest of equals."""
        modes = []
        for row, col in self._panel.origins:
            part = np.s_[row : row + self._size, col : col + self._size]
            values = known[part][land[part]]
            counts = np.bincount(values if values.size else known[part].ravel())
            modes.append(int(counts.argmax()))
        return np.array(modes)

    def _fwi(self, day: str) -> NDArray[np.float32]:
        """Mean index of the days before T, of the weather cell at each chip's middle."""
        days, table = self._index
        issue = np.datetime64(day, "D")
        before = (days < issue) & (days >= issue - self._settings.match.fwi_days * _DAY)
        values = table[before]
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=0)
        number = known.sum(axis=0)
        mean = np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)
        return np.asarray(mean, dtype=np.float32)

    @cached_property
    def _index(self) -> tuple[NDArray[np.datetime64], NDArray[np.float32]]:
        """Days, and the index at each chip's middle on each of them, (days, chips)."""
        middles = np.array(self._panel.origins, dtype=np.int64) + self._size // 2
        return self._region.atmosphere.index_at(middles)


class _Burnt:
    """Burnt cells of a season: their places, and their labels in one line."""

    def __init__(self, rows: NDArray[np.intp], cols: NDArray[np.intp], line: xr.Dataset) -> None:
        self.rows, self.cols, self.line = rows, cols, line
