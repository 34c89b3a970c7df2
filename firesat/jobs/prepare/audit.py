"""Audit the chips of a project, and refuse those that leak."""

from pathlib import Path

from firesat.audit import AuditReport, AuditSettings, audit_chips
from firesat.errors import LeakError
from firesat.samples import Progress, SampleSettings, silent


def audit(
    settings: SampleSettings,
    cube_path: Path,
    how: AuditSettings,
    progress: Progress = silent,
) -> AuditReport:
    """Look for anything that the chips know and a forecaster could not have known.

    Parameters
    ----------
    settings : SampleSettings
        With the path of the chips.
    cube_path : Path
        The cube that they were cut from.
    how : AuditSettings
        How many are read again.
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
    return audit_chips(settings, cube_path, how, progress)


def refuse_leaks(report: AuditReport) -> None:
    """Refuse chips that leak.

    Parameters
    ----------
    report : AuditReport
        Of these chips.

    Raises
    ------
    LeakError
        Naming every failed check, and the first leak of the first.
    """
    if report.passed:
        return
    failed = ", ".join(f"{check.name} ({check.number})" for check in report.failed)
    raise LeakError(
        f"the chips at {report.store} leak: {failed}. {report.failed[0].leaks[0]}. "
        "Run firesat audit to see all, and firesat sample again"
    )
