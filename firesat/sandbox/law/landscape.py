"""The land: relief, lakes, bogs, forest, old scars, cuts, insects and roads at 100 m."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from firesat.sandbox.law.cover import Cover
from firesat.sandbox.law.disturbance import Disturbance, disturb
from firesat.sandbox.law.noise import Floats, rank, smooth_field, stream
from firesat.sandbox.law.place import Place
from firesat.sandbox.law.roads import Roads, build_roads
from firesat.sandbox.law.served import served_map

LAND, PEOPLE, PAST, SERVED = 1, 2, 3, 4  # random streams


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """What changes from year to year at most; every array is (y, x) at 100 m.

    Parameters
    ----------
    elevation : ndarray
        float32, metres.
    cover : ndarray
        uint8, codes of `Cover`, true at the start of the first season.
    density : ndarray
        float32, canopy closure 0-1.
    load : ndarray
        float32, surface fuel against the usual of its cover, about 0.5-2.
    site : ndarray
        float32, 0 = wet and sheltered, 1 = dry and exposed.
    burn_year, cut_year : ndarray
        int16, the year of the last fire or cut, 0 = none known.
    attack_year : ndarray
        int16, the year in which bark beetle or budworm struck, 0 = never.
    severity : ndarray
        float32, share of trees struck, 0-1.
    road_distance : ndarray
        float32, metres to the nearest road.
    people : ndarray
        float32, relative pressure of people who may start fires, 0-1.
    fuel_map : ndarray
        uint8, codes of `Cover`: the map that is served, stale and partly wrong.
    """

    elevation: Floats
    cover: NDArray[np.uint8]
    density: Floats
    load: Floats
    site: Floats
    burn_year: NDArray[np.int16]
    cut_year: NDArray[np.int16]
    attack_year: NDArray[np.int16]
    severity: Floats
    road_distance: Floats
    people: Floats
    fuel_map: NDArray[np.uint8]


def create_landscape(place: Place, seed: int, first_year: int) -> Landscape:
    """Make a region of the boreal shield.

    Parameters
    ----------
    place : Place
        Where.
    seed : int
        The world's seed.
    first_year : int
        The first season: disturbances lie before it.

    Returns
    -------
    Landscape
        The truth, and the served fuel map beside it.
    """
    rng = stream(seed, LAND)
    elevation, lowness = _relief(place, rng)
    cover = _cover(place, rng, elevation, lowness)
    elevation = _flatten_lakes(elevation, cover == Cover.WATER)
    roads = build_roads(place, cover == Cover.WATER, stream(seed, PEOPLE))
    past = disturb(cover, roads.distance, first_year, stream(seed, PAST))
    cover = _apply(cover, past, roads, first_year)
    site = _site(place, rng, elevation, lowness)
    density, load = _stand(place, rng, site, past, first_year)
    return Landscape(
        elevation=elevation,
        cover=cover,
        density=density,
        load=load,
        site=site,
        burn_year=past.burn_year,
        cut_year=past.cut_year,
        attack_year=past.attack_year,
        severity=past.severity,
        road_distance=roads.distance,
        people=roads.people,
        fuel_map=served_map(cover, past, first_year, stream(seed, SERVED)),
    )


def _relief(place: Place, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Elevation in metres, and how low each cell lies against its neighbourhood."""
    shape = place.shape
    regional = smooth_field(rng, shape, length=150, slope=3.0)
    ridges = smooth_field(rng, shape, length=22, slope=2.4, stretch=2.2)
    small = smooth_field(rng, shape, length=6, slope=2.2, stretch=1.6)
    elevation = 240 + 32 * regional + 13 * ridges + 4 * small
    low = ndimage.gaussian_filter(elevation, 25) - elevation
    return elevation.astype(np.float32), np.asarray(low / low.std(), dtype=np.float32)


def _cover(
    place: Place, rng: np.random.Generator, elevation: Floats, lowness: Floats
) -> NDArray[np.uint8]:
    """Undisturbed cover: lakes in the lows, bogs around them, rock on knobs, forest elsewhere."""
    rough = smooth_field(rng, place.shape, length=8, slope=2.5, stretch=1.5)
    cover = np.full(place.shape, Cover.CONIFER, dtype=np.uint8)
    broad = smooth_field(rng, place.shape, length=20, slope=2.6)
    sunny = _southness(elevation)
    leafy = rank(broad + 0.35 * sunny - 0.35 * lowness)
    cover[leafy > 0.80] = Cover.MIXED
    cover[leafy > 0.91] = Cover.DECIDUOUS
    open_land = rank(smooth_field(rng, place.shape, length=5, slope=2.2) + 0.3 * lowness)
    cover[open_land > 0.965] = Cover.GRASS
    wet = rank(lowness + 0.55 * rough)
    cover[wet > 0.70] = Cover.WETLAND
    cover[rank(-lowness + 0.8 * rough) > 0.965] = Cover.ROCK
    lakes = ndimage.binary_opening(rank(lowness + 0.3 * rough) > 0.865, np.ones((2, 2)))
    cover[lakes] = Cover.WATER
    return cover


def _southness(elevation: Floats) -> Floats:
    """Slope toward the south, standardised; rows run to the south."""
    fall = -np.gradient(ndimage.gaussian_filter(elevation, 2), axis=0)
    return np.asarray(fall / max(float(fall.std()), 1e-9), dtype=np.float32)


def _flatten_lakes(elevation: Floats, water: NDArray[np.bool_]) -> Floats:
    """Give every lake one level, its lowest shore."""
    lakes, count = ndimage.label(water)
    if count == 0:
        return elevation
    level = ndimage.minimum(elevation, lakes, np.arange(1, count + 1))
    return np.where(water, np.append(0.0, level)[lakes], elevation).astype(np.float32)


def _apply(
    cover: NDArray[np.uint8], past: Disturbance, roads: Roads, first_year: int
) -> NDArray[np.uint8]:
    """Cover after fires, cuts and people."""
    cover = cover.copy()
    cover[past.burn_year > first_year - 20] = Cover.SCAR
    cover[past.cut_year > first_year - 15] = Cover.HARVEST
    cover[roads.built] = Cover.BUILT
    return cover


def _site(place: Place, rng: np.random.Generator, elevation: Floats, lowness: Floats) -> Floats:
    """Dryness of the site from its place on the slope, its aspect and its soil."""
    soil = smooth_field(rng, place.shape, length=12, slope=2.4)
    return rank(-0.8 * lowness + 0.4 * _southness(elevation) + 0.7 * soil)


def _stand(
    place: Place, rng: np.random.Generator, site: Floats, past: Disturbance, first_year: int
) -> tuple[Floats, Floats]:
    """Canopy closure and surface fuel load."""
    age = np.where(past.burn_year > 0, first_year - past.burn_year, 110).astype(np.float32)
    growth = 1.0 - np.exp(-age / 30)
    grain = smooth_field(rng, place.shape, length=7, slope=2.2)
    density = np.clip((0.68 - 0.18 * (site - 0.5) + 0.14 * grain) * growth, 0.05, 0.97)
    litter = smooth_field(rng, place.shape, length=9, slope=2.3)
    load = np.exp(0.22 * litter + 0.25 * (density - 0.6)) * (0.6 + 0.4 * growth)
    return density.astype(np.float32), load.astype(np.float32)
