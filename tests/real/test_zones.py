"""Ecodivisions of British Columbia, held out whole."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from firesat.errors import SplitError
from firesat.grid import Grid, chip_origins
from firesat.splits import Zones

GRID = Grid(region=(-2_100_000.0, 400_000.0, -1_700_000.0, 800_000.0))
SPLITS = ("train", "test")
BUFFER = 20.0


@pytest.fixture
def file(real_data: Path) -> Path:
    return real_data / "boundaries/bc_ecodivisions/ERC_ECODIV_polygon.shp"


def test_an_ecodivision_is_held_out_with_its_surroundings(file: Path) -> None:
    table = gpd.read_file(file)
    shapes = table.dissolve("CDVSNNM").to_crs("EPSG:3979").geometry
    region = shapely.box(*GRID.extent)
    # the smallest that lies in the region in part, so that both splits have chips
    shares = shapes.intersection(region).area
    name = str(shares[shares > 1e9].idxmin())
    rule = Zones(file=file, column="CDVSNNM", held_out={"test": [name]}, buffer_km=BUFFER)
    corners = np.array(list(chip_origins(4000, 4000, 80, 80)), dtype=float) * 100
    left, top = GRID.extent[0] + corners[:, 1], GRID.extent[3] - corners[:, 0]
    boxes = np.stack([left, top - 8000, left + 8000, top], axis=1)
    placed = rule.lay_out(SPLITS, GRID, 8.0)
    train, test = (placed.allows(split, boxes, "2023-07-01", 8) for split in SPLITS)
    squares = shapely.box(*boxes.T)
    zone = shapes[name].buffer(0)
    assert test.any()
    assert train.any()
    # outlines are straight between other points in degrees than on the grid: 100 m
    assert (shapely.distance(squares[train], zone) > BUFFER * 1000 - 100).all()
    assert shapely.covers(zone.buffer(100), squares[test]).all()
    left_out = ~train & ~test
    assert (shapely.distance(squares[left_out], zone) < BUFFER * 1000 + 100).all()


def test_a_misspelt_ecodivision_gets_the_nearest(file: Path) -> None:
    names = gpd.read_file(file)["CDVSNNM"]
    wrong = str(names.iloc[0])[:-1]
    rule = Zones(file=file, column="CDVSNNM", held_out={"test": [wrong]}, buffer_km=BUFFER)
    with pytest.raises(SplitError, match=f"did you mean {names.iloc[0]}"):
        rule.lay_out(SPLITS, GRID, 8.0)
