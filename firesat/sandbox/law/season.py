"""A season as it went: enough to take up the hidden state again on any of its days."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.grid import cell_area
from firesat.sandbox.law import clock
from firesat.sandbox.law.advance import realise
from firesat.sandbox.law.ignition import LIGHTNING
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.law.place import CELL
from firesat.sandbox.law.state import Setting, State, first_state
from firesat.sandbox.law.vegetation import Surface, surface_at
from firesat.sandbox.law.weather import FIELDS, Sky, WeatherDay


@dataclass(frozen=True, kw_only=True)
class Ragged:
    """Arrays of different lengths, one after the other.

    Parameters
    ----------
    values : ndarray
        All rows.
    offsets : ndarray
        int64 (n + 1,), where each array begins.
    """

    values: NDArray[np.generic]
    offsets: NDArray[np.int64]

    @classmethod
    def pack(cls, parts: "list[NDArray[np.generic]]") -> "Ragged":
        """Join arrays.

        Parameters
        ----------
        parts : list of ndarray
            Equal but for the first dimension.

        Returns
        -------
        Ragged
            The same, joined.
        """
        offsets = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        return cls(values=np.concatenate(parts), offsets=offsets)

    def __getitem__(self, index: int) -> "NDArray[np.generic]":
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, kw_only=True)
class Season:
    """What happened from 31 March 12 UTC (day 0) to 1 November 12 UTC: the truth.

    Parameters
    ----------
    setting : Setting
        Place, climate, land and plants of the year.
    weather : dict of ndarray
        By `weather.FIELDS`: float16 (hour, weather_y, weather_x), see `weather.WeatherDay`.
    flashes, fronts, embers, active, progress : Ragged
        By day: see `WeatherDay`, `Sky` and `State`.
    slow : ndarray
        float64 (day + 1, 6), see `Sky`.
    eddies : ndarray
        float32 (day + 1, 4, weather_y, weather_x), see `Sky`.
    moisture : ndarray
        float32 (day + 1, 3, 3, km_y, km_x), see `State`.
    snow : ndarray
        float32 (day + 1, weather_y, weather_x), mm of water.
    burn_hour : ndarray
        float32 (y, x), hours since 1 May 00 UTC at which a cell burnt; NaN = it did not.
    fire_id : ndarray
        int32 (y, x), 0 = none.
    records : ndarray
        Structured `state.FIRES`, by id from 1.
    """

    setting: Setting
    weather: dict[str, NDArray[np.float16]]
    flashes: Ragged
    slow: NDArray[np.float64]
    fronts: Ragged
    eddies: Floats
    moisture: Floats
    snow: Floats
    embers: Ragged
    active: Ragged
    progress: Ragged
    burn_hour: Floats
    fire_id: NDArray[np.int32]
    records: NDArray[np.void]

    @property
    def year(self) -> int:
        """The season's year.

        Returns
        -------
        int
            Calendar year.
        """
        return self.setting.air.year

    def sky(self, day: int) -> Sky:
        """Take up the memory of the weather.

        Parameters
        ----------
        day : int
            0 to 215: at 12 UTC of 31 March and the days after.

        Returns
        -------
        Sky
            As it was.
        """
        fronts = np.asarray(self.fronts[day], dtype=np.float64)
        return Sky(slow=self.slow[day], fronts=fronts, eddies=self.eddies[day])

    def weather_day(self, day: int) -> WeatherDay:
        """Take up the weather of a day.

        Parameters
        ----------
        day : int
            0 to 214, from 12 UTC of 31 March and the days after.

        Returns
        -------
        WeatherDay
            As it was.
        """
        hours = slice(24 * day, 24 * day + 24)
        return WeatherDay(
            hour=clock.FIRST_HOUR + 24.0 * day,
            flashes=np.asarray(self.flashes[day], dtype=np.float64),
            after=self.sky(day + 1),
            **{name: self.weather[name][hours] for name in FIELDS},
        )

    def state(self, day: int) -> State:
        """Take up everything hidden at 12 UTC of a day.

        Parameters
        ----------
        day : int
            0 to 215, see `clock.day_index`.

        Returns
        -------
        State
            From which `advance.realise` goes on as history did.
        """
        hour = clock.FIRST_HOUR + 24.0 * day
        burnt = self.burn_hour <= hour  # False where NaN
        return State(
            setting=self.setting,
            hour=hour,
            sky=self.sky(day),
            snow=self.snow[day],
            moisture=self.moisture[day],
            embers=np.asarray(self.embers[day], dtype=np.float64),
            active=np.asarray(self.active[day], dtype=np.int64),
            progress=np.asarray(self.progress[day], dtype=np.float32),
            burn_hour=np.where(burnt, self.burn_hour, np.nan).astype(np.float32),
            fire_id=np.where(burnt, self.fire_id, 0).astype(np.int32),
            fires=_known(self.records, hour),
        )

    def surface(self, moment: datetime) -> Surface:
        """Compute the hidden surface of a moment, held outside the simulated months.

        Parameters
        ----------
        moment : datetime
            With a time zone.

        Returns
        -------
        Surface
            Plants and moisture at 100 m, moisture as of 12 UTC.
        """
        hours = min(max(clock.to_hours(moment), clock.FIRST_HOUR), clock.LAST_HOUR)
        day = clock.day_index(moment.date())
        setting = self.setting
        when = (self.year, hours)
        return surface_at(setting.landscape.site, setting.phenology, self.moisture[day], when)

    @cached_property
    def cell_hectares(self) -> NDArray[np.float64]:
        """True ground area of the cells.

        Returns
        -------
        ndarray
            float64 (y, x), hectares.
        """
        return cell_area(self.setting.place.geobox) / 10_000.0

    @cached_property
    def fires(self) -> pd.DataFrame:
        """The fires, those that left no mark on the map included.

        Returns
        -------
        DataFrame
            id, cause ("lightning" or "human"), start and end (UTC), x and y in metres of the
            start, area_ha, cells (0 for a fire put out below a hectare), escaped.
        """
        count = len(self.records)
        flat = self.fire_id.ravel()
        area = np.bincount(flat, weights=self.cell_hectares.ravel(), minlength=count + 1)[1:]
        cells = np.bincount(flat, minlength=count + 1)[1:]
        row, column = np.divmod(self.records["cell"], self.fire_id.shape[1])
        zero = pd.Timestamp(clock.epoch(self.year))
        end = np.where(np.isnan(self.records["end"]), clock.LAST_HOUR, self.records["end"])
        table = pd.DataFrame(
            {
                "id": self.records["id"],
                "cause": np.where(self.records["cause"] == LIGHTNING, "lightning", "human"),
                "start": zero + pd.to_timedelta(self.records["start"], unit="h"),
                "end": zero + pd.to_timedelta(end, unit="h"),
                "x": self.setting.place.region[0] + CELL * (column + 0.5),
                "y": self.setting.place.region[3] - CELL * (row + 0.5),
                "area_ha": area + self.records["spot_ha"],
                "cells": cells,
                "escaped": self.records["escaped"],
            }
        )
        return table[table["area_ha"] > 0].reset_index(drop=True)


def _known(records: NDArray[np.void], hour: float) -> NDArray[np.void]:
    """Fires as they stood at an hour: later controls and ends had not happened."""
    known = records[records["start"] <= hour].copy()
    known["end"][known["end"] > hour] = np.nan
    spots = known["spot_ha"] > 0
    known["end"][spots] = records["end"][records["start"] <= hour][spots]
    known["control"][known["escaped"] & (known["control"] >= hour)] = np.inf
    return known


def simulate_season(setting: Setting) -> Season:
    """Let a season happen.

    Parameters
    ----------
    setting : Setting
        Place, climate, land and plants.

    Returns
    -------
    Season
        The truth.
    """
    state = first_state(setting)
    states, days = [_light(state)], []
    for _ in range(clock.DAYS):
        state, weather = realise(state)
        states.append(_light(state))
        days.append(weather)
    return Season(
        setting=setting,
        weather={name: np.concatenate([getattr(day, name) for day in days]) for name in FIELDS},
        flashes=Ragged.pack([day.flashes for day in days]),
        slow=np.stack([state.sky.slow for state in states]),
        fronts=Ragged.pack([state.sky.fronts for state in states]),
        eddies=np.stack([state.sky.eddies for state in states]),
        moisture=np.stack([state.moisture for state in states]),
        snow=np.stack([state.snow for state in states]),
        embers=Ragged.pack([state.embers for state in states]),
        active=Ragged.pack([state.active for state in states]),
        progress=Ragged.pack([state.progress for state in states]),
        burn_hour=state.burn_hour,
        fire_id=state.fire_id,
        records=state.fires,
    )


def _light(state: State) -> State:
    """Drop the maps from a state: the last one holds what all of them did."""
    return replace(state, burn_hour=state.burn_hour[:0], fire_id=state.fire_id[:0])
