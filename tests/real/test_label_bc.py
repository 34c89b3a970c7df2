"""The perimeters of British Columbia, 2026, as labels: do the cells keep the official hectares?"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from firesat.cli.main import main
from firesat.grid import cell_area
from firesat.jobs.labels import Request, gather
from firesat.jobs.labels.areas import measure

PERIMETERS = "labels/bcws_2026/fire-perimeters.json"
BC = (-129.0, 48.5, -114.5, 59.0)


def official(real_data: Path) -> dict[int, float]:
    """Hectares by the number of the fire, as the agency gives them."""
    features = json.loads((real_data / PERIMETERS).read_text())["features"]
    facts = [feature["properties"] for feature in features]
    return {int(re.sub(r"\D", "", f["FIRE_NUM"])): f["CURRENT_SZ"] for f in facts}


def drawn(path: Path) -> dict[int, float]:
    """Hectares by the number of the fire, from a file of labels alone."""
    with rasterio.open(path) as file:
        cells = GeoBox(file.shape, file.transform, file.crs.to_string())
        fraction, number = file.read([1, 2])
    hectares = fraction.astype("float64") * cell_area(cells) / 1e4
    known = fraction > 0
    sums = np.bincount(number[known].astype(int), weights=hectares[known])
    return {int(n): float(sums[n]) for n in np.flatnonzero(sums)}


def test_nine_of_ten_real_fires_keep_their_official_hectares(real_data: Path) -> None:
    kept, compared, reasons = 0, 0, []
    for year in (2025, 2026):
        request = Request(
            perimeters=real_data / PERIMETERS, year=year, bbox=BC, output=Path("none.tif")
        )
        areas = measure(gather(request))
        kept, compared = kept + areas.kept, compared + areas.compared
        reasons += [outlier.reason for outlier in areas.outliers]
        rounding = 0.05 * areas.compared  # sizes are given to a tenth of a hectare
        assert areas.official == pytest.approx(areas.polygons, abs=rounding)
        assert areas.overlaps < 1
    assert compared == len(official(real_data)) == 90
    assert kept / compared >= 0.9
    assert all("rounded" in why or "polygon itself" in why for why in reasons)


def test_the_files_fires_hold_their_hectares(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "labels.tif"
    bbox = ["--bbox", "-122", "52", "-121", "53"]
    words = ["labels", str(real_data / PERIMETERS), "--year", "2026", *bbox, "-o", str(output)]
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    found, wanted = drawn(output), official(real_data)
    assert len(found) == shown["fires"] >= 2
    for number, hectares in found.items():
        assert hectares == pytest.approx(wanted[number], rel=0.01, abs=0.05), number
    assert sum(found.values()) == pytest.approx(shown["area_ha"]["fractions"], rel=1e-5)
    assert shown["perimeters"]["rows_by_year"] == {"2025": 1, "2026": 89}


@pytest.mark.exhaustive
def test_all_of_british_columbia_holds_its_hectares(real_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    bbox = ["--bbox", *map(str, BC)]
    words = ["labels", str(real_data / PERIMETERS), "--year", "2026", *bbox, "-o", str(output)]
    assert main(words) == 0
    found, wanted = drawn(output), official(real_data)
    good = [n for n, ha in wanted.items() if abs(found.get(n, 0.0) - ha) <= 0.01 * ha]
    assert len(good) >= 81  # of 90, one of which burned in 2025
