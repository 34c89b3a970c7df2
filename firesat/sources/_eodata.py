"""The archive of Copernicus products over S3: whole files, by no more connections than allowed."""

import hashlib
import os
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.credentials import Credentials, SharedCredentialProvider
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  botocore's own
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
)
from filelock import FileLock, Timeout

from firesat.errors import ConfigError, CorruptFileError, CredentialsError, ProviderError
from firesat.sources._door import unreachable
from firesat.sources._products import BUCKET, Stored

KEY_VARIABLES = ("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY")
PROFILE = "cdse"  # of ~/.aws/credentials: keys of another cloud are never sent to this one

_NO_WAY_IN = (ConnectTimeoutError, EndpointConnectionError)
_KNOCKS = 2  # without a connection: more would only cost every other block its time

_CHUNK = 1 << 20
_LONGEST_WAIT = 120.0  # seconds, whatever a server asks for
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_KEY_PROBLEMS = {401, 403}
_NEW_KEY = (
    "make a pair at https://eodata-s3keysmanager.dataspace.copernicus.eu and put it in "
    f"{KEY_VARIABLES[0]} and {KEY_VARIABLES[1]}, or as profile [{PROFILE}] into ~/.aws/credentials"
)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The bucket of Copernicus products, through boto3.

    Parameters
    ----------
    endpoint : str
        Address of the S3 service.
    attempts : int
        Downloads tried before giving up.
    pause : float
        Seconds before the second attempt; twice as long before each further one.
    """

    endpoint: str
    attempts: int
    pause: float

    def client(self) -> Any:  # noqa: ANN401  boto3 makes its classes at run time
        """Open a client; threads may share it.

        Returns
        -------
        botocore.client.S3
            That tries once: patience is kept here.

        Raises
        ------
        CredentialsError
            If there is no key.
        ConfigError
            If the AWS settings on this machine cannot be used.
        """
        key = find_key()
        try:
            return _client(self.endpoint, key.access_key, key.secret_key, key.token)
        except (BotoCoreError, ValueError) as error:
            raise ConfigError(f"no S3 client for {self.endpoint} ({error}): correct it") from error

    def download(self, client: Any, stored: Stored, path: Path) -> None:  # noqa: ANN401
        """Download a file whole and compare it with what the catalogue says of it.

        Parameters
        ----------
        client : botocore.client.S3
            Of this archive.
        stored : Stored
            What to fetch.
        path : Path
            Where to write it; what stands there is replaced.

        Raises
        ------
        CredentialsError
            If the key is refused or has expired.
        ProviderError
            If the archive fails, limits or has no such file.
        CorruptFileError
            If it sends other bytes than the catalogue says, twice.
        """
        for _ in range(2):
            size, digest = self._fetch(client, stored, path)
            if size == (stored.size or size) and digest == (stored.digest[1] or digest):
                return
        raise CorruptFileError(
            f"{path} has {size} bytes and the sum {digest}, the catalogue says {stored.size} and "
            f"{stored.checksum}: run the command again"
        )

    def _fetch(self, client: Any, stored: Stored, path: Path) -> tuple[int, str]:  # noqa: ANN401
        """Download, with patience for what may pass; give the size and the sum of what came."""
        for attempt in range(1, self.attempts + 1):
            try:
                body = client.get_object(Bucket=BUCKET, Key=stored.key)["Body"]
                with body, path.open("wb") as file:
                    return _copy(body.iter_chunks(_CHUNK), file, stored.digest[0])
            except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
                if isinstance(error, _NO_WAY_IN) and attempt == _KNOCKS:
                    raise unreachable(self.endpoint, error) from error
                reason, asked = type(error).__name__, None
            except ClientError as error:
                reason, asked = self._refusal(error, stored), _retry_after(error)
            if attempt < self.attempts:
                time.sleep(_wait(attempt, self.pause, asked))
        raise ProviderError(
            f"{self.endpoint} did not deliver {stored.key} in {self.attempts} attempts ({reason}): "
            "run the command again later"
        )

    def _refusal(self, error: ClientError, stored: Stored) -> str:
        """What to call a refusal that may pass; any other is raised."""
        answer = error.response
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(answer.get("Error", {}).get("Code", ""))[:60]
        if status in _TRANSIENT:
            return f"HTTP {status} {code}"
        if status in _KEY_PROBLEMS or code == "ExpiredToken":
            raise CredentialsError(
                f"{self.endpoint} refuses the key (HTTP {status} {code}), which may have expired: "
                f"{_NEW_KEY}"
            ) from error
        raise ProviderError(
            f"{self.endpoint} answered HTTP {status} {code} for {stored.key}: run the command "
            "again later"
        ) from error


def find_key() -> Credentials:
    """Find the user's key: the variables, else the profile.

    Returns
    -------
    Credentials
        Never printed.

    Raises
    ------
    CredentialsError
        If there is none.
    """
    access, secret = (os.environ.get(name) for name in KEY_VARIABLES)
    if access and secret:
        return Credentials(access, secret)
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    try:
        found = SharedCredentialProvider(file, PROFILE).load()
    except BotoCoreError as error:
        raise CredentialsError(f"{file} cannot be used ({error}): repair it") from error
    if found is None:
        raise CredentialsError(f"no key for the Copernicus archive: {_NEW_KEY}")
    return found


@lru_cache(maxsize=4)  # one takes a second to make
def _client(endpoint: str, access_key: str, secret_key: str, token: str | None) -> Any:  # noqa: ANN401
    """A client that tries once and expects nothing of AWS's own."""
    config = Config(
        signature_version="s3v4",
        connect_timeout=10,
        read_timeout=60,
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": "path"},
        # sums of AWS's own kind are not known to other services
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        region_name="default",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=config,
    )


def _copy(chunks: Iterable[bytes], file: BinaryIO, digest: str) -> tuple[int, str]:
    """Write a body as it comes and sum it up meanwhile; give its size and sum."""
    summed, size = hashlib.new(digest or "md5", usedforsecurity=False), 0
    for chunk in chunks:
        file.write(chunk)
        size += len(chunk)
        if digest:
            summed.update(chunk)
    return size, summed.hexdigest() if digest else ""


@contextmanager
def connection(cache: Path, count: int) -> Iterator[None]:
    """Hold one of the connections that all processes sharing a cache may have open together.

    Parameters
    ----------
    cache : Path
        Folder shared by all workers.
    count : int
        Connections in all.

    Yields
    ------
    None
        Download inside.
    """
    locks = [FileLock(cache / f".connection-{number}.lock") for number in range(count)]
    while True:
        for lock in locks:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            try:
                yield
            finally:
                lock.release()
            return
        time.sleep(0.05)


def _retry_after(error: ClientError) -> float | None:
    """Seconds that the server asks to wait."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    text = str(headers.get("retry-after", ""))
    return float(text) if text.isdecimal() else None


def _wait(attempt: int, pause: float, asked: float | None) -> float:
    """Seconds before the next attempt: as told, else doubling, never all workers at once."""
    planned = pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    return float(min(planned if asked is None else asked + planned / 4, _LONGEST_WAIT))
