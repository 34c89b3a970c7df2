"""What an audit found, check by check."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SHOWN = 20
"""Leaks of a check that are named; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question and its answer.

    Parameters
    ----------
    name : str
        Such as "looks".
    question : str
        What was looked for.
    found : str
        What was measured, in a few words.
    leaks : tuple of str
        One line for each leak: which chip, fire or band. The first `SHOWN` of them.
    number : int
        Of all leaks.
    """

    name: str
    question: str
    found: str
    leaks: tuple[str, ...] = ()
    number: int = 0

    @property
    def passed(self) -> bool:
        """Whether there was no leak.

        Returns
        -------
        bool
            True where the answer is as it should be.
        """
        return not self.number


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """All checks of a store.

    Parameters
    ----------
    store, cube : Path
        What was looked at.
    chips : int
        All of them.
    checks : list of Check
        In the order in which they were made.
    """

    store: Path
    cube: Path
    chips: int
    checks: list[Check]

    @property
    def passed(self) -> bool:
        """Whether every check passed.

        Returns
        -------
        bool
            False on any leak.
        """
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        """The checks that found leaks.

        Returns
        -------
        list of Check
            Empty when all is well.
        """
        return [check for check in self.checks if not check.passed]

    @property
    def record(self) -> dict[str, Any]:
        """Itself as JSON can hold it.

        Returns
        -------
        dict
            With the verdicts.
        """
        checks = [{**asdict(check), "passed": check.passed} for check in self.checks]
        return {
            "store": str(self.store),
            "cube": str(self.cube),
            "chips": self.chips,
            "passed": self.passed,
            "checks": checks,
        }


class Leaks:
    """Leaks as they are found; the first few are kept."""

    def __init__(self) -> None:
        self.number = 0
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Count a leak.

        Parameters
        ----------
        line : str
            Which chip, fire or band.
        """
        self.number += 1
        if len(self.lines) < SHOWN:
            self.lines.append(line)

    def extend(self, lines: Iterable[str]) -> None:
        """Count several.

        Parameters
        ----------
        lines : iterable of str
            One each.
        """
        for line in lines:
            self.add(line)

    def check(self, name: str, question: str, found: str) -> Check:
        """Make a check of them.

        Parameters
        ----------
        name, question, found : str
            See :class:`Check`.

        Returns
        -------
        Check
            Failed if there was any.
        """
        return Check(
            name=name,
            question=question,
            found=found,
            leaks=tuple(self.lines),
            number=self.number,
        )
