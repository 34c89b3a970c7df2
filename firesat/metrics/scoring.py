"""Scoring maps as they stream by: one part of one issue day at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.grid import cell_area
from firesat.metrics.bootstrap import Blocks, Homes
from firesat.metrics.neighbourhood import Fractions
from firesat.metrics.tally import Cells, Tally


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Forecasts of one issue day on some cells, and what burned.

    Parameters
    ----------
    day : np.datetime64
        Issue day.
    cells : GeoBox
        Cells of a metric CRS.
    forecasts : dict of str to ndarray of float, shape (Y, X)
        0 to 1 each; NaN where a forecast has no value.
    burned : ndarray of bool, shape (Y, X)
        Whether each cell burns in the window.
    scored : ndarray of bool, shape (Y, X)
        Headline cells: at risk, burnable, label known.
    near : ndarray of bool, shape (Y, X)
        Near hotspots known at T.
    fire : ndarray of int, shape (Y, X)
        Number of the fire within the year; 0 = none.
    """

    day: np.datetime64
    cells: GeoBox
    forecasts: Mapping[str, NDArray[np.floating]]
    burned: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    near: NDArray[np.bool_]
    fire: NDArray[np.integer]


@lru_cache(maxsize=2)
def _area(cells: GeoBox) -> NDArray[np.float64]:
    """Ground area of cells: the same for every event and issue day of a part."""
    return cell_area(cells)


@dataclass
class Scoring:
    """Tallies of every forecast of one event, fed map by map; memory grows with blocks alone.

    Parameters
    ----------
    blocks : Blocks
        How space and time are cut.
    event : {"fire", "growth", "new"}
        What is forecast.
    ranks : frozenset of str
        Forecasts that rank cells without being probabilities.
    near, beyond : dict of str to Tally
        By forecast, cells near hotspots known at T and farther away.
    fractions : Fractions
        Errors of neighbourhood means; ranks have none.
    fires : dict of str to set
        By zone, year and number of the fires that burned.
    missing, missing_burned : int
        Headline cells left out because some forecast has no value there, and those that burned.
    """

    blocks: Blocks
    event: str = "fire"
    ranks: frozenset[str] = frozenset()
    near: dict[str, Tally] = field(default_factory=dict)
    beyond: dict[str, Tally] = field(default_factory=dict)
    fractions: Fractions = field(default_factory=Fractions)
    fires: dict[str, set[tuple[int, int]]] = field(
        default_factory=lambda: {"near": set(), "beyond": set()}
    )
    missing: int = 0
    missing_burned: int = 0
    _homes: Homes = field(default_factory=Homes)

    def add(self, maps: Maps) -> None:
        """Count one part of one issue day.

        Parameters
        ----------
        maps : Maps
            Forecasts and what burned.
        """
        scored = maps.scored.copy()
        for values in maps.forecasts.values():
            scored &= np.isfinite(values)
        self.missing += int((maps.scored & ~scored).sum())
        self.missing_burned += int((maps.scored & ~scored & maps.burned).sum())
        place = self.blocks.index(maps.cells, maps.day)
        fire, burned = maps.fire[scored].astype(np.int64), maps.burned[scored]
        cells = Cells(
            day=maps.day,
            burned=burned,
            area=_area(maps.cells)[scored],
            block=self._homes.settle(place[scored], burned, fire, maps.day),
        )
        self._count(maps, scored, cells)
        self._note_fires(maps, fire, burned, maps.near[scored])
        self._compare_neighbourhoods(maps, scored, place)

    def _count(self, maps: Maps, scored: NDArray[np.bool_], cells: Cells) -> None:
        """Count the cells of both zones for every forecast."""
        near = maps.near[scored]
        parts = ((self.near, near, cells.take(near)), (self.beyond, ~near, cells.take(~near)))
        for name, values in maps.forecasts.items():
            flat = values[scored]
            for tallies, chosen, part in parts:
                tallies.setdefault(name, Tally()).add(part, flat[chosen])

    def _note_fires(
        self,
        maps: Maps,
        fire: NDArray[np.int64],
        burned: NDArray[np.bool_],
        near: NDArray[np.bool_],
    ) -> None:
        """Remember which fires burned in each zone."""
        year = int(str(maps.day)[:4])
        for zone, chosen in (("near", near), ("beyond", ~near)):
            numbers = np.unique(fire[burned & chosen & (fire > 0)])
            self.fires[zone].update((year, int(number)) for number in numbers)

    def _compare_neighbourhoods(
        self, maps: Maps, scored: NDArray[np.bool_], place: NDArray[np.int64]
    ) -> None:
        """Sum the errors of neighbourhood means, for whole zones and the main event only."""
        if self.event == "fire" and scored.any():
            chances = {k: v for k, v in maps.forecasts.items() if k not in self.ranks}
            resolution = abs(maps.cells.resolution.x)
            self.fractions.add(chances, maps.burned, scored, place, resolution)

    def zone(self, name: str) -> dict[str, Tally]:
        """Give the tallies of a zone.

        Parameters
        ----------
        name : {"all", "near", "beyond"}
            Which cells.

        Returns
        -------
        dict of str to Tally
            By forecast.
        """
        if name == "near":
            return self.near
        if name == "beyond":
            return self.beyond
        return {key: self.near[key] + self.beyond[key] for key in self.near}

    def fires_in(self, zone: str) -> int:
        """Count the fires that burned in a zone.

        Parameters
        ----------
        zone : {"all", "near", "beyond"}
            Which cells.

        Returns
        -------
        int
            Distinct fires.
        """
        return len(self.fires.get(zone, self.fires["near"] | self.fires["beyond"]))
