"""Perimeters, hotspots and static layers, by plain downloads."""

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import requests
from rasterio.io import MemoryFile

from firesat.sandbox.observe import nrcan, static
from firesat.sandbox.world import World

pytest_plugins = ["tests.sandbox.servers_fixtures"]


def get(url: str, path: str) -> bytes:
    answer = requests.get(url + path, timeout=20)
    assert answer.status_code == 200
    return answer.content


def links(url: str, path: str) -> list[str]:
    return re.findall(r'<a href="([^"?]+)">', get(url, path).decode())


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_the_composite_of_a_year_is_found_in_the_listing_and_holds_its_fires(
    url: str, small_world: World
) -> None:
    year = small_world.config.seasons[-1]
    names = [name for name in links(url, "/nrcan/downloads/nbac/") if str(year) in name]
    assert [bool(re.fullmatch(r"NBAC_\d{4}_\d{8}\.zip", name)) for name in names] == [True]
    found = gpd.read_file(io.BytesIO(get(url, f"/nrcan/downloads/nbac/{names[0]}")))
    expected = nrcan.perimeters(small_world, year)
    assert len(found) == len(expected) > 0
    assert found.GID.tolist() == expected.GID.tolist()
    assert set(found.columns) == set(expected.columns)
    np.testing.assert_allclose(found.area, expected.area, rtol=1e-6)
    np.testing.assert_allclose(found.total_bounds, expected.total_bounds, atol=1e-3)
    days = [pd.to_datetime(fires.HS_SDATE).dt.strftime("%Y%m%d") for fires in (found, expected)]
    assert days[0].fillna("").tolist() == days[1].fillna("").tolist()


def test_hotspots_of_a_year_are_its_days_together(url: str, small_world: World) -> None:
    year = small_world.config.seasons[-1]
    archive = f"{year}_hotspots.zip"
    assert archive in links(url, "/nrcan/downloads/hotspots/archive/")
    with zipfile.ZipFile(
        io.BytesIO(get(url, f"/nrcan/downloads/hotspots/archive/{archive}"))
    ) as packed:
        (name,) = packed.namelist()
        yearly = pd.read_csv(packed.open(name))
    expected = nrcan.hotspots(
        small_world, midnight(date(year, 1, 1)), midnight(date(year + 1, 1, 1))
    )
    assert list(yearly.columns[:3]) == ["lat", "lon", "rep_date"]
    assert len(yearly) == len(expected) > 0
    busy = pd.to_datetime(yearly.rep_date).dt.date.mode()[0]
    if f"{busy:%Y%m%d}.csv" in links(url, "/nrcan/downloads/hotspots/"):
        daily = pd.read_csv(io.BytesIO(get(url, f"/nrcan/downloads/hotspots/{busy:%Y%m%d}.csv")))
        same = yearly[pd.to_datetime(yearly.rep_date).dt.date == busy].reset_index(drop=True)
        pd.testing.assert_frame_equal(daily, same)


def test_the_listing_of_days_covers_the_season(url: str, small_world: World) -> None:
    names = set(links(url, "/nrcan/downloads/hotspots/"))
    year = small_world.config.seasons[-1]
    first, last = small_world.config.first_date(year), small_world.config.last_date(year)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert {f"{day:%Y%m%d}.csv" for day in days} | {"archive/", "../"} <= names


@pytest.mark.parametrize(
    "path",
    [
        "/nrcan/downloads/nbac/NBAC_1950_19510513.zip",
        "/nrcan/downloads/hotspots/19500101.csv",
        "/nrcan/downloads/hotspots/archive/1950_hotspots.zip",
        "/static/moon.tif",
        "/static/../nbac/",
        "/nobody",
    ],
)
def test_what_is_not_there_is_not_found(url: str, path: str) -> None:
    assert requests.get(url + path, timeout=9).status_code == 404


def test_static_layers_are_geotiffs_of_the_worlds_cells(url: str, small_world: World) -> None:
    layers = static.layers(small_world)
    assert {"elevation", "fuel", "water", "road_distance"} <= set(layers)
    for name, expected in layers.items():
        with MemoryFile(get(url, f"/static/{name}.tif")) as memory, memory.open() as file:
            np.testing.assert_array_equal(file.read(1), expected)
            assert file.crs.to_epsg() == 3979
            assert file.transform == small_world.geobox.affine
            assert file.nodata not in expected
