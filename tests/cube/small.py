"""A cube of a few blocks whose every value is known, and the job that makes it like an ingest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, Variable, cut
from firesat.cube import create_cube, groups, open_cube
from firesat.cube.shards import pack
from firesat.grid import Grid
from firesat.jobs.ingest import Workplace, ingest_block
from firesat.manifest import Manifest
from firesat.sources.base import Scene
from firesat.sources.quotas import Cost
from firesat.store import exists

GRID = Grid(region=(0.0, 620_000.0, 20_000.0, 640_000.0))
DAYS = np.arange(np.datetime64("2021-05-01"), np.datetime64("2021-05-04"))
OPTICAL = Layout(
    group="optical",
    level=1000,
    variables=(
        Variable(name="reflectance", dtype="uint16", scale=1e-4, fill=65535, bands=("B04", "B08")),
        Variable(name="clear", dtype="uint8", scale=0.01, fill=255),
    ),
)
WEATHER = Layout(
    group="weather", level=10_000, variables=(Variable(name="t2m"),), steps=2, whole_box=True
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A source that makes its blocks up, and counts them."""

    provider: ClassVar[str] = ""
    fetched: ClassVar[list[str]]
    base_url: str = ""
    layout: Layout = OPTICAL
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fetched", [])  # no field: it is no setting

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        return days

    def check(self) -> None:
        pass

    def cost(self, blocks: Collection[Block]) -> Cost:
        return Cost()

    def search(self, block: Block) -> list[Scene]:
        self.fetched.append(block.key)
        moment = block.times[-1].astype("datetime64[s]") + np.timedelta64(36, "h")
        return [Scene(id=block.key, source=block.group, observed=moment, available=moment)]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        return cache

    def read(self, path: Path) -> xr.Dataset:
        return xr.Dataset()

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        known = np.array(block.times, "datetime64[s]") + np.timedelta64(40, "h")
        layer = xr.Dataset(
            {v.name: (dims_of(v), values_of(self, v, block)) for v in self.layout.variables}
        )
        return layer.assign_coords(available_time=("time", known))


def dims_of(variable: Variable) -> tuple[str, ...]:
    return ("time", *(("band",) if variable.bands else ()), "y", "x")


def values_of(source: Made, variable: Variable, block: Block) -> NDArray[np.float64]:
    """The physical values of a block, a tenth of them missing."""
    rng = np.random.default_rng([source.seed, *block.index, len(variable.name)])
    bands = (len(variable.bands),) if variable.bands else ()
    values = rng.uniform(0, 1, (len(block.times), *bands, *block.geobox.shape))
    values[..., : block.geobox.shape[0] // 10, :] = np.nan
    return values


def sources() -> list[Made]:
    return [Made(layout=OPTICAL), Made(layout=WEATHER)]


def make(path: Path, made: Sequence[Made]) -> None:
    """What `firesat ingest` does, in this process: all that is missing, and nothing else."""
    cube = create_cube(path, GRID)
    manifest = cube.manifest()
    with manifest.lease():
        for source in made:
            cube.add_group(source.layout, DAYS)
        manifest.fold()
        for number, source in enumerate(made):
            for block in missing(manifest, source):
                place = Workplace(cube=cube, cache=path.parent)
                receipt = ingest_block(source, block, place).receipt
                assert receipt.status == "done", receipt.reason
            if number == 0:
                manifest.fold()
        manifest.fold()
        for source in made:
            rows = manifest.unnoted(source.layout.group)
            cube.record_times(rows, source.layout)
            manifest.note(rows)


def missing(manifest: Manifest, source: Made) -> list[Block]:
    group = source.layout.group
    finished = manifest.finished(group) | manifest.unfolded(group)
    return list(cut(source.layout, GRID, DAYS, without=finished))


def check_readable(path: Path, made: Sequence[Made]) -> int:
    """Each block that a reader finds is whole, or not there at all; how many are there."""
    found = 0
    for source in made:
        if not exists(path, "zarr.json") or source.layout.group not in groups(path):
            continue
        opened = open_cube(path, source.layout.group, packed=True)
        for variable in source.layout.variables:
            stored = opened[variable.name].values
            for block in cut(source.layout, GRID, DAYS):
                first = block.index[0] * source.layout.steps
                got = stored[first : first + len(block.times)]
                wanted = pack(variable, values_of(source, variable, block))
                if np.array_equal(got, wanted, equal_nan=not variable.packed):
                    found += 1
                else:
                    fill = variable.fill if variable.packed else np.nan
                    np.testing.assert_array_equal(got, np.full_like(wanted, fill))
    return found
