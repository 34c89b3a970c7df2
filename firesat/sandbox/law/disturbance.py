"""What happened before the first season: fires, cuts and insects."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.noise import Floats, rank, smooth_field

YEARS_KNOWN = 60
YEARLY_BURN = 0.006  # of the land; Canada's boreal shield burns about 0.3 to 1.2 % a year


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """Years of the last disturbance, 0 = none, and the insects' toll; (y, x) at 100 m.

    Parameters
    ----------
    burn_year, cut_year, attack_year : ndarray
        int16, calendar years.
    severity : ndarray
        float32, share of trees struck by insects, 0-1.
    """

    burn_year: NDArray[np.int16]
    cut_year: NDArray[np.int16]
    attack_year: NDArray[np.int16]
    severity: Floats


def disturb(
    cover: NDArray[np.uint8],
    road_distance: Floats,
    first_year: int,
    rng: np.random.Generator,
) -> Disturbance:
    """Burn, cut and infest the land.

    Parameters
    ----------
    cover : ndarray
        uint8 (y, x), undisturbed cover.
    road_distance : ndarray
        float32 (y, x), metres.
    first_year : int
        Everything happens before it.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Disturbance
        The last of each kind per cell.
    """
    burn_year = _old_fires(cover, first_year, rng)
    cut_year = _cuts(cover, road_distance, burn_year, first_year, rng)
    attack_year, severity = _insects(cover, burn_year, first_year, rng)
    attack_year[cut_year > 0] = 0
    return Disturbance(
        burn_year=burn_year,
        cut_year=cut_year,
        attack_year=attack_year,
        severity=np.where(attack_year > 0, severity, 0.0).astype(np.float32),
    )


def _old_fires(
    cover: NDArray[np.uint8], first_year: int, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Ragged old burns of a heavy-tailed size, until the land's turnover is met."""
    burn_year = np.zeros(cover.shape, dtype=np.int16)
    burnable = ~np.isin(cover, (Cover.WATER, Cover.ROCK))
    ragged = [smooth_field(rng, cover.shape, length=s, slope=2.2) for s in (40, 12)]
    left = YEARLY_BURN * YEARS_KNOWN * burnable.sum()
    years = []
    while left > 0:
        cells = min(60 * (1 + rng.pareto(0.9)), 0.06 * cover.size, max(left, 60.0))
        years.append((int(rng.integers(first_year - YEARS_KNOWN, first_year)), cells))
        left -= cells
    for year, cells in sorted(years):
        inside = _blob(cover.shape, cells, ragged, rng) & burnable
        burn_year[inside & (rng.random(cover.shape) > 0.04)] = year
    return burn_year


def _blob(
    shape: tuple[int, int], cells: float, ragged: list[Floats], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a ragged wind-driven patch of about so many cells."""
    angle, longer = rng.uniform(0, math.pi), rng.uniform(1.2, 2.6)
    y, x = np.ogrid[: shape[0], : shape[1]]
    dy, dx = y - rng.uniform(0, shape[0]), x - rng.uniform(0, shape[1])
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / longer
    across = dy * math.cos(angle) - dx * math.sin(angle)
    radius = math.sqrt(cells / (math.pi * longer))
    distance = np.sqrt(along**2 + across**2) / radius
    shift = rng.integers(0, shape[0]), rng.integers(0, shape[1])
    rough = 0.45 * np.roll(ragged[0], shift, (0, 1)) + 0.25 * np.roll(ragged[1], shift, (0, 1))
    return np.asarray(distance + rough < 1.0)


def _cuts(
    cover: NDArray[np.uint8],
    road_distance: Floats,
    burn_year: NDArray[np.int16],
    first_year: int,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Cutblocks of 15 to 60 ha in forest within 4 km of roads; they are the one square thing."""
    cut_year = np.zeros(cover.shape, dtype=np.int16)
    forest = np.isin(cover, (Cover.CONIFER, Cover.MIXED)) & (burn_year < first_year - 45)
    for _ in range(round(cover.size / 500)):
        row, column = (int(rng.integers(0, size)) for size in cover.shape)
        height, width = (int(n) for n in rng.integers(3, 9, size=2))
        block = (slice(row, row + height), slice(column, column + width))
        if road_distance[row, column] < 4000 and forest[block].mean() > 0.7:
            year = int(rng.integers(first_year - 20, first_year))
            cut_year[block] = np.where(forest[block], year, 0)
    return cut_year


def _insects(
    cover: NDArray[np.uint8],
    burn_year: NDArray[np.int16],
    first_year: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int16], Floats]:
    """Outbreaks that wander: patches of mature conifer, struck in neighbouring years."""
    mature = np.isin(cover, (Cover.CONIFER, Cover.MIXED)) & (burn_year < first_year - 40)
    patches = rank(
        smooth_field(rng, cover.shape, length=45, slope=3.0)
        + 0.5 * smooth_field(rng, cover.shape, length=6, slope=2.2)
    )
    wave = rank(smooth_field(rng, cover.shape, length=60, slope=3.0))
    attack = np.where(mature & (patches > 0.86), first_year - 4 + 7 * wave, 0)
    severity = np.clip(0.35 + 4.0 * (patches - 0.86), 0.0, 0.95)
    return attack.astype(np.int16), severity.astype(np.float32)
