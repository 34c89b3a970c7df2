"""Index the chips: which are taken, with what chance, before any image is read."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from firesat.cube import groups, open_cube
from firesat.errors import CubeError, SampleError
from firesat.samples.facts import Fires, PanelFacts
from firesat.samples.plan import Plan, Progress, silent
from firesat.samples.reader import Reader
from firesat.samples.settings import SampleSettings
from firesat.samples.winters import fire_groups
from firesat.sampling import STRATA, Draw, Panel, issue_days
from firesat.splits import Groups, Placement, embargo

_BY_DAY = ("era5_land", "fire_weather", "hotspots")  # groups with every day of the cube


@dataclass(frozen=True, kw_only=True)
class Index:
    """The chips of a store before their pixels.

    Parameters
    ----------
    table : pd.DataFrame
        One row a chip: `tile`, `row`, `col`, `reference_time`, `split`, `stratum`, `drawn_by`,
        `pi`, `fire_id` (the fire with most cells, 0 = none), `fires`, `groups` (names of the fires,
        winters included), `fuel`, `fwi`, `clear_looks`.
    design : pd.DataFrame
        How many of how many were taken, bin by bin; see :meth:`firesat.sampling.Draw.finish`.
    frame : dict of dict of int
        Split to stratum to chips there were. Those of hard, matched and random overlap.
    dropped : dict of int
        Chips left out of a frame, by reason: "buffer", "shared_fire", "frames".
    """

    table: pd.DataFrame
    design: pd.DataFrame
    frame: dict[str, dict[str, int]]
    dropped: dict[str, int]


def index_chips(cube_path: Path, settings: SampleSettings, progress: Progress = silent) -> Index:
    """Draw chips from the frame of a cube. No reflectance is read, and nothing is written.

    Parameters
    ----------
    cube_path : Path
        A cube with labels.
    settings : SampleSettings
        Which chips.
    progress : callable
        Called with (done, total, text).

    Returns
    -------
    Index
        Same seed, same cube: same chips.

    Raises
    ------
    SplitError
        If places cannot be held out as asked.
    CubeError
        If the cube has fewer days than the splits.
    SampleError
        If a split has no chips, or none with fire.
    """
    return _Indexing(cube_path, settings, progress).run()


class _Indexing:
    """The work of :func:`index_chips`."""

    def __init__(self, cube_path: Path, settings: SampleSettings, progress: Progress) -> None:
        self._settings, self._progress = settings, progress
        self._reader = Reader(cube_path, settings.inputs)
        self._plan = Plan(self._reader, settings)
        self._dropped: Counter[str] = Counter(buffer=0, shared_fire=0, frames=0)
        self._placement = self._lay_out()
        self._days = self._issue_days()
        self._done = 0

    def run(self) -> Index:
        """Go through the frame twice: for the fires of each split, then for the draw."""
        groups = fire_groups(self._reader, self._settings, self._plan.grid)
        taboo = self._taboo(groups)
        draw = Draw(
            {split: self._settings.wanted(split) for split in self._settings.order},
            self._settings.match,
            self._settings.seed,
            growth=self._settings.growth,
            hard=self._settings.hard,
        )
        for number, facts, split, day, allowed in self._walk("frame of"):
            whole = self._whole(facts.fires(day), day, groups, taboo[split])
            member, complete = allowed & whole, facts.complete(day)
            self._dropped["shared_fire"] += int((allowed & ~whole).sum())
            self._dropped["frames"] += int((member & ~complete).sum())
            draw.add(split, day, number, facts.facts(day), member & complete)
        chosen, design = draw.finish()
        table = self._table(chosen, groups)
        return Index(table=table, design=design, frame=_frame(design), dropped=dict(self._dropped))

    def _lay_out(self) -> Placement | None:
        """Hold out places, if any are to be."""
        places, chip_km = self._settings.places, self._settings.chip / 10
        if places is None:
            return None
        return places.lay_out(self._settings.order, self._plan.grid, chip_km)

    def _issue_days(self) -> dict[str, list[str]]:
        """Issue days of each split, without those too near to a later one."""
        settings, window = self._settings, self._settings.inputs.window
        days = {
            split: issue_days(settings.splits[split], settings.issue_step, window)
            for split in settings.order
        }
        if not any(days.values()):
            raise SampleError("no window fits into sample.splits: periods must exceed the horizon")
        self._check_cube(days)
        if self._placement is not None:
            return days
        chips = sum(len(panel.origins) for panel in self._plan.panels)
        kept = {}
        for number, split in enumerate(settings.order):
            later = [day for other in settings.order[number + 1 :] for day in days[other]]
            kept[split] = embargo(days[split], later, window, settings.buffer_days)
            self._dropped["buffer"] += chips * (len(days[split]) - len(kept[split]))
        return kept

    def _check_cube(self, days: Mapping[str, list[str]]) -> None:
        """Refuse windows that reach beyond the days of the cube."""
        path, horizon = self._reader.cube_path, self._settings.inputs.window.horizon
        axes = [
            open_cube(path, name)["time"].values.astype("datetime64[D]")
            for name in groups(path)
            if name in _BY_DAY
        ]
        if not axes:
            return
        known = np.unique(np.concatenate(axes))
        for split, some in days.items():
            starts = np.array(some, dtype="datetime64[D]")
            needed = (starts[:, None] + np.arange(horizon)).ravel()
            lacking = np.setdiff1d(needed, known)
            if lacking.size:
                raise CubeError(
                    f"{path.name} has days from {known[0]} to {known[-1]}, and the split {split} "
                    f"needs {lacking[0]}: ingest it, or make sample.splits.{split} shorter"
                )

    def _walk(self, what: str) -> Iterator[tuple[int, PanelFacts, str, str, NDArray[np.bool_]]]:
        """Every panel on every issue day of every split, with the chips that it may take there."""
        days = [(split, day) for split, some in self._days.items() for day in some]
        total = 2 * len(self._plan.panels) * len(days)
        for number, panel in enumerate(self._plan.panels):
            facts = self._plan.facts(panel)
            for split, day in days:
                self._progress(self._done, total, f"{what} {day}")
                self._done += 1
                allowed = self._allowed(panel, split, day)
                if allowed.any():
                    yield number, facts, split, day, allowed

    def _allowed(self, panel: Panel, split: str, day: str) -> NDArray[np.bool_]:
        """Chips that a split may take, by their place."""
        if self._placement is None:
            return np.ones(len(panel.origins), dtype=bool)
        horizon = self._settings.inputs.window.horizon
        return self._placement.allows(split, self._plan.boxes(panel), day, horizon)

    def _taboo(self, groups: Groups) -> dict[str, set[str]]:
        """Fires that each split must not hold: those of the splits held out from it."""
        held: dict[str, set[str]] = {split: set() for split in self._settings.order}
        for _, facts, split, day, allowed in self._walk("fires of"):
            for fires, here in zip(facts.fires(day), allowed, strict=True):
                if here:
                    held[split].update(groups.name(int(day[:4]), fire) for fire in fires)
        order = self._settings.order
        return {
            split: set().union(*(held[later] for later in order[number + 1 :]))
            for number, split in enumerate(order)
        }

    def _whole(self, fires: Fires, day: str, groups: Groups, taboo: set[str]) -> NDArray[np.bool_]:
        """Chips without a fire that is of a later split too."""
        year = int(day[:4])
        return np.array(
            [not any(groups.name(year, fire) in taboo for fire in some) for some in fires]
        )

    def _table(self, chosen: pd.DataFrame, groups: Groups) -> pd.DataFrame:
        """One row per chip, those that are read together next to each other."""
        chosen = chosen.sort_values(["split", "panel", "day", "chip"], kind="stable")
        chosen = chosen.reset_index(drop=True)
        days = pd.to_datetime(chosen["day"], unit="D", utc=True)
        panels = dict(list(chosen.groupby("panel")))
        facts = pd.concat([self._seen(panel, some) for panel, some in panels.items()])
        facts = facts.loc[chosen.index]
        names = [
            [groups.name(year, fire) for fire in fires]
            for year, fires in zip(days.dt.year, facts["fires"], strict=True)
        ]
        return self._plan.places(chosen).assign(
            reference_time=days + pd.Timedelta(hours=self._settings.inputs.window.day_start),
            split=chosen["split"],
            stratum=chosen["stratum"],
            drawn_by=chosen["drawn_by"],
            pi=chosen["pi"],
            fire_id=[fires[0] if fires else 0 for fires in facts["fires"]],
            fires=facts["fires"],
            groups=pd.Series(names),
            fuel=chosen["fuel"],
            fwi=chosen["fwi"],
            clear_looks=facts["clear_looks"],
        )

    def _seen(self, panel: Any, chosen: pd.DataFrame) -> pd.DataFrame:  # noqa: ANN401  a label
        """Fires and clear looks of a panel's chosen chips."""
        facts, rows = self._plan.facts(self._plan.panels[int(panel)]), []
        for _, some in chosen.groupby("day"):
            day = str(np.datetime64(int(some["day"].iloc[0]), "D"))
            fires, looks = facts.fires(day), facts.looks(day)
            rows += [(i, fires[c], int(looks[c])) for i, c in some["chip"].items()]
        table = pd.DataFrame(rows, columns=["index", "fires", "clear_looks"])
        return table.set_index("index")


def _frame(design: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Chips that each stratum could have taken."""
    sizes = design.groupby(["split", "stratum"])["frame"].sum()
    return {
        str(split): {name: int(sizes.get((split, name), 0)) for name in STRATA}
        for split in design["split"].unique()
    }
