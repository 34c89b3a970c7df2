"""Roads between the edges of the region, settlements on them, and the people who use them."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from firesat.sandbox.law.noise import Floats, smooth_field
from firesat.sandbox.law.place import Place

PER_KM = 10  # cells of 100 m


@dataclass(frozen=True, kw_only=True)
class Roads:
    """Roads and settlements on the 100 m cells.

    Parameters
    ----------
    distance : ndarray
        float32 (y, x), metres to the nearest road.
    people : ndarray
        float32 (y, x), relative pressure of people, 0-1.
    built : ndarray
        bool (y, x), settlements.
    """

    distance: Floats
    people: Floats
    built: NDArray[np.bool_]


def build_roads(place: Place, water: NDArray[np.bool_], rng: np.random.Generator) -> Roads:
    """Lay a through road around the lakes, branches from it, and settlements.

    Parameters
    ----------
    place : Place
        Where.
    water : ndarray
        bool (y, x).
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Roads
        Distances and people.
    """
    paths = _paths(place, water, rng)
    road = np.zeros(place.shape, dtype=bool)
    for path in paths:
        _draw(road, path, place.km_shape[1], rng)
    distance = (100 * ndimage.distance_transform_edt(~road)).astype(np.float32)
    town = np.zeros(place.shape, dtype=bool)
    for node in rng.choice(paths[0], size=min(2, len(paths[0])), replace=False):
        town[tuple(_cell(int(node), place.km_shape[1]))] = True
    to_town = (100 * ndimage.distance_transform_edt(~town)).astype(np.float32)
    built = (to_town < 450 + 250 * smooth_field(rng, place.shape, length=4)) & ~water
    people = 0.65 * np.exp(-distance / 900) + 0.35 * np.exp(-to_town / 5000)
    return Roads(distance=distance, people=people.astype(np.float32), built=built)


def _paths(
    place: Place, water: NDArray[np.bool_], rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cheapest ways over the kilometre cells: one from west to east, the others from it."""
    rows, columns = place.km_shape
    lake = water.reshape(rows, PER_KM, columns, PER_KM).mean((1, 3))
    graph = _graph(1 + 12 * lake + np.exp(0.8 * smooth_field(rng, (rows, columns), length=3)))
    west = int(rng.integers(rows // 4, rows - rows // 4)) * columns
    east = int(rng.integers(rows // 4, rows - rows // 4)) * columns + columns - 1
    through = _cheapest(graph, west, east)
    paths = [through]
    for _ in range(max(2, rows * columns // 700)):
        start = int(rng.choice(through))
        paths.append(_cheapest(graph, start, int(rng.integers(0, rows * columns))))
    return paths


def _graph(cost: NDArray[np.float64]) -> coo_array:
    """Costs of the steps between the 8-neighbours of a grid."""
    rows, columns = cost.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    parts = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left = (slice(0, rows - dy), slice(max(0, -dx), columns - max(0, dx)))
        right = (slice(dy, rows), slice(max(0, dx), columns + min(0, dx)))
        step = (cost[left] + cost[right]) / 2 * np.hypot(dy, dx)
        parts.append((step.ravel(), index[left].ravel(), index[right].ravel()))
    value, start, stop = (np.concatenate(part) for part in zip(*parts, strict=True))
    return coo_array((value, (start, stop)), shape=(index.size, index.size)).tocsr()


def _cheapest(graph: coo_array, start: int, stop: int) -> NDArray[np.int64]:
    """Nodes of the cheapest way from start to stop."""
    _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
    nodes = [stop]
    while nodes[-1] != start:
        nodes.append(int(before[nodes[-1]]))
    return np.array(nodes[::-1])


def _cell(node: int, columns: int) -> NDArray[np.int64]:
    """Row and column at 100 m of the middle of a kilometre node."""
    return np.array(divmod(node, columns)) * PER_KM + PER_KM // 2


def _draw(
    road: NDArray[np.bool_], path: NDArray[np.int64], columns: int, rng: np.random.Generator
) -> None:
    """Mark a path of nodes as road, with bends."""
    points = np.array([_cell(int(node), columns) for node in path], dtype=float)
    points += rng.uniform(-3, 3, points.shape)
    for begin, end in itertools.pairwise(points):
        steps = np.linspace(begin, end, 3 * PER_KM).round().astype(int)
        road[tuple(np.clip(steps, 0, np.array(road.shape) - 1).T)] = True
