"""Objects of an S3 bucket, by obstore."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from firesat.errors import ConfigError, StoreError
from firesat.store.base import Buffer

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import S3Store
except ModuleNotFoundError as missing:
    raise ConfigError("cubes in a bucket need obstore: pip install 'firesat[s3]'") from missing


REFUSALS = (BaseError, FileNotFoundError)  # the second, of a PUT, is a bucket that is not there
RETRIES = 8
PATIENCE = timedelta(seconds=60)


class BucketStore:
    """Objects under a prefix of a bucket.

    Address and credentials are those of the environment: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL`` for another provider than
    Amazon, or the machine's role. A PUT is whole or not at all, and durable when it is answered.

    Parameters
    ----------
    bucket, prefix : str
        Where.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._address = f"s3://{bucket}/{prefix}"
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        plain = endpoint.startswith("http://")
        self.native = S3Store(
            bucket,
            prefix=prefix,
            client_options={"allow_http": plain},
            retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        )

    @property
    def address(self) -> str:
        """Where it is, for messages.

        Returns
        -------
        str
            "s3://bucket/prefix".
        """
        return self._address

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
        try:
            return bytes(obstore.get(self.native, key).bytes())
        except BaseError as error:
            raise self._refusal(error, key, "read") from error

    def put(self, objects: Iterable[tuple[str, Sequence[Buffer]]]) -> None:
        """Write objects, each whole and durable or not at all; see :class:`firesat.store.Store`.

        Parameters
        ----------
        objects : iterable of (str, sequence of buffers)
            Key, and the content in pieces.
        """
        for key, pieces in list(objects):
            content = b"".join(pieces)
            try:
                obstore.put(self.native, key, content, use_multipart=False)
            except REFUSALS as error:
                raise self._refusal(error, key, "written", len(content)) from error

    def create(self, key: str, content: bytes) -> bool:
        """Write an object only if nobody has; see :class:`firesat.store.Store`.

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
        """
        try:
            obstore.put(self.native, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return self.read(key) == content  # our own first try, whose answer was lost
        except REFUSALS as error:
            raise self._refusal(error, key, "created", len(content)) from error
        return True

    def delete(self, key: str) -> None:
        """Remove an object, if it is there; see :class:`firesat.store.Store`.

        Parameters
        ----------
        key : str
            Its name.
        """
        try:
            obstore.delete(self.native, key)  # S3 does not say whether it was there
        except REFUSALS as error:
            raise self._refusal(error, key, "removed") from error

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
            found = [meta["path"] for page in obstore.list(self.native, folder) for meta in page]
        except REFUSALS as error:
            raise self._refusal(error, folder, "listed") from error
        return sorted(path.removeprefix(f"{folder}/") for path in found)

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
        try:
            folders = obstore.list_with_delimiter(self.native)["common_prefixes"]
        except REFUSALS as error:
            raise self._refusal(error, "", "listed") from error
        return sorted(folder for folder in folders if self._has(f"{folder}/{name}"))

    def _has(self, key: str) -> bool:
        """Whether an object is there."""
        try:
            self.modified(key)
        except FileNotFoundError:
            return False
        return True

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
        try:
            written: datetime = obstore.head(self.native, key)["last_modified"]
        except BaseError as error:
            raise self._refusal(error, key, "read") from error
        return written

    def _refusal(self, error: Exception, key: str, what: str, needed: int = 0) -> StoreError:
        """What the bucket has refused, in one line."""
        words = " ".join(str(error).split("Debug source")[0].split())
        room = f" ({needed} bytes)" if needed else ""
        return StoreError(
            f"{self.address}/{key} cannot be {what}{room}: {words[:300]}: check the AWS_* "
            "variables and the rights of their key, then run the command again: what is finished "
            "is kept"
        )
