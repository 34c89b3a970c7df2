"""Objects as files of a disk, local or of a network."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from firesat.store.base import Buffer
from firesat.store.files import sync_folder
from firesat.store.holder import Holder
from firesat.store.refusal import refusal

ABANDONED = timedelta(days=1)  # age at which a part from another machine is nobody's any more

REMEMBERED = 10_000  # folders known to be durable; forgetting one costs an fsync

_numbers = count()


class DiskStore:
    """A folder of objects.

    Parameters
    ----------
    root : Path
        The folder.
    parts : Path
        Folder on the same disk for what is not complete; no reader looks there.
    """

    def __init__(self, root: Path, parts: Path) -> None:
        self.root = root
        self.parts = parts
        self._durable: set[Path] = set()

    @property
    def address(self) -> str:
        """Where it is, for messages.

        Returns
        -------
        str
            Its path.
        """
        return str(self.root)

    def read(self, key: str) -> bytes:
        """Read an object; see :class:`firesat.store.Store`.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        bytes
            All of it.
        """
        path = self.root / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise refusal(error, path, "read") from error

    def put(self, objects: Iterable[tuple[str, Sequence[Buffer]]]) -> None:
        """Write objects, each whole and durable or not at all; see :class:`firesat.store.Store`.

        Parameters
        ----------
        objects : iterable of (str, sequence of buffers)
            Key, and the content in pieces.
        """
        staged: list[tuple[Path, Path]] = []
        try:
            for key, pieces in objects:
                staged.append((self._stage(self.root / key, pieces), self.root / key))
            for part, path in staged:
                _guarded(path, os.rename, part, path)
        except BaseException:
            for part, _ in staged:
                _discard(part)
            raise
        for folder in dict.fromkeys(path.parent for _, path in staged):
            _guarded(folder, sync_folder, folder)

    def _stage(self, path: Path, pieces: Sequence[Buffer]) -> Path:
        """Write a part whose bytes are on the disk, ready to be renamed."""
        self._folder(self.parts)
        self._folder(path.parent)
        part = self.parts / f"{Holder.here().label}.{next(_numbers)}.part"
        size = sum(len(piece) for piece in pieces)
        try:
            _write(part, pieces)
        except BaseException as error:
            _discard(part)
            if isinstance(error, OSError):
                raise refusal(error, path, "written", size) from error
            raise
        return part

    def _folder(self, folder: Path) -> None:
        """Make a folder and its parents, and their names durable.

        One that is there already may have been made by another process that has not synced it yet:
        each process does so once.
        """
        if folder in self._durable and folder.is_dir():
            return
        if folder != folder.parent and not folder.parent.is_dir():
            self._folder(folder.parent)
        try:
            if not folder.is_dir():
                os.mkdir(folder)  # noqa: PTH102  the tests count the calls of os
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise refusal(error, folder, "made") from error
        _guarded(folder, sync_folder, folder.parent)
        if len(self._durable) > REMEMBERED:
            self._durable.clear()
        self._durable.add(folder)

    def create(self, key: str, content: bytes) -> bool:
        """Write an object only if nobody has; see :class:`firesat.store.Store`.

        Parameters
        ----------
        key : str
            Its name.
        content : bytes
            What to write.

        Returns
        -------
        bool
            Whether it was this call that made it.
        """
        path = self.root / key
        part = self._stage(path, [content])
        try:
            # A link, unlike open("x"), gives the name to a whole file, and NFS keeps it exclusive.
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise refusal(error, path, "created") from error
        finally:
            _guarded(part, os.unlink, part)
        _guarded(path, sync_folder, path.parent)
        return True

    def delete(self, key: str) -> None:
        """Remove an object, if it is there; see :class:`firesat.store.Store`.

        Parameters
        ----------
        key : str
            Its name.
        """
        path = self.root / key
        if path.exists():
            _guarded(path, os.unlink, path)

    def names(self, folder: str) -> list[str]:
        """List the objects in a folder; see :class:`firesat.store.Store`.

        Parameters
        ----------
        folder : str
            Such as "receipts".

        Returns
        -------
        list of str
            Sorted names.
        """
        try:
            return sorted(os.listdir(self.root / folder))  # noqa: PTH208  quick over many thousands
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refusal(error, self.root / folder, "listed") from error

    def folders(self, name: str) -> list[str]:
        """List the folders that hold an object; see :class:`firesat.store.Store`.

        Parameters
        ----------
        name : str
            Such as "zarr.json".

        Returns
        -------
        list of str
            Sorted.
        """
        return sorted(path.parent.name for path in self.root.glob(f"*/{name}"))

    def modified(self, key: str) -> datetime:
        """Tell when an object was written; see :class:`firesat.store.Store`.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        datetime
            UTC.
        """
        return datetime.fromtimestamp((self.root / key).stat().st_mtime, UTC)

    def sweep(self) -> int:
        """Remove the parts that dead processes have left; those of living ones stay.

        Returns
        -------
        int
            How many.
        """
        removed = 0
        for part in sorted(self.parts.glob("*.part")):
            writer = Holder.parse(part.name)
            if writer is not None and _abandoned(part, writer):
                _discard(part)
                removed += 1
        return removed


def _discard(part: Path) -> None:
    """Remove a part if the disk lets us; the next ingest sweeps what stays."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def _abandoned(part: Path, writer: Holder) -> bool:
    """Whether nobody will go on with a part."""
    if writer.alive is not None:
        return not writer.alive
    try:
        written = datetime.fromtimestamp(part.stat().st_mtime, UTC)
    except FileNotFoundError:  # finished meanwhile
        return False
    return datetime.now(UTC) - written > ABANDONED


def _write(part: Path, pieces: Sequence[Buffer]) -> None:
    """Write a new file and its bytes to the disk."""
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _guarded[**P](path: Path, call: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
    """Call the operating system, turning what it refuses into one line."""
    try:
        call(*args, **kw)
    except OSError as error:
        raise refusal(error, path, "written") from error
