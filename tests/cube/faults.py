"""Faults under a store: each call it makes of the operating system is counted, and may fail."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firesat.store import Holder

CALLS = ("open", "write", "fsync", "rename", "link", "unlink", "mkdir")


class Killed(BaseException):
    """This process is dead: whatever it still tries does not happen."""


@dataclass
class Shim:
    """What a store asks of the operating system under a folder.

    `before(number, name)` is called before each call and may raise; calls are numbered from 1.
    """

    root: Path
    before: Callable[[int, str], None] = lambda number, name: None
    number: int = 0
    log: list[tuple[Any, ...]] = field(default_factory=list)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)
    files: dict[int, Path] = field(default_factory=dict)

    def step(self, name: str) -> None:
        self.number += 1
        self.before(self.number, name)

    def inside(self, path: object) -> bool:
        text = os.fspath(path) if isinstance(path, str | Path) else ""
        return text.startswith(str(self.root))

    def key(self, path: object) -> str:
        return str(Path(str(path)).relative_to(self.root))

    @contextmanager
    def under(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["Shim"]:
        with monkeypatch.context() as patch:
            real = {name: getattr(os, name) for name in CALLS}
            for name in CALLS:
                patch.setattr(os, name, self.wrapped(name, real[name]))
            patch.setattr(sqlite3, "connect", self.connecting(sqlite3.connect))
            yield self

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def shim(first: Any, *rest: Any, **kw: Any) -> Any:
            path = self.files.get(first) if isinstance(first, int) else first
            if not self.inside(path):
                return call(first, *rest, **kw)
            opened_folder = name == "open" and not rest[0] & os.O_CREAT
            if not opened_folder:  # opening a folder to sync it changes nothing
                self.step(name)
            result = call(first, *rest, **kw)
            if name == "open":
                self.files[result] = Path(path)
            self.note(name, path, rest, result, opened_folder)
            return result

        return shim

    def note(self, name: str, path: Any, rest: Any, result: Any, opened_folder: bool) -> None:
        """Log what has happened, for the disk that forgets."""
        if opened_folder:
            return
        key = self.key(path)
        if name == "write":
            self.log.append(("write", key, bytes(rest[0][:result])))
        elif name in ("rename", "link"):
            self.log.append((name, key, self.key(rest[0])))
            if self.key(rest[0]).find(".ledger/receipts/") >= 0:
                self.log.append(("renamed receipt", self.key(rest[0])))
        elif name == "fsync" and Path(path).is_dir():
            self.log.append(("fsync folder", key))
        else:
            self.log.append((name, key))

    def connecting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def shim(place: str, **kw: Any) -> Any:
            path = place.removeprefix("file:").split("?")[0]
            if self.inside(path):
                self.step("sqlite")
                if Path(path).exists():
                    self.log.append(("sqlite", self.key(path), Path(path).read_bytes()))
            return call(place, **kw)

        return shim


def dies_at(number: int) -> Callable[[int, str], None]:
    """Death before a call: it and all later ones do not happen."""

    def before(now: int, name: str) -> None:
        if now >= number:
            raise Killed(name)

    return before


def fails_at(number: int, code: int, lasting: bool) -> Callable[[int, str], None]:
    """An error of the operating system at a call, once or from then on."""

    def before(now: int, name: str) -> None:
        if now == number or (lasting and now > number):
            if name == "sqlite":
                raise sqlite3.OperationalError(os.strerror(code))
            raise OSError(code, os.strerror(code))

    return before


@contextmanager
def as_process(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Act under another process's name, such as one that is dead already."""
    with monkeypatch.context() as patch:
        patch.setattr(Holder, "here", classmethod(lambda _: holder))
        yield
