"""A sandbox world: its land, its seasons, and where they are kept."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from firesat.errors import ConfigError, CorruptFileError
from firesat.sandbox.config import WorldConfig
from firesat.sandbox.law import store
from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.landscape import Landscape, create_landscape
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.season import Season, simulate_season
from firesat.sandbox.law.years import make_setting, scarred
from firesat.sandbox.observe.blind import unseeing


@dataclass(frozen=True, kw_only=True)
class World:
    """A region of an Earth whose law is known: hidden state, truth, and what observers look at.

    Parameters
    ----------
    config : WorldConfig
        What it was made from.
    landscape : Landscape
        The land before the first season.
    seasons : tuple of Season
        The truth, in the order of `config.seasons`.
    """

    config: WorldConfig
    landscape: Landscape
    seasons: tuple[Season, ...]

    @classmethod
    def create(cls, config: WorldConfig, progress: Callable[[str], None] | None = None) -> "World":
        """Let a world happen.

        Parameters
        ----------
        config : WorldConfig
            Its settings; the same settings give the same world.
        progress : callable, optional
            Told in words what is being made.

        Returns
        -------
        World
            Land and seasons.
        """
        tell = progress or _silent
        tell("sandbox: making the land")
        place = Place(region=config.region, crs=config.crs)
        start = create_landscape(place, config.seed, config.seasons[0])
        landscape, seasons = start, []
        for year in config.seasons:
            tell(f"sandbox: letting {year} happen")
            season = simulate_season(make_setting(config, place, landscape, year))
            seasons.append(season)
            landscape = scarred(landscape, season)
        return cls(config=config, landscape=start, seasons=tuple(seasons))

    @property
    def place(self) -> Place:
        """Where it is.

        Returns
        -------
        Place
            The grids.
        """
        return self.seasons[0].setting.place

    @property
    def geobox(self) -> GeoBox:
        """The 100 m cells.

        Returns
        -------
        GeoBox
            Y falls with the row.
        """
        return self.place.geobox

    def season(self, year: int) -> Season:
        """Find a season.

        Parameters
        ----------
        year : int
            One of `config.seasons`.

        Returns
        -------
        Season
            The truth of the year.

        Raises
        ------
        ConfigError
            If the world has no such year.
        """
        for season in self.seasons:
            if season.year == year:
                return season
        raise ConfigError(f"the sandbox has no {year}: its seasons are {self.config.seasons}")

    @cached_property
    def pictured(self) -> dict[int, Season]:
        """The seasons as Sentinel-2 takes pictures of them.

        Returns
        -------
        dict of int to Season
            By year: the truth; where `config.s2_blind`, one that knows nothing of it.
        """
        if not self.config.s2_blind:
            return {season.year: season for season in self.seasons}
        return {one.year: unseeing(one, self.config.cloudiness) for one in self.seasons}

    def nearest_season(self, year: int) -> Season:
        """Find the season of a year, or the nearest one.

        Parameters
        ----------
        year : int
            Any year.

        Returns
        -------
        Season
            The nearest, the earlier of two.
        """
        return min(self.seasons, key=lambda season: (abs(season.year - year), season.year))

    @cached_property
    def burnable(self) -> float:
        """Ground that can burn.

        Returns
        -------
        float
            Hectares of anything but water, rock and settlements.
        """
        cover = self.landscape.cover
        dead = np.isin(cover, (Cover.WATER, Cover.ROCK, Cover.BUILT))
        return float(self.seasons[0].cell_hectares[~dead].sum())

    def summary(self) -> pd.DataFrame:
        """Say how the seasons went; more fires than in nature are meant, and printed.

        Returns
        -------
        DataFrame
            By year: fires, mapped_fires (of a hectare and more), burned_ha, burned_fraction of
            the burnable ground, largest_ha, lightning_share of the fires,
            lightning_area_share, area_share_over_200ha.
        """
        rows = [_season_row(season, self.burnable) for season in self.seasons]
        return pd.DataFrame(rows).set_index("year")

    def save(self, path: Path) -> None:
        """Keep the world in a file, written aside and renamed.

        Parameters
        ----------
        path : Path
            Ends with ".npz".

        Raises
        ------
        ConfigError
            If the name ends otherwise.
        """
        if path.suffix != ".npz":
            raise ConfigError(f"a world is kept in an .npz file, not in {path.name}: rename it")
        arrays: store.Arrays = {"config": np.array(json.dumps(asdict(self.config)))}
        arrays |= store.flatten_landscape(self.landscape)
        for season in self.seasons:
            arrays |= store.flatten_season(season)
        part = path.with_suffix(".part.npz")
        np.savez(part, allow_pickle=False, **arrays)
        part.rename(path)

    @classmethod
    def load(cls, path: Path) -> "World":
        """Read a world back.

        Parameters
        ----------
        path : Path
            Written by `save`.

        Returns
        -------
        World
            Equal to what was saved.

        Raises
        ------
        CorruptFileError
            If the file is not a world, or one of another version.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return _rebuild(cls, {name: arrays[name] for name in arrays.files})
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise CorruptFileError(
                f"{path} is not a world of this version ({error}): delete it and create it again"
            ) from error


def _silent(_: str) -> None:
    """Say nothing."""


def _season_row(season: Season, burnable: float) -> dict[str, float]:
    """One line of the summary."""
    fires = season.fires
    area = fires["area_ha"]
    lightning = fires["cause"] == "lightning"
    total = max(float(area.sum()), 1e-9)
    return {
        "year": season.year,
        "fires": len(fires),
        "mapped_fires": int((fires["cells"] > 0).sum()),
        "burned_ha": float(area.sum()),
        "burned_fraction": float(area.sum()) / burnable,
        "largest_ha": float(area.max()) if len(fires) else 0.0,
        "lightning_share": float(lightning.mean()) if len(fires) else 0.0,
        "lightning_area_share": float(area[lightning].sum()) / total,
        "area_share_over_200ha": float(area[area > 200].sum()) / total,
    }


def _rebuild(cls: type[World], arrays: "store.Arrays") -> World:
    """Make a world from its flat arrays."""
    raw: dict[str, Any] = json.loads(str(arrays["config"]))
    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    config = WorldConfig(**(raw | lists))
    place = Place(region=config.region, crs=config.crs)
    start = store.unflatten_landscape(arrays)
    landscape, seasons = start, []
    for year in config.seasons:
        phenology = store.unflatten_phenology(year, arrays)
        setting = make_setting(config, place, landscape, year, phenology)
        season = store.unflatten_season(setting, arrays)
        seasons.append(season)
        landscape = scarred(landscape, season)
    return cls(config=config, landscape=start, seasons=tuple(seasons))
