"""How well the mask of doubtful pixels does, beside the sandbox's truth.

It is measured on made scenes and says how the rules err there, not over Canada.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from firesat.composite import Sun, clear_mask, doubts, sun_over
from firesat.sandbox.law.noise import Floats
from firesat.sandbox.observe.atmosphere import Sky, look_through
from firesat.sandbox.observe.ground import ground_reflectance, snow_share
from firesat.sandbox.observe.sentinel2 import CLOUDY, Acquisition, acquisitions, sky_over
from firesat.sandbox.world import World

Mask = NDArray[np.bool_]
Clear = Callable[[Floats, Sun | None], Floats]

# What counts as hidden; a cell that is several is the first of them.
CIRRUS = 0.05  # opacity
SHADED = 0.15  # share of the direct light that clouds take
SMOKY = 1.0  # optical depth at 550 nm: two thirds of the ground's light are gone
SNOWY = 0.5  # share of open ground under snow
KINDS = ("cloud", "cirrus", "shadow", "smoke", "snow", "clear")


@dataclass(kw_only=True)
class KindCounts:
    """Cells of one kind, over all scenes.

    Parameters
    ----------
    cells : int
        That are of the kind, in truth.
    kept : int
        Of these, that the mask takes for clear ground.
    named : int
        Cells of any kind that the mask calls so.
    wrongly : int
        Of these, that are clear in truth.
    error : float
        Sum over the kept cells of |reflectance - that under a clear sky|, mean of the bands.
    """

    cells: int = 0
    kept: int = 0
    named: int = 0
    wrongly: int = 0
    error: float = 0.0


@dataclass(kw_only=True)
class MaskAudit:
    """Errors of a mask.

    Parameters
    ----------
    scenes : int
        Looked at.
    kinds : dict of KindCounts
        By the names of `KINDS`.
    unmasked : float
        Sum over all cells of the error without any mask.
    """

    scenes: int = 0
    kinds: dict[str, KindCounts] = field(
        default_factory=lambda: {name: KindCounts() for name in KINDS}
    )
    unmasked: float = 0.0

    @property
    def rows(self) -> list[dict[str, str | float]]:
        """A line for each kind, and one for all.

        Returns
        -------
        list of dict
            ``share`` of all cells; ``omission``: share of the kind's cells that are taken for clear
            (of clear cells: that are lost); ``commission``: share of what the mask calls so that is
            clear ground (of clear: kept cells that are not clear); ``error``: reflectance of the
            kept cells against that under a clear sky. "" where there are none.
        """
        cells = sum(kind.cells for kind in self.kinds.values())
        kept = sum(kind.kept for kind in self.kinds.values())
        rows = [self._row(name, kind, cells) for name, kind in self.kinds.items()]
        clear = self.kinds["clear"]
        rows[-1]["omission"] = _ratio(clear.cells - clear.kept, clear.cells)
        rows[-1]["commission"] = _ratio(kept - clear.kept, kept)
        total = sum(kind.error for kind in self.kinds.values())
        every: dict[str, str | float]
        none: dict[str, str | float]
        every = {"kind": "all kept", "share": _ratio(kept, cells), "error": _ratio(total, kept, 5)}
        none = {"kind": "without mask", "share": 1.0, "error": _ratio(self.unmasked, cells, 5)}
        blank: dict[str, str | float] = dict.fromkeys(rows[0], "")
        return [*rows, {**blank, **every}, {**blank, **none}]

    def _row(self, name: str, kind: KindCounts, cells: int) -> dict[str, str | float]:
        """One kind's line."""
        return {
            "kind": name,
            "share": _ratio(kind.cells, cells),
            "omission": _ratio(kind.kept, kind.cells),
            "commission": _ratio(kind.wrongly, kind.named),
            "error": _ratio(kind.error, kind.kept, 5),
        }

    def add(self, hidden: Mapping[str, Mask], found: Mapping[str, Mask], error: Floats) -> None:
        """Count one scene.

        Parameters
        ----------
        hidden : mapping of ndarray of bool
            What hides each cell, in truth, by kind.
        found : mapping of ndarray of bool
            What the mask says, by kind; "clear" = what it keeps.
        error : ndarray of float32, shape (y, x)
            |Reflectance - that under a clear sky|, mean of the bands.
        """
        self.scenes += 1
        self.unmasked += float(error.sum(dtype=np.float64))
        left = np.ones(error.shape, dtype=bool)
        bare = ~np.logical_or.reduce(list(hidden.values()))
        for name, counts in self.kinds.items():
            here = left & hidden.get(name, True)
            left &= ~here
            kept = here & found["clear"]
            counts.cells += int(here.sum())
            counts.kept += int(kept.sum())
            counts.error += float(error[kept].sum(dtype=np.float64))
            if name != "clear":
                counts.named += int(found[name].sum())
                counts.wrongly += int((found[name] & bare).sum())


def _ratio(part: float, whole: float, digits: int = 4) -> float | str:
    """A share, "" of nothing."""
    return round(part / whole, digits) if whole else ""


def audit_masks(
    world: World, progress: Callable[[int, int, str], None], year: int | None = None
) -> MaskAudit:
    """Compare the mask with the truth in every pass of a season.

    Parameters
    ----------
    world : World
        The sandbox.
    progress : callable
        Called with (passes done, passes in all, name of the pass).
    year : int, optional
        Which season; None = the last.

    Returns
    -------
    MaskAudit
        Counts.
    """
    season, audit = world.season(year or world.config.seasons[-1]), MaskAudit()
    first, last = (datetime(season.year, *day, tzinfo=UTC) for day in ((1, 1), (12, 31)))
    passes = acquisitions(world, first, last)
    for number, pass_ in enumerate(passes, start=1):
        hidden, seen, error = _scene(world, pass_)
        sun = sun_over(np.datetime64(pass_.time.replace(tzinfo=None), "s"), world.geobox)
        found = doubts(seen, sun=sun) | {"clear": clear_mask(seen, sun=sun) == 1}
        audit.add(hidden, found, error)
        progress(number, len(passes), pass_.id)
    return audit


def _scene(world: World, pass_: Acquisition) -> tuple[dict[str, Mask], Floats, Floats]:
    """What hides the ground in a pass, what is seen, and how far that is from a clear sky."""
    season = world.pictured[pass_.time.year]
    sky, light = sky_over(season, pass_.time)
    seen = ground_reflectance(season, pass_.time)
    bare = seen.copy()
    look_through(seen, sky, light)
    look_through(bare, _emptied(sky), light)
    hidden = {
        "cloud": sky.cloud >= CLOUDY,
        "cirrus": sky.cirrus >= CIRRUS,
        "shadow": sky.shadow >= SHADED,
        "smoke": sky.smoke >= SMOKY,
        "snow": snow_share(season, pass_.time) >= SNOWY,
    }
    error = np.abs(seen - bare).mean(axis=0)
    return hidden, seen, np.asarray(error, dtype=np.float32)


def _emptied(sky: Sky) -> Sky:
    """The same light without anything in the air."""
    nothing = np.zeros_like(sky.cloud)
    return sky._replace(
        cloud=nothing, cirrus=nothing, shadow=nothing, smoke=nothing, flame=nothing > 0
    )
