"""Which process it is, so that others can tell whether it still lives."""

import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import psutil

_SLACK = 2.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process on a machine.

    Parameters
    ----------
    host : str
        Name of the machine, for people.
    machine : str
        This boot and process space of it: two machines of one name, or two containers, differ.
    pid : int
        Number of the process.
    started : float
        Seconds since 1970 at which it started: numbers come back, starts do not.
    """

    host: str
    machine: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> "Holder":
        """Describe this process.

        Returns
        -------
        Holder
            The one that asks.
        """
        pid = os.getpid()  # asked anew each time: a forked child is another
        return cls(host=socket.gethostname(), machine=_machine(), pid=pid, started=_start_of(pid))

    @property
    def alive(self) -> bool | None:
        """Whether it still runs.

        Returns
        -------
        bool or None
            None where this machine cannot tell.
        """
        if (self.host, self.machine) != (socket.gethostname(), _machine()):
            return None
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < _SLACK
            return bool(same and found.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    @property
    def label(self) -> str:
        """A file name that tells who it is.

        Returns
        -------
        str
            Read by :meth:`parse`.
        """
        host = "".join(c if c.isalnum() or c == "-" else "-" for c in self.host)
        return f"{host}.{self.machine}.{self.pid}.{self.started:.2f}"

    @classmethod
    def parse(cls, label: str) -> "Holder | None":
        """Read a label.

        Parameters
        ----------
        label : str
            A file name that begins with a label.

        Returns
        -------
        Holder or None
            None if it is none.
        """
        here = cls.here()
        parts = label.split(".")
        try:
            host, machine, pid, seconds, hundredths = parts[:5]
            started = float(f"{seconds}.{hundredths}")
            number = int(pid)
        except ValueError:
            return None
        same = here.label.split(".")[:2] == [host, machine]
        name = here.host if same else host
        return cls(host=name, machine=machine, pid=number, started=started)

    @property
    def record(self) -> dict[str, str | int | float]:
        """Its fields for JSON.

        Returns
        -------
        dict
            Arguments of the class.
        """
        return asdict(self)


@cache
def _start_of(pid: int) -> float:
    """When a process of this machine started."""
    return float(psutil.Process(pid).create_time())


@cache
def _machine() -> str:
    """Eight digits that name this boot and process space; the same for all where unknown."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    text = boot.read_text() if boot.exists() else ""
    text += str(space.readlink()) if space.is_symlink() else ""
    return sha256(text.encode()).hexdigest()[:8]
