"""A cube of weather alone: an analysis that is late, codes derived from it, and forecast runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from firesat import fwi
from firesat.blocks import Layout, Variable
from firesat.cube import cells_of, create_cube, latitude_of, open_cube
from firesat.grid import Grid
from firesat.sources._cycles import Cycle, layout_of
from tests.tiny_cube import write_group

REGION = (10_000.0, 660_000.0, 30_000.0, 680_000.0)
DAY = np.timedelta64(1, "D")
HOUR = np.timedelta64(1, "h")
FIRST, COUNT = np.datetime64("2023-05-01"), 60
T = "2023-06-15"
DAYS = FIRST + np.arange(COUNT) * DAY
NOON = ("t2m_noon", "rh_noon", "ws_noon", "tp_noon")
NAMES = ("t2m_max", "rh", "ws", "tp", "vp", *NOON)
_LEVELS = {"t2m": (290, 4), "rh": (55, 8), "ws": (4, 0.5), "vp": (10, 1), "swvl1": (0.3, 0.02)}
CODES = ("ffmc", "dmc", "dc", "isi", "bui", "fwi", "dsr")


def truth(name: str) -> np.ndarray:
    """What each day's weather is, of all 10 km cells alike: seeded, rain on a third of the days."""
    rng = np.random.default_rng(len(name))
    swing = rng.normal(size=COUNT + 20)
    if name.startswith("tp"):
        return np.where(swing > 0.4, 6 * np.abs(swing), 0.0)
    level, size = _LEVELS[_kind(name)]
    return level + size * swing


def _kind(name: str) -> str:
    """t2m of t2m_noon."""
    return name.partition("_")[0]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model's runs: its value of a variable by number of the run's day and of the lead."""

    name: str = "nwp_gdps"
    value: Callable[[str, int, int], float]
    days: int = 9
    latency: float = 7.0
    lost: Sequence[int] = ()
    cycle: int = 0
    names: Sequence[str] = NAMES
    first: int = 0

    def fill(self, name: str, step: int) -> np.ndarray:
        """By lead time, for every cell."""
        return np.array([self.value(name, step, lead) for lead in range(self.days)])[:, None, None]

    @property
    def layout(self) -> Layout:
        cycle = Cycle(
            hour=self.cycle, days=self.days, steps=((240, 3),), day_start=12,
            latency_hours=self.latency,
        )  # fmt: skip
        layout = layout_of(self.name, cycle, {"source": "made", "provider": "", "licence": "none"})
        kept = tuple(each for each in layout.variables if each.name in self.names)
        return replace(layout, variables=kept)


def biased(name: str, day: int, lead: int) -> float:
    """The truth with the same bias in every run: rain by a factor, the rest by a shift."""
    true = truth(name)[day + lead]
    if name.startswith("tp"):
        return float("nan") if name == "tp_noon" and lead == 0 else true * (1.4 + 0.05 * lead)
    return true + {"t2m": 3.0, "rh": -6.0, "ws": 1.5, "vp": 0.8}[_kind(name)] + 0.1 * lead


def write(path: Path, *models: Model, latency: int = 120, late: float = 0.0) -> Path:
    """The cube; `late` is added to the analysis of the days that `T` cannot know."""
    cube = create_cube(path, Grid(region=REGION))
    known = DAYS.astype("datetime64[s]") + (36 + latency) * HOUR
    unknown = np.where(known > np.datetime64(f"{T}T12"), late, 0.0)
    attrs: dict[str, str | float] = {"latency_hours": latency, "day_start": 12}
    write_group(
        cube, _box("era5_land", (*NAMES, "swvl1"), attrs), DAYS,
        lambda name, step: truth(name)[step] + unknown[step], known,
    )  # fmt: skip
    with open_cube(path, "era5_land") as opened:
        latitude = latitude_of(cells_of(opened))
        noon = {name: opened[name].values for name in NOON}
    codes, _ = fwi.from_noon(fwi.start(latitude.shape), noon, DAYS, latitude)
    inside = np.isfinite(codes.fwi[0])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    there = np.ix_(rows, columns)
    write_group(
        cube, _box("fire_weather", CODES, attrs), DAYS,
        lambda name, step: getattr(codes, name)[step][there], known,
    )  # fmt: skip
    for model in models:
        out = DAYS.astype("datetime64[s]") + model.cycle * HOUR
        out = out + np.timedelta64(round(3600 * model.latency), "s")
        out[[*range(model.first), *model.lost]] = np.datetime64("NaT", "s")
        write_group(cube, model.layout, DAYS, model.fill, out)
    return path


def _box(group: str, names: Sequence[str], attrs: dict[str, str | float]) -> Layout:
    variables = tuple(Variable(name=name) for name in names)
    return Layout(
        group=group, level=10_000, steps=32, whole_box=True, variables=variables, attrs=attrs
    )
