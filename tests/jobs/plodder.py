"""A source that needs nobody, and says in a journal what it was asked for and when."""

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from firesat.blocks import Block, Layout, Variable
from firesat.errors import CredentialsError, ProviderError, UnreachableError
from firesat.sources._layers import empty, layer
from firesat.sources.base import Scene
from firesat.sources.quotas import Cost


@dataclass(frozen=True, kw_only=True)
class Plodder:
    """One tile and day a block, at 10 km, of a number made from the day.

    The variable PLODDER_SECONDS makes it slower, and is no setting that would shape a cube.
    `trouble` says what happens to blocks: "" nothing, "hang", "hang_once", "silent", "refused",
    "bad"; `only` to which step it happens, -1 = all.
    """

    provider: ClassVar[str] = "plodder"

    journal: str
    seconds: float = 0.0
    trouble: str = ""
    only: int = -1
    units: float = 0.0
    base_url: str = "http://127.0.0.1:9"
    group: str = "plodder"

    @property
    def layout(self) -> Layout:
        return Layout(
            group=self.group,
            level=10_000,
            variables=(Variable(name="t2m"),),
            attrs={
                "source": "made",
                "provider": "plodder",
                "licence": "none",
                "latency_hours": 0.0,
            },
        )

    def times(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        return days

    def check(self) -> None:
        if "PLODDER_KEY" not in os.environ:
            raise CredentialsError("no key: set PLODDER_KEY")

    def cost(self, blocks: Collection[Block]) -> Cost:
        return Cost(requests=len(blocks), units=self.units * len(blocks), basis="counted")

    def search(self, block: Block) -> list[Scene]:
        moment = block.times[0].astype("datetime64[s]")
        name = f"{block.key.replace('/', '-')}"
        return [Scene(id=name, source=self.group, observed=moment, available=moment)]

    def fetch(self, scene: Scene, cache: Path) -> Path:
        step = int(scene.id.split("-")[1])
        self._note("begun", scene.id)
        if self.only in (-1, step):
            self._trouble(scene.id)
        time.sleep(float(os.environ.get("PLODDER_SECONDS", self.seconds)))
        return Path(scene.id)

    def read(self, path: Path) -> xr.Dataset:
        return xr.Dataset({"step": int(path.name.split("-")[1])})

    def compose(self, scenes: Sequence[tuple[Scene, xr.Dataset]], block: Block) -> xr.Dataset:
        values = empty(block)
        values[:] = 280.0 + block.index[0]
        available = block.times[0].astype("datetime64[s]")
        self._note("made", scenes[0][0].id)
        return layer({"t2m": values}, block, np.array([available]))

    def _trouble(self, name: str) -> None:
        first = len(self.events("begun", name)) == 1
        if self.trouble == "hang" or (self.trouble == "hang_once" and first):
            time.sleep(3600)
        if self.trouble == "silent":
            raise UnreachableError("plodder did not answer")
        if self.trouble == "refused":
            raise CredentialsError("plodder refuses the key")
        if self.trouble == "bad":
            raise ProviderError("plodder answers nonsense")

    def _note(self, what: str, name: str) -> None:
        with Path(self.journal).open("a") as file:  # one short write: lines do not mix
            file.write(f"{what} {name} {os.getpid()}\n")

    def events(self, what: str, name: str = "") -> list[list[str]]:
        """Lines of the journal of one kind."""
        path = Path(self.journal)
        lines = path.read_text().splitlines() if path.exists() else []
        found = [line.split() for line in lines]
        return [line for line in found if line[0] == what and name in ("", line[1])]
