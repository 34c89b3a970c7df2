"""A small chip store of random chips, for tests that need no cube."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from firesat.chipstore import write_chips
from firesat.samples import Inputs
from firesat.scaling import Batch, Moments, add_masks

SIZE = 20
INPUTS = Inputs(looks=2, modis=("ndvi",), modis_steps=1, weather_days=4, fuel_classes=(1, 2))


def make_chip(seed: int, inputs: Inputs = INPUTS, size: int = SIZE) -> Batch:
    """A random chip; every fifth cell has no second look, the first weather day is missing."""
    rng = np.random.default_rng(seed)
    c = inputs.channels(size)
    age = rng.integers(1, 60, (c.looks, size, size)).astype("f4")
    reflectance = rng.random((c.looks, c.sentinel2, size, size), dtype="f4")
    gone = rng.random((size, size)) < 0.2
    age[-1, gone] = np.nan
    reflectance[-1, :, gone] = np.nan
    weather = rng.random((c.weather_steps, c.weather, size // 10, size // 10), dtype="f4")
    weather[0] = np.nan
    static = rng.random((c.static, size, size), dtype="f4")
    burns = rng.random((size, size)) < 0.1
    around = {}
    if inputs.around:
        side = (90 + size - 1) // 100 + 1 + 2 * inputs.around
        shape = (c.weather_steps, c.weather, side, side)
        around["around"] = rng.normal(5, 2, shape).astype("f4")
        around["around"][..., 0] = np.nan
        around["off_centre"] = np.array([10.0, -30.0], "f4")
    return add_masks(
        {
            **around,
            "sentinel2": reflectance,
            "age": age,
            "modis": rng.random((c.modis_steps, c.modis, size // 5, size // 5), dtype="f4"),
            "weather": weather,
            "fire": rng.random((c.fire, size, size), dtype="f4"),
            "static": static,
            "season": np.array([0.0, 1.0], "f4"),
            "label": np.stack([burns, ~burns & (reflectance[0, 0] > 0.95)]).astype("u1"),
            "valid": np.ones((c.heads, size, size), "u1"),
            "lead": np.where(burns, 3, c.leads + 1).astype("u1")[None].repeat(2, axis=0),
            "starts": (rng.random((c.leads, size // 10, size // 10)) < 0.05).astype("f4"),
        }
    )


def write_tiny_chips(
    path: Path,
    train: int = 40,
    val: int = 8,
    inputs: Inputs = INPUTS,
    size: int = SIZE,
    lacking: tuple[str, ...] = (),
) -> Path:
    """Write a store of random chips.

    Parameters
    ----------
    path : Path
        Ends in ``.zarr``.
    train, val : int
        Chips of each split; `pi` is 1, 0.5, 0.25, 0.125, 1, ... in turn.
    inputs : Inputs
        What a chip holds.
    size : int
        Cells of its side.
    lacking : tuple of str
        "fire": nothing burns; "looks": Sentinel-2 never saw the ground.

    Returns
    -------
    Path
        `path`.
    """
    moments = Moments(inputs.names)
    table = pd.DataFrame({"split": ["train"] * train + ["val"] * val})
    number = np.arange(len(table))
    table["stratum"], table["pi"] = "random", 0.5 ** (number % 4)
    table["reference_time"] = pd.to_datetime(
        [f"{2022 + seed % 2}-07-01T12:00" for seed in number], utc=True
    )
    table["burning"], table["at_risk"] = 1 + number % 2, size**2
    if "fire" in lacking:
        table["burning"] = 0
    table["tile"], table["row"], table["col"] = "x26y33", 200, 100

    def chips() -> Iterator[Batch]:
        for seed in number:
            chip = make_chip(int(seed), inputs, size)
            if "fire" in lacking:
                chip["label"][:], chip["lead"][:] = 0, inputs.channels(size).leads + 1
            if "looks" in lacking:
                chip["sentinel2"][:] = chip["age"][:] = np.nan
                chip = add_masks(chip)
            if seed < train:
                moments.add(chip)
            yield chip

    def attrs() -> dict[str, object]:
        return {
            "inputs": inputs.record,
            "regime": inputs.regime,
            "names": {field: list(names) for field, names in inputs.names.items()},
            "channels": asdict(inputs.channels(size)),
            "scaler": moments.scaler().record,
            "seed": 0,
        }

    write_chips(path, lambda: table, chips(), len(table), attrs)
    return path
