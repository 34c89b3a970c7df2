"""Weather of large regions is built within a stated bound of memory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.jobs.country_weather import GROWTH, LEVELS, SLOPE, SOURCE

ROOT = Path(__file__).parents[2]
LARGE = (-1_500_000, 300_000, 300_000, 2_100_000)  # 180 x 180 cells of 10 km
CANADA = (-2_600_000, -900_000, 3_100_000, 4_000_000)  # 570 x 490


def run(verb: str, folder: Path, days: int, region: tuple[int, ...]) -> str:
    command = [sys.executable, "-m", "tests.jobs.country_weather", verb, folder, days, *region]
    # As Dask starts its workers: memory that is let go returns to the system.
    variables = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def month_of(folder: Path, days: int, region: tuple[int, ...]) -> dict[str, Any]:
    run("make", folder, days, region)
    built: dict[str, Any] = json.loads(run("build", folder, days, region))
    assert built["status"] == "done", built["reason"]
    assert built["available"] == days
    # Each fire day has 8 hours, the first at 12 UTC; 1 July is 30 days after 1 June.
    hours = 24 * (30 + np.arange(days)) + 12 + np.arange(0, 24, 3).mean()
    wanted = 280 + SLOPE * built["latitude"] + GROWTH * hours
    np.testing.assert_allclose(built["series"], wanted, atol=0.02)
    return built


@pytest.mark.slow
def test_days_are_built_from_six_hours_at_a_time(tmp_path: Path) -> None:
    built = month_of(tmp_path, 7, LARGE)
    assert built["cells"] == 180 * 180
    (file,) = (tmp_path / "cache").glob("*-2023-07-01-*.grib")
    part = next(iter(SOURCE.parts(file)))
    assert part["time"].values.tolist() == [day(0, 0), day(0, 3)]  # six hours
    fields = 8 * 8 * len(LEVELS)
    at_once = 12e-6 * fields * part.sizes["y"] * part.sizes["x"]  # MB: as doubles, and as floats
    assert at_once > 450
    assert built["megabytes"] < 0.4 * at_once


def day(number: int, hour: int) -> Any:
    return (np.datetime64("2023-07-01", "s") + np.timedelta64(24 * number + hour, "h")).item()


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)  # seven minutes of one core
def test_a_month_of_canada_fits_a_worker_of_2_gib(tmp_path: Path) -> None:
    built = month_of(tmp_path, 31, CANADA)
    assert built["cells"] == 570 * 490
    assert built["peak"] < 2048 * 1.048576
