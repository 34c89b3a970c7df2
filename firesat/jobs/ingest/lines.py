"""Whose turn it is: the blocks of each source wait in a line, and lines move in turn."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from firesat.blocks import Block
from firesat.jobs.ingest.breaker import Breaker, out_of_reach
from firesat.jobs.ingest.workplace import Outcome
from firesat.sources.base import Source
from firesat.sources.quotas import Quota

QUEUED = ("cds", "ewds")
"""Providers whose jobs wait in a queue of their own, for minutes or hours."""


@dataclass(kw_only=True)
class Line:
    """The blocks of one source that wait; made one by one, for a country has millions.

    Parameters
    ----------
    source : Source
        Where from.
    blocks : iterator of Block
        Those that nobody has begun.
    left : int
        How many wait.
    flying : int
        How many are on their way.
    """

    source: Source
    blocks: Iterator[Block]
    left: int
    flying: int = 0
    _back: deque[Block] = field(default_factory=deque)

    def take(self) -> Block | None:
        """Take the next block.

        Returns
        -------
        Block or None
            None at the end of the line.
        """
        block = self._back.popleft() if self._back else next(self.blocks, None)
        if block is None:
            self.left = 0
            return None
        self.left -= 1
        self.flying += 1
        return block

    def give_back(self, block: Block) -> None:
        """Put a block that was taken back to the head of the line.

        Parameters
        ----------
        block : Block
            Not ended.
        """
        self._back.appendleft(block)
        self.left += 1
        self.flying -= 1


class Lines:
    """All lines, and the breakers that hold some of them.

    Parameters
    ----------
    work : sequence of (Source, collection of Block)
        What is to be done.
    quotas : mapping of str to Quota
        What providers allow.
    budget : float
        Processing units that may be spent.
    """

    def __init__(
        self,
        work: Sequence[tuple[Source, Collection[Block]]],
        quotas: Mapping[str, Quota],
        budget: float,
    ) -> None:
        self._lines = deque(
            Line(source=source, blocks=iter(blocks), left=len(blocks)) for source, blocks in work
        )
        self._quotas, self._budget, self._spent = quotas, budget, 0.0
        self._breakers: dict[str, Breaker] = {}

    def next(self, window: int) -> tuple[Line, Block] | None:
        """Find the next block to begin, line by line in turn.

        Parameters
        ----------
        window : int
            Blocks that may be in flight; those that wait in a store's queue take half at most.

        Returns
        -------
        tuple of (Line, Block) or None
            None if nobody may begin anything now.
        """
        for _ in range(len(self._lines)):
            line = self._lines[0]
            self._lines.rotate(-1)
            if not self._may(line, window):
                continue
            block = line.take()
            if block is not None:
                return line, block
        return None

    def _may(self, line: Line, window: int) -> bool:
        """Whether a line may move."""
        if line.left <= 0:
            return False
        provider = line.source.provider
        if provider in QUEUED:
            same = sum(x.flying for x in self._lines if x.source.provider == provider)
            queued = sum(x.flying for x in self._lines if x.source.provider in QUEUED)
            places = self._quotas.get(provider, Quota()).connections
            if same >= places or queued >= max(1, window // 2):
                return False
        return self._breaker(line.source.layout.group).allows() and self._breaker(provider).allows()

    def _breaker(self, name: str) -> Breaker:
        """The breaker of a provider or a group."""
        return self._breakers.setdefault(name, Breaker())

    def learn(self, source: Source, outcome: Outcome) -> str:
        """Tell the breakers how a block ended, and count what it spent.

        Parameters
        ----------
        source : Source
            Of the block.
        outcome : Outcome
            How.

        Returns
        -------
        str
            Provider or group that is left alone from now on; "" = nobody new.
        """
        name = source.layout.group if outcome.trouble == "licence" else source.provider
        opened = self._breaker(name).note(outcome, lambda: out_of_reach(source))
        self._spent += outcome.meter.units
        if self._spent >= self._budget and outcome.meter.units and self._breaker(name).closed:
            reason = (
                f"{self._spent:.0f} processing units are spent of ingest.max_units "
                f"{self._budget:g}: raise it"
            )
            self._breaker(name).open(reason, final=True)
            opened = True
        return name if opened else ""

    def not_attempted(self) -> dict[str, int]:
        """Count what was left alone.

        Returns
        -------
        dict of int
            Blocks by the reason for it.
        """
        left: dict[str, int] = {}
        for line in self._lines:
            if line.left > 0:
                names = (line.source.layout.group, line.source.provider)
                held = next((b for n in names if not (b := self._breaker(n)).closed), Breaker())
                left[held.reason] = left.get(held.reason, 0) + line.left
        return left
