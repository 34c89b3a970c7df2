"""Whether the cells keep the fires' hectares: official, of the polygon, of the fractions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.coverage import covered, disjoint
from firesat.grid import cell_area, crs_of
from firesat.jobs.labels.evidence import Evidence
from firesat.sources.fire_files import reproject, window_of

EQUAL_AREA = "ESRI:102001"  # Canada Albers: its square metres are the ground's
TOLERANCE = 0.01  # of the official hectares
LAST_DIGIT = 0.05  # hectares: agencies round to a tenth

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A fire whose cells do not hold its official hectares.

    Parameters
    ----------
    fire : str
        Its name.
    fire_id : int
        Its number in the file of labels.
    official, polygon, fraction : float
        Hectares.
    reason : str
        Where it is visible.
    """

    fire: str
    fire_id: int
    official: float
    polygon: float
    fraction: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Hectares of the wildfires in the region.

    Parameters
    ----------
    polygons : float
        Sum of the polygons, as far as they lie in the region.
    official : float
        Sum of the official sizes of fires wholly inside.
    overlaps : float
        Ground that is counted twice in `polygons`.
    compared, kept : int
        Fires wholly inside with an official size, and those of them whose cells hold it within 1 %.
    outliers : tuple of Outlier
        The others, the largest difference first.
    """

    polygons: float
    official: float
    overlaps: float
    compared: int
    kept: int
    outliers: tuple[Outlier, ...]


def measure(evidence: Evidence) -> Areas:
    """Measure the wildfires of a region in three ways.

    Parameters
    ----------
    evidence : Evidence
        Fires.

    Returns
    -------
    Areas
        Polygons are measured in an equal-area CRS, fractions by the true area of each cell.
    """
    wild = evidence.file.fires["prescribed"].to_numpy() == 0
    here = evidence.file.fires[wild & evidence.inside]
    whole = evidence.whole[wild & evidence.inside]
    box = shapely.box(*evidence.cells.boundingbox.bbox)
    shapes = here["shape"].to_numpy().copy()
    shapes[~whole] = shapely.intersection(shapes[~whole], box)
    polygon = hectares(shapes, evidence.cells)
    union = hectares(np.array(disjoint(shapes), dtype=object), evidence.cells).sum()
    official = here["official_ha"].to_numpy()
    said = whole & np.isfinite(official)
    fires = here[said].assign(
        polygon=polygon[said],
        fraction=[fraction_hectares(shape, evidence.cells) for shape in shapes[said]],
    )
    outliers = _outliers(fires)
    return Areas(
        polygons=float(polygon.sum()),
        official=float(official[said].sum()),
        overlaps=max(float(polygon.sum() - union), 0.0),
        compared=len(fires),
        kept=len(fires) - len(outliers),
        outliers=outliers,
    )


def hectares(shapes: NDArray[np.object_], cells: GeoBox) -> Floats:
    """Measure polygons.

    Parameters
    ----------
    shapes : ndarray of shapely geometry
        In the CRS of `cells`.
    cells : GeoBox
        Any cells.

    Returns
    -------
    ndarray of float64
        Hectares of ground.
    """
    area: Floats = shapely.area(reproject(shapes, str(crs_of(cells)), EQUAL_AREA)) / 1e4
    return area


def fraction_hectares(shape: shapely.Geometry, cells: GeoBox) -> float:
    """Measure a polygon by its burned fractions.

    Parameters
    ----------
    shape : shapely geometry
        In the CRS of `cells`.
    cells : GeoBox
        Cells around it.

    Returns
    -------
    float
        Sum of fraction times true cell area, hectares.
    """
    window = window_of(shape, cells)
    if window is None:
        return 0.0
    own = cells[window]
    return float((covered([shape], own) * cell_area(own)).sum()) / 1e4


def _outliers(fires: pd.DataFrame) -> tuple[Outlier, ...]:
    """Fires whose fractions miss the official hectares, with the reason where it is visible."""
    official, fraction = fires["official_ha"], fires["fraction"]
    off = (fraction - official).abs() > TOLERANCE * official
    lost = fires[off].assign(miss=(fraction - official).abs()[off])
    return tuple(
        Outlier(
            fire=row["name"],
            fire_id=int(row["fire_id"]),
            official=round(row["official_ha"], 3),
            polygon=round(row["polygon"], 3),
            fraction=round(row["fraction"], 3),
            reason=_reason(row["official_ha"], row["polygon"], row["fraction"]),
        )
        for _, row in lost.sort_values("miss", ascending=False).iterrows()
    )


def _reason(official: float, polygon: float, fraction: float) -> str:
    """Why the hectares differ, as far as they tell."""
    if abs(fraction - polygon) > TOLERANCE * polygon:
        return "the cells do not hold the polygon"
    if abs(polygon - official) <= LAST_DIGIT:
        return "the official size is rounded"
    return f"the polygon itself has {100 * (polygon / official - 1):+.1f} % of the official size"
