"""The one place where secrets are taken out of what is written: messages, logs, receipts."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

VARIABLES = (
    "SH_CLIENT_ID", "SH_CLIENT_SECRET", "CDSAPI_KEY", "EARTHDATA_TOKEN", "EARTHDATA_PASSWORD",
    "CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "FIRMS_MAP_KEY",
)  # fmt: skip
_FILES = ("~/.cdsapirc", "~/.netrc", "~/.config/sentinelhub/config.toml", "~/.aws/credentials")
_IN_FILE = re.compile(
    r"""(?:key|secret|password|token|client_id)["']?[ \t]*[:= \t][ \t]*["']?([^\s"']+)""",
    re.IGNORECASE,
)
_SHORTEST = 8  # characters: shorter ones guard nothing, and are found in innocent words
_HIDDEN = "***"

_PATTERNS = (
    (re.compile(r"(//)[^/\s@:]+:[^/\s@]+@"), r"\1***@"),  # user and password in an address
    # What follows the question mark of an address: signatures of whoever made it.
    (re.compile(r"(https?://[^\s?#\"'<>]+)\?[^\s\"'<>)\]]*"), r"\1?***"),
    (re.compile(r"\b(Bearer|Basic|PRIVATE-TOKEN['\": ]*)\s+[\w.~+/=-]{8,}", re.I), r"\1 ***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.?[\w-]*"), _HIDDEN),  # JSON web tokens
    (
        re.compile(
            r"\b(X-Amz-\w+|A?K?Signature|sig|se|access_token|client_secret)=[^\s&\"']+", re.I
        ),
        r"\1=***",
    ),
)


def redact(text: str) -> str:
    """Take secrets out of a text.

    Parameters
    ----------
    text : str
        A message, perhaps with what a server or a library said.

    Returns
    -------
    str
        With ``***`` for this user's keys, whatever form they come in, for tokens of others, and
        for the queries of addresses.
    """
    for secret in sorted(set(_known()), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _known() -> Iterator[str]:
    """The user's keys: in variables, and in the files that clients read."""
    for name in VARIABLES:
        if len(value := os.environ.get(name, "")) >= _SHORTEST:
            yield value
    named = (os.environ.get("CDSAPI_RC"), os.environ.get("NETRC"))
    for file in (*_FILES, *filter(None, named)):
        yield from (found for found in _IN_FILE.findall(_text(file)) if len(found) >= _SHORTEST)


def _text(file: str) -> str:
    """A file's text; "" where there is none that can be read."""
    try:
        return Path(file).expanduser().read_text(errors="replace")
    except (OSError, RuntimeError):
        return ""


class RedactedFormatter(logging.Formatter):
    """A format for logs without secrets, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record.

        Parameters
        ----------
        record : logging.LogRecord
            Any.

        Returns
        -------
        str
            Its text, redacted as a whole.
        """
        return redact(super().format(record))
