"""The leakage audit: what chips know that a forecaster could not have known.

It reads the chips and the cube again and does not go by what the reader says of itself::

    evidence  chips beside the cube; times of arrival from the ledger's receipts
    apart     one fire in two splits; kilometres and days between splits
    design    chances of the draw; the clock of the cube
    scenes    looks published after T; scenes taken after a burning cell may have burned
    bands     truth among the inputs; a scaler that knows other splits
    horizon   weather that nobody knew
    again     chips read again from a cube without anything that came after T
    run       all of it
"""

from firesat.audit.result import AuditReport, Check
from firesat.audit.run import audit_chips
from firesat.audit.settings import AuditSettings

__all__ = ["AuditReport", "AuditSettings", "Check", "audit_chips"]
