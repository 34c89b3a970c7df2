"""The best that can be known at T: how often a cell burns when the law goes on from hidden state.

``p_state`` of a cell is P(it burns in (T, T + horizon] | everything hidden at T), over fresh draws
of weather, ignition, spread and suppression. Plain draws: what starts only after T is rare, so that
its part is rough; two halves that know nothing of each other tell how rough. For scores alone.
"""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law import clock
from firesat.sandbox.law.advance import advance
from firesat.sandbox.law.season import Season
from firesat.sandbox.law.state import State
from firesat.sandbox.law.weather import next_day
from firesat.sandbox.world import World

HALVES = 2
PROCESSES = ("growth", "new")

Counts = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Chances:
    """How often each cell burned in fresh draws from one day's hidden state.

    Parameters
    ----------
    counts : ndarray of int32, shape (2, 2, Y, X)
        By half, then by process: fires that burned at T, and those that flared up after it.
    draws : int
        Of each half.
    """

    counts: Counts
    draws: int

    def half(self, number: int, process: str | None = None) -> NDArray[np.float64]:
        """Give the share of a half's draws in which each cell burned.

        Parameters
        ----------
        number : {0, 1}
            Which half.
        process : {"growth", "new"}, optional
            By one process; default by either.

        Returns
        -------
        ndarray of float64, shape (Y, X)
            0..1, in steps of 1 / `draws`.
        """
        counts = self.counts[number]
        chosen = counts.sum(axis=0) if process is None else counts[PROCESSES.index(process)]
        share: NDArray[np.float64] = chosen / self.draws
        return share


def chances(season: Season, day: str, horizon: int, draws: int, seed: int) -> Chances:
    """Let a day's window happen again and again.

    Parameters
    ----------
    season : Season
        The truth of the year.
    day : str
        Issue day; T is 12 UTC of it.
    horizon : int
        Days of the window.
    draws : int
        Of each half.
    seed : int
        Of the draws.

    Returns
    -------
    Chances
        Counted.
    """
    start = season.state(clock.day_index(date.fromisoformat(day)))
    counts = np.zeros((HALVES, len(PROCESSES), *start.burn_hour.shape), dtype=np.int32)
    for half in range(HALVES):
        for draw in range(draws):
            rng = np.random.default_rng([seed, int(start.hour), half, draw])
            for process, burned in enumerate(_burned(start, horizon, rng)):
                counts[half, process] += burned
    return Chances(counts=counts, draws=draws)


def _burned(
    start: State, horizon: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells that burn in one draw, by fires that burned at T and by others."""
    state = start
    for _ in range(horizon):
        weather = next_day(state.setting.air, state.sky, state.hour, rng)
        state = advance(state, weather, rng)
    burned = np.isnan(start.burn_hour) & ~np.isnan(state.burn_hour)
    old = np.isin(state.fire_id, start.fires["id"])
    return burned & old, burned & ~old


def kept_chances(world: World, day: str, horizon: int, draws: int, folder: Path) -> Chances:
    """Give the chances of a day, computed once and kept beside the world.

    Parameters
    ----------
    world : World
        The sandbox's Earth.
    day : str
        Issue day.
    horizon, draws : int
        As :func:`chances`.
    folder : Path
        Of the kept ones; written aside and renamed.

    Returns
    -------
    Chances
        The same every time.
    """
    path = folder / f"{day}_{horizon}d_{draws}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as found:
            return Chances(counts=found["counts"], draws=draws)
    made = chances(world.season(int(day[:4])), day, horizon, draws, world.config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part.npz")  # two may want the same day
    np.savez_compressed(part, allow_pickle=False, counts=made.counts)
    part.rename(path)
    return made
