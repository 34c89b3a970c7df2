"""Calibrate a forecaster on full maps of seasons that it did not learn from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from firesat.batch import HEADS
from firesat.calibration import Curve, events, fit_curve
from firesat.cube import grid_of
from firesat.errors import ConfigError
from firesat.jobs.evaluate.published import find
from firesat.jobs.evaluate.record import Record, parts
from firesat.jobs.evaluate.run import Progress, inputs_of
from firesat.metrics import EvaluateSettings
from firesat.metrics.bootstrap import Blocks, Homes
from firesat.metrics.calibration import calibration_slope
from firesat.metrics.tally import FINE, coarsen, level_of
from firesat.samples import Truth
from firesat.sampling import issue_days
from firesat.window import Period, Window

SPLIT = "val"
"""Split on whose maps forecasters are calibrated: neither that of the training nor the test."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The curve of one process, and what it rests on.

    Parameters
    ----------
    curve : Curve
        From log odds said to log odds seen.
    cells, burned : int
        Of the held-out maps.
    expected : float
        Cells that the uncalibrated maps expected to burn.
    slope : float
        Of the uncalibrated maps, see `firesat.metrics.calibration`; NaN where nothing burned.
    fires, blocks : int
        That burned, and independent blocks in which they did.
    """

    curve: Curve
    cells: int
    burned: int
    expected: float
    slope: float
    fires: int
    blocks: int

    @property
    def record(self) -> dict[str, Any]:
        """Plain values to be kept.

        Returns
        -------
        dict
            All but the curve.
        """
        return {name: value for name, value in asdict(self).items() if name != "curve"}


def held_out_days(
    splits: Mapping[str, Sequence[Period]], window: Window, *, needed: bool = True
) -> list[str]:
    """List the issue days of the split on which forecasters are calibrated.

    Parameters
    ----------
    splits : mapping of str to sequence of Period
        Of the chips.
    window : Window
        Of the forecasts.
    needed : bool
        Whether to refuse a split that holds none.

    Returns
    -------
    list of str
        Windows follow each other and do not overlap.

    Raises
    ------
    ConfigError
        If there is none, but one is needed.
    """
    days = issue_days(splits.get(SPLIT, ()), window.horizon, window)
    if not days and needed:
        raise ConfigError(
            f"sample.splits.{SPLIT} holds no whole window of {window.horizon} days: give a period "
            "after those of train, on whose maps the forecaster can be calibrated"
        )
    return days


@dataclass
class HeadCounts:
    """Full maps, counted process by process.

    Parameters
    ----------
    blocks : Blocks
        How space and time are cut.
    fine : dict of str to ndarray of float64, shape (3, FINE)
        By process: cells, burned cells and expected cells by bin of the forecast.
    fires : dict of str to set of (int, int)
        By process: year and number of each fire that burned.
    homes : dict of str to set of int
        By process: blocks in which they are at home.
    """

    blocks: Blocks
    fine: dict[str, Floats] = field(
        default_factory=lambda: {head: np.zeros((3, FINE)) for head in HEADS}
    )
    fires: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    homes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _settled: Homes = field(default_factory=Homes)

    def add(
        self, day: str, cells: GeoBox, chances: NDArray[np.floating[Any]], truth: Truth
    ) -> None:
        """Count one issue day of some cells.

        Parameters
        ----------
        day : str
            Issue day.
        cells : GeoBox
            Cells of 100 m.
        chances : ndarray of float, shape (2, Y, X)
            Of each process. NaN and 0 are no answers of the network and do not count: a product
            abstains, or knows that a cell cannot burn.
        truth : Truth
            What burned there.
        """
        issue = np.datetime64(day, "D")
        block = self.blocks.index(cells, issue)
        for number, head in enumerate(HEADS):
            said = chances[number]
            counted = truth.valid[number].astype(bool) & (said > 0)
            level, p = level_of(said[counted]), said[counted].astype(np.float64)
            burned = truth.label[number][counted].astype(bool)
            rows = [np.ones(len(p)), burned, p]
            self.fine[head] += [np.bincount(level, row, minlength=FINE) for row in rows]
            fire = truth.fire_id[counted].astype(np.int64)
            home = self._settled.settle(block[counted], burned, fire, issue)
            self.homes[head] |= set(np.unique(home[burned]).tolist())
            self.fires[head] |= {(issue.item().year, n) for n in np.unique(fire[burned]).tolist()}

    def fit(self) -> dict[str, Fitted]:
        """Fit the curves.

        Returns
        -------
        dict of str to Fitted
            By process.
        """
        return {head: self._fit(head) for head in HEADS}

    def _fit(self, head: str) -> Fitted:
        """The curve of one process."""
        cells, burned, expected = (coarsen(row) for row in self.fine[head])
        fires, blocks = len(self.fires[head]), len(self.homes[head])
        return Fitted(
            curve=fit_curve(cells, burned, expected, events(fires, blocks)),
            cells=int(cells.sum()),
            burned=int(burned.sum()),
            expected=float(expected.sum()),
            slope=calibration_slope(cells, burned, expected),
            fires=fires,
            blocks=blocks,
        )


def record_of(fitted: Mapping[str, Fitted], days: Sequence[str]) -> dict[str, Any]:
    """Write down a calibration, as a forecaster's folder keeps it.

    Parameters
    ----------
    fitted : mapping of str to Fitted
        By process.
    days : sequence of str
        Issue days of the maps.

    Returns
    -------
    dict
        Plain values, but for ``method``.
    """
    return {
        "curves": {head: each.curve.record for head, each in fitted.items()},
        "rests_on": {head: each.record for head, each in fitted.items()},
        "days": list(days),
    }


def calibrate(
    settings: EvaluateSettings,
    cube_path: Path,
    forecasts: Path,
    days: Sequence[str],
    progress: Progress,
) -> dict[str, Fitted]:
    """Fit the curves of a forecaster to its maps of held-out days.

    Parameters
    ----------
    settings : EvaluateSettings
        How space and time are cut into blocks.
    cube_path : Path
        A cube with labels of the held-out season.
    forecasts : Path
        Maps of the uncalibrated forecaster.
    days : sequence of str
        Issue days to read, from :func:`held_out_days`.
    progress : callable
        Called with (done, total, what has just ended).

    Returns
    -------
    dict of str to Fitted
        By process.

    Raises
    ------
    ConfigError
        If there are no maps, or maps of different forecasters.
    CubeError
        If the cube lacks labels.
    """
    made = [each for each in find(forecasts) if str(each.day) in set(days)]
    counts = HeadCounts(
        Blocks.of(settings.block_km, settings.block_days, [each.day for each in made])
    )
    inputs, grid = inputs_of(made[0]), grid_of(cube_path)
    some = parts(grid)
    for number, cells in enumerate(some):
        record = Record(cube_path, inputs, cells)
        for step, each in enumerate(made):
            maps = each.read(cells)
            chances = np.stack([maps[f"p_{head}"] for head in HEADS])
            counts.add(str(each.day), cells, chances, record.truth(str(each.day)))
            progress(number * len(made) + step + 1, len(some) * len(made), str(each.day))
    return counts.fit()
