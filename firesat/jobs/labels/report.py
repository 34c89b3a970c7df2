"""What is in a file of labels, in numbers."""

import re
from dataclasses import asdict, dataclass

import pandas as pd

from firesat.jobs.labels.areas import Areas, Outlier
from firesat.jobs.labels.evidence import Evidence
from firesat.jobs.labels.request import Request
from firesat.jobs.labels.windows import Tally


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What labels will be made from.

    Parameters
    ----------
    output : str
        The file.
    year : int
        Season.
    shape : tuple of int
        Rows and columns of 100 m cells.
    extent : tuple of float
        x0, y0, x1, y1 in metres of `crs`.
    crs : str
        Of the grid.
    perimeters : dict
        The file, its schema and CRS; features in all and by year, those mended, dates that were
        not read or lie in another year.
    refused_rows : dict of str to int
        Features of the season left out, by reason.
    refused_list : tuple of dict
        Each of them, and each row of the hotspot tables left out: "file", "row" from 1, "reason".
    fires : int
        Wildfires that touch the region.
    prescribed_excluded : int
        Prescribed burns that touch it.
    undated : int
        Wildfires of which the file does not say when they started.
    hotspots : dict of str to int
        Rows of the hotspot tables, those used, and the others by reason.
    fire_ids : dict of str to int
        Numbers of the fires whose name does not end with it.
    notes : tuple of str
        What was assumed.
    """

    output: str
    year: int
    shape: tuple[int, int]
    extent: tuple[float, float, float, float]
    crs: str
    perimeters: dict[str, object]
    refused_rows: dict[str, int]
    refused_list: tuple[dict[str, object], ...]
    fires: int
    prescribed_excluded: int
    undated: int
    hotspots: dict[str, int]
    fire_ids: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """What labels were made.

    Parameters
    ----------
    plan : Plan
        From what.
    without_hotspots : int
        Wildfires that no hotspot dates.
    undated_unknown : int
        Wildfires that nothing dates: unknown all season.
    without_cells : int
        Wildfires that burned most of no cell.
    burnt_cells : int
        Cells of which at least half burned.
    unknown_cells : dict of str to int
        "prescribed" and "undated": all season; "stray_hotspots": for some days.
    area_ha : dict of str to float
        "polygons", "official" (of the fires wholly inside that have one), "fractions" (of the
        file), "overlaps" (twice in polygons, once in fractions).
    official_kept : dict of str to int
        Fires "compared" with their official size, and of these "within_1_percent".
    outliers : tuple of Outlier
        The others.
    """

    plan: Plan
    without_hotspots: int
    undated_unknown: int
    without_cells: int
    burnt_cells: int
    unknown_cells: dict[str, int]
    area_ha: dict[str, float]
    official_kept: dict[str, int]
    outliers: tuple[Outlier, ...]

    @property
    def record(self) -> dict[str, object]:
        """Itself and its plan side by side, as JSON can hold them.

        Returns
        -------
        dict
            One key a fact.
        """
        facts = asdict(self)
        return {**facts.pop("plan"), **facts}


def plan(request: Request, evidence: Evidence) -> Plan:
    """Say what labels will be made from.

    Parameters
    ----------
    request : Request
        What is asked for.
    evidence : Evidence
        What was read.

    Returns
    -------
    Plan
        Counts.
    """
    file = evidence.file
    wild = file.fires["prescribed"].to_numpy() == 0
    height, width = evidence.cells.shape
    left, bottom, right, top = evidence.cells.boundingbox.bbox
    return Plan(
        output=str(request.output),
        year=request.year,
        shape=(height, width),
        extent=(left, bottom, right, top),
        crs=str(evidence.cells.crs),
        perimeters={
            "file": str(request.perimeters),
            "schema": file.kind,
            "crs": file.crs,
            "rows": file.rows,
            "rows_by_year": file.years,
            "mended": file.mended,
            "unread_dates": file.unread_dates,
            "starts_in_other_years": file.foreign_dates,
        },
        refused_rows=file.refused.counts,
        refused_list=tuple(
            {"file": name, "row": row, "reason": why} for name, row, why in evidence.refused
        ),
        fires=int((wild & evidence.inside).sum()),
        prescribed_excluded=int((~wild & evidence.inside).sum()),
        undated=int((wild & evidence.inside & evidence.undated).sum()),
        hotspots=dict(evidence.hotspots),
        fire_ids=_unnamed_numbers(file.fires[wild & evidence.inside]),
        notes=file.notes,
    )


def _unnamed_numbers(fires: pd.DataFrame) -> dict[str, int]:
    """Numbers that cannot be read from the fires' names."""
    pairs = zip(fires["name"], fires["fire_id"].astype(int), strict=True)
    return {name: number for name, number in pairs if not re.search(rf"(?<!\d)0*{number}$", name)}


def report(request: Request, evidence: Evidence, tally: Tally, areas: Areas) -> LabelReport:
    """Say what labels were made.

    Parameters
    ----------
    request : Request
        What was asked for.
    evidence : Evidence
        What was read.
    tally : Tally
        What was seen on the way.
    areas : Areas
        Hectares.

    Returns
    -------
    LabelReport
        Counts and hectares.
    """
    inside = evidence.inside & (evidence.file.fires["prescribed"] == 0)
    fires, undated = evidence.file.fires[inside], evidence.undated[inside]
    numbers = set(fires["fire_id"].astype(int))
    return LabelReport(
        plan=plan(request, evidence),
        without_hotspots=len(numbers - tally.seen),
        undated_unknown=int((undated & fires["hotspot_start"].isna()).sum()),
        without_cells=len(numbers - tally.drawn),
        burnt_cells=tally.cells["burnt"],
        unknown_cells={
            "prescribed": tally.cells["prescribed"],
            "undated": tally.cells["undated"],
            "stray_hotspots": tally.cells["stray"],
        },
        area_ha={
            "polygons": round(areas.polygons, 2),
            "official": round(areas.official, 2),
            "fractions": round(tally.hectares, 2),
            "overlaps": round(areas.overlaps, 2),
        },
        official_kept={"compared": areas.compared, "within_1_percent": areas.kept},
        outliers=areas.outliers,
    )
