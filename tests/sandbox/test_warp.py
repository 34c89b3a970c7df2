"""Warps in threads: of two at once rasterio's own silence would leak."""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from firesat.grid import geobox
from firesat.sandbox.observe import warp as module
from firesat.sandbox.observe.warp import outlines, warp

NATIVE = geobox((0, 600_000, 3_000, 603_000), "EPSG:3979", 100)
CELLS = geobox((0, 600_000, 3_000, 603_000), "EPSG:3979", 50)
LAYERS = np.arange(900, dtype="float32").reshape(1, 30, 30)


def draw(number: int) -> tuple[float, int]:
    drawn = warp(LAYERS + number, NATIVE, CELLS, missing=np.nan)
    lines = outlines((LAYERS[0] > 400).astype("uint8"), LAYERS[0] > 400, NATIVE)
    return float(drawn[0, 0, 0]), len(lines)


def test_no_two_warps_run_at_once_and_none_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    together: list[int] = []

    def slow(*args: Any, real: Any = module.reproject, **more: Any) -> None:
        running.append(1)
        together.append(len(running))
        time.sleep(0.002)  # that others would begin meanwhile
        real(*args, **more)
        running.pop()

    monkeypatch.setattr(module, "reproject", slow)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(draw, range(40)))
    assert found == [(float(number), 1) for number in range(40)]
    assert together == [1] * 40
    assert not heard
