"""The audit: all checks of a store, against the cube that it was cut from."""

from collections.abc import Callable
from pathlib import Path

from firesat.audit.again import check_again
from firesat.audit.apart import check_apart, check_fires
from firesat.audit.bands import Statistics, Truths
from firesat.audit.design import check_clock, check_design, check_settings
from firesat.audit.evidence import Evidence
from firesat.audit.horizon import Horizon
from firesat.audit.result import AuditReport, Check
from firesat.audit.scenes import Burning, Looks
from firesat.audit.settings import AuditSettings
from firesat.audit.watcher import Watcher
from firesat.chipstore import ChipStore
from firesat.cube import grid_of
from firesat.samples import Reader, SampleSettings
from firesat.samples.winters import fire_groups

Progress = Callable[[int, int, str], None]


def audit_chips(
    settings: SampleSettings, cube_path: Path, how: AuditSettings, progress: Progress
) -> AuditReport:
    """Look for anything that the chips know and a forecaster could not have known.

    Parameters
    ----------
    settings : SampleSettings
        Of the config; the store stands at its `path`.
    cube_path : Path
        The cube that the chips were cut from.
    how : AuditSettings
        How many chips are read again.
    progress : callable
        Called with (done, total, text).

    Returns
    -------
    AuditReport
        Every check, passed or not.

    Raises
    ------
    SampleError
        If there are no chips, or they were made with other settings.
    """
    evidence = Evidence(ChipStore(settings.path), cube_path)
    check_settings(evidence, settings)
    groups = fire_groups(Reader(cube_path, settings.inputs), settings, grid_of(cube_path))
    total = len(evidence.chips) + 1
    progress(0, total, "fires and places")
    checks = [
        check_fires(evidence, groups, settings),
        check_apart(evidence, settings),
        check_design(evidence, settings),
        check_clock(evidence, settings.inputs.groups),
    ]
    checks += _pass_over(evidence, settings, progress)
    progress(total - 1, total, "reading again")
    checks.append(check_again(evidence, settings.inputs, how))
    progress(total, total, "audit")
    return AuditReport(
        store=settings.path, cube=cube_path, chips=len(evidence.chips), checks=checks
    )


def _pass_over(evidence: Evidence, settings: SampleSettings, progress: Progress) -> list[Check]:
    """Ask every question of every chip, each chip read once."""
    watchers: list[Watcher] = [
        Looks(evidence),
        Burning(evidence),
        Truths(evidence, settings.inputs.burnt),
        Statistics(evidence),
        Horizon(evidence, settings.inputs),
    ]
    for chip in evidence.chips:
        progress(chip.number, len(evidence.chips) + 1, f"chips of {chip.day}")
        fields = evidence.store[chip.number]
        for watcher in watchers:
            watcher.see(chip, fields)
    return [watcher.check() for watcher in watchers]
