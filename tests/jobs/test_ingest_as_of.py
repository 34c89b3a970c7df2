"""An ingest as if it were another moment: what was published later is not missing yet."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from firesat.errors import ConfigError
from firesat.jobs.ingest import plan
from firesat.jobs.ingest.block import published_by
from firesat.project import load
from firesat.sources.settings import IngestSettings

ROOT = Path(__file__).resolve().parents[2]


def test_today_s_analysis_ends_five_days_ago_and_today_s_run_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = load(ROOT / "configs" / "operational.yaml")
    reference = np.datetime64("2023-07-01T12:00:00")
    assert project.ingest.moment == reference
    plans = {each.source.layout.group: each for each in plan(project)}
    runs = [block.times[0] for block in plans["nwp_ecmwf"].missing]
    assert max(runs) == np.datetime64("2023-07-01")  # of 00 UTC, out at 9
    scenes = [block.times[0] for block in plans["sentinel2"].missing]
    assert max(scenes) == np.datetime64("2023-06-29")  # ends 30 June, 12 UTC, and a day to publish
    seasons = [str(block.times[0])[:4] for block in plans["nbac"].missing]
    assert seasons == ["2022"]  # this season's perimeters are published when it is over
    assert plans["nwp_ecmwf"].later > 0


def test_steps_that_were_published_later_are_left_out_of_a_block() -> None:
    known = np.array(["2023-07-01T11", "2023-07-01T12", "2023-07-01T13", "NaT"], "datetime64[s]")
    layer = xr.Dataset(
        {"hotspot_count": (("time", "x"), np.arange(8, dtype="u2").reshape(4, 2))},
        coords={"available_time": ("time", known)},
    )
    left = published_by(layer, np.datetime64("2023-07-01T12:00"))
    assert np.isnat(left["available_time"].values).tolist() == [False, False, True, True]
    np.testing.assert_array_equal(left["hotspot_count"], [[0, 1], [2, 3], [np.nan, np.nan], [6, 7]])
    assert published_by(layer, np.datetime64("2023-07-02")) is layer


@pytest.mark.parametrize("moment", ["tomorrow", "2023-07-01T12:00-06:00", "2023-13-01"])
def test_a_moment_that_is_none_or_not_utc_is_refused(moment: str) -> None:
    with pytest.raises(
        ConfigError, match=r"ingest\.as_of is .*: write it as 2023-07-01T12:00, UTC"
    ):
        IngestSettings(as_of=moment)
