"""Near-real-time and final versions side by side, and what a forecast could see of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.blocks import Block, Layout, Variable, beside
from firesat.cube import Cube, create_cube, open_cube
from firesat.cube.streams import read_as_of, versions
from firesat.errors import CubeError
from firesat.grid import Grid
from firesat.manifest import Receipt
from firesat.sources.era5 import Era5Land

GRID = Grid(region=(90_000.0, 620_000.0, 110_000.0, 640_000.0))  # across two tiles
DAYS = np.arange(np.datetime64("2021-05-01"), np.datetime64("2021-05-05"))
NRT = Layout(
    group="lst",
    level=1000,
    variables=(Variable(name="lst_day"),),
    attrs={"stream": "nrt"},
)
FINAL = beside(NRT, "final")
DAY = np.timedelta64(1, "D")


def write(cube: Cube, layout: Layout, value: float, days_late: int) -> None:
    """Each block holds one value, available some days after its day; the last is never there."""
    receipts = []
    for block in cube.add_group(layout, DAYS)[:-1]:
        assert cube.write_block(layout, block, filled(block, value))
        known = str(block.times[0].astype("datetime64[s]") + days_late * DAY)
        receipts.append(
            Receipt(key=block.key, group=layout.group, status="done", available=[known],
                    stream=layout.stream)
        )  # fmt: skip
    cube.record_times(receipts, layout)


def filled(block: Block, value: float) -> xr.Dataset:
    values = np.full((1, *block.geobox.shape), value)
    return xr.Dataset({"lst_day": (("time", "y", "x"), values)})


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    made = create_cube(tmp_path / "a.zarr", GRID)
    write(made, NRT, 280.0, 1)
    write(made, FINAL, 281.0, 3)
    return made


def test_the_final_version_lies_beside_what_a_forecast_was_made_from(cube: Cube) -> None:
    assert FINAL.group == "lst_final"
    assert (NRT.stream, FINAL.stream) == ("nrt", "final")
    assert versions(cube.path, "lst") == {"final": "lst_final", "nrt": "lst"}
    assert float(open_cube(cube.path, "lst")["lst_day"][0, 0, 0]) == 280.0
    assert float(open_cube(cube.path, "lst_final")["lst_day"][0, 0, 0]) == 281.0
    assert open_cube(cube.path, "lst_final").attrs["stream"] == "final"


def test_a_forecast_sees_of_each_step_the_best_that_was_available(cube: Cube) -> None:
    """At the end of 4 May: the final of 1 May (+3), the near-real-time of 2 and 3 May (+1)."""
    seen = read_as_of(cube.path, "lst", np.datetime64("2021-05-04T12:00:00"))
    assert seen["lst_day"].isel(x=0, y=0).values[:3].tolist() == [281.0, 280.0, 280.0]
    assert seen["stream"].isel(x=0, y=0).values.tolist() == [1, 2, 2, 0]
    assert np.isnan(seen["lst_day"].values[3]).all()


def test_nothing_is_seen_before_it_was_available(cube: Cube) -> None:
    seen = read_as_of(cube.path, "lst", np.datetime64("2021-05-01T12:00:00"))
    assert np.isnan(seen["lst_day"].values).all()
    assert not seen["stream"].values.any()


def test_tiles_are_judged_each_for_itself(cube: Cube) -> None:
    """The last block, the right tile of the last day, was never written."""
    seen = read_as_of(
        cube.path, "lst", np.datetime64("2021-06-01"), {"time": slice("2021-05-04", "2021-05-04")}
    )
    assert float(seen["lst_day"].sel(x=95_500, method="nearest")[0, 0]) == 281.0
    assert np.isnan(seen["lst_day"].sel(x=105_500, method="nearest").values).all()


def test_a_layer_of_one_stream_is_read_alike(tmp_path: Path) -> None:
    made = create_cube(tmp_path / "b.zarr", GRID)
    box = replace(NRT, group="w", level=10_000, whole_box=True, attrs={})
    write(made, box, 5.0, 1)
    seen = read_as_of(made.path, "w", np.datetime64("2021-06-01"), {"x": slice(90_000, 110_000)})
    assert seen.sizes["x"] == 2
    assert seen["lst_day"].values[:3].min() == 5.0
    assert versions(made.path, "w") == {"final": "w"}
    with pytest.raises(CubeError, match="no rain of any stream"):
        versions(made.path, "rain")


def test_era5_land_s_final_version_has_its_own_group() -> None:
    assert Era5Land().layout.group == "era5_land"
    assert Era5Land().layout.stream == "nrt"
    assert Era5Land(stream="final").layout.group == "era5_land_final"
    assert Era5Land(stream="final").layout.stream == "final"
