"""What a store promises."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

Buffer = bytes | bytearray | memoryview


class Store(Protocol):
    """Whole objects under keys such as "sentinel2/clear/c/0/0/0"."""

    @property
    def address(self) -> str:
        """Where it is, for messages.

        Returns
        -------
        str
            A path, or "s3://bucket/prefix".
        """
        ...

    def read(self, key: str) -> bytes:
        """Read an object.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        bytes
            All of it.

        Raises
        ------
        FileNotFoundError
            If there is none.
        StoreError
            If the disk or the bucket refuses.
        """
        ...

    def put(self, objects: Iterable[tuple[str, Sequence[Buffer]]]) -> None:
        """Write objects, each whole and durable or not at all.

        They appear one after another in the order given, and none before all have been handed
        over: what fails while they are made or staged leaves every name as it was. All are durable
        when the call returns; if the power fails before, any of them may be there.

        Parameters
        ----------
        objects : iterable of (str, sequence of buffers)
            Key, and the content in pieces.

        Raises
        ------
        StoreError
            If the disk or the bucket refuses.
        """
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write an object only if nobody has; of several that try, one succeeds.

        Parameters
        ----------
        key : str
            Its name.
        content : bytes
            Unlike what any other process would write.

        Returns
        -------
        bool
            Whether it was this call that made it.

        Raises
        ------
        StoreError
            If the disk or the bucket refuses.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object, if it is there.

        Parameters
        ----------
        key : str
            Its name.

        Raises
        ------
        StoreError
            If the disk or the bucket refuses.
        """
        ...

    def names(self, folder: str) -> list[str]:
        """List the objects in a folder.

        Parameters
        ----------
        folder : str
            Such as "receipts".

        Returns
        -------
        list of str
            Sorted names without the folder; none if it does not exist.
        """
        ...

    def folders(self, name: str) -> list[str]:
        """List the folders that hold an object of some name.

        Parameters
        ----------
        name : str
            Such as "zarr.json".

        Returns
        -------
        list of str
            Sorted; of the first level only.
        """
        ...

    def modified(self, key: str) -> datetime:
        """Tell when an object was written, by the clock of the disk's or bucket's server.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        datetime
            UTC.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        ...
