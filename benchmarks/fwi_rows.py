"""The Fire Weather Index over a season, beside xclim's kernels.

xclim keeps the constant 147.2 of the older texts (ours, as the official package: 147.27723), which
alone puts it up to 0.26 FFMC and 0.4 % FWI from us: 2 FWI at the 500 that random wind gives. The
gate therefore compares both at 147.2, where they must agree to rounding.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from benchmarks.timing import REPETITIONS, Timing, interleaved
from firesat import fwi

OLDER_SCALE = 147.2
AGREEMENT = 1e-9  # of FWI, relative
BAND = 256  # rows at a time: what either holds at once, lest the machine's memory decide
DIMS = ("time", "y", "x")
CODES = ("ffmc", "dmc", "dc", "isi", "bui", "fwi", "dsr")
Fields = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class World:
    """Random noon weather of consecutive days, at 55 N."""

    days: np.ndarray
    weather: Fields  # temp, rh, ws, prec: (time, y, x)

    @classmethod
    def make(cls, days: int, side: int) -> "World":
        """Draw a square of independent cells, in rows of BAND that repeat."""
        rng = np.random.default_rng(0)
        shape = (days, min(side, BAND), side)
        wet = rng.random(shape) < 0.25
        weather = {
            "temp": rng.normal(18, 6, shape).clip(-5, 38),
            "rh": rng.uniform(20, 95, shape),
            "ws": rng.gamma(2, 6, shape),
            "prec": np.where(wet, rng.gamma(1.2, 5, shape), 0.0),
        }
        first = np.datetime64("2021-05-01", "D")
        return cls(days=first + np.arange(days), weather=weather)

    @property
    def months(self) -> np.ndarray:
        """1 to 12 of each day."""
        return self.days.astype("datetime64[M]").astype(int) % 12 + 1


def ours(world: World, scale: float) -> fwi.Codes:
    """All seven codes; no start-up logic."""
    shape = world.weather["temp"].shape[1:]
    codes, _ = fwi.series(
        fwi.start(shape),
        **world.weather, month=world.months, latitude=55.0, rules=fwi.Rules(scale=scale),
    )  # fmt: skip
    return codes


def theirs(world: World, *, last: bool = False, threads: int = 0) -> Callable[[], Fields]:
    """xclim's call for the same; days last is its own order, `threads` are Dask's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xclim warns of its own dependencies at import
        import dask
        from xclim.indices.fire import fire_weather_ufunc

    shape = world.weather["temp"].shape[1:]
    times = {"time": world.days.astype("datetime64[ns]")}
    names = {"tas": "temp", "hurs": "rh", "sfcWind": "ws", "pr": "prec"}
    given = {
        name: xr.DataArray(world.weather[key], dims=DIMS, coords=times)
        for name, key in names.items()
    }
    if last:
        given = {name: field.transpose("y", "x", "time").copy() for name, field in given.items()}
    flat = {"lat": 55.0, "ffmc0": 85.0, "dmc0": 6.0, "dc0": 15.0}
    given |= {name: xr.DataArray(np.full(shape, v), dims=DIMS[1:]) for name, v in flat.items()}
    if threads:
        given = {name: field.chunk({"y": shape[0] // threads}) for name, field in given.items()}

    def run() -> Fields:
        with dask.config.set(scheduler="threads", num_workers=max(threads, 1)):
            codes = dask.compute(fire_weather_ufunc(**given))[0]
        return {name: codes[name.upper()].transpose(*DIMS).values for name in CODES}

    return run


def agreement(world: World, found: Fields) -> str:
    """How far apart the two are, with the same constant and each with its own."""
    same = ours(world, OLDER_SCALE)
    gaps = [
        np.abs(getattr(same, name) - found[name]) / np.maximum(found[name], 1.0) for name in CODES
    ]
    worst = max(float(gap.max()) for gap in gaps)
    own = float(np.abs(ours(world, fwi.Rules().scale).fwi - found["fwi"]).max())
    verdict = "" if worst <= AGREEMENT else " (DIFFERENT ANSWER)"
    return (
        f"within {worst:.0e} of ours at its constant 147.2{verdict}; {own:.2f} FWI at the official"
    )


def compare(
    world: World, bands: int, repetitions: int, peers: dict[str, Callable[[], Fields]]
) -> list[Timing]:
    """Time ours and peers over `bands` times the world."""
    note = agreement(world, next(iter(peers.values()))())

    def repeated(run: Callable[[], object]) -> Callable[[], None]:
        def all_bands() -> None:
            for _ in range(bands):
                run()

        return all_bands

    scale = fwi.Rules().scale
    contenders = {"firesat.fwi.series": repeated(lambda: ours(world, scale))}
    contenders |= {name: repeated(run) for name, run in peers.items()}
    first, *rest = interleaved(contenders, repetitions)
    return [first, *(Timing(**{**vars(timing), "note": note}) for timing in rest)]


def season() -> list[Timing]:
    """256 x 256 cells, 120 days."""
    world = World.make(120, 256)
    peers = {
        "xclim fire_weather_ufunc": theirs(world),
        "xclim, days last": theirs(world, last=True),
        "xclim, Dask, 2 threads": theirs(world, threads=2),
    }
    return compare(world, 1, REPETITIONS, peers)


def month() -> list[Timing]:
    """2048 x 2048 cells, 30 days, in eight bands of rows; xclim called the way it is fastest."""
    world = World.make(30, 2048)
    return compare(world, 2048 // BAND, 3, {"xclim fire_weather_ufunc": theirs(world)})
