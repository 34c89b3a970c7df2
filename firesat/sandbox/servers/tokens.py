"""Signed texts: access tokens that expire, and addresses that need no login."""

import base64
import hashlib
import hmac
import json
import time
import uuid

_KEY = b"sandbox"  # guards nothing: it tells the server's own tokens from made-up ones


def sign(text: str) -> str:
    """Sign a text.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()


def is_signed(text: str, signature: str) -> bool:
    """Check a signature.

    Parameters
    ----------
    text : str
        What was signed.
    signature : str
        What came with it.

    Returns
    -------
    bool
        Whether `sign` made it.
    """
    return hmac.compare_digest(sign(text).encode(), signature.encode())


def issue_token(client: str, lifetime: int) -> str:
    """Make an access token in the form of a JSON Web Token.

    Parameters
    ----------
    client : str
        Whom it is for; clients read it back as ``azp``.
    lifetime : int
        Seconds.

    Returns
    -------
    str
        Three parts joined by dots.
    """
    claims = json.dumps(
        {"azp": client, "exp": int(time.time()) + lifetime, "jti": uuid.uuid4().hex}
    )  # an id of its own: two of one second are two tokens
    head, payload = (_encode(text) for text in ('{"alg":"HS256","typ":"JWT"}', claims))
    return f"{head}.{payload}.{sign(f'{head}.{payload}')}"


def is_valid_token(token: str) -> bool:
    """Check an access token.

    Parameters
    ----------
    token : str
        What a client sent.

    Returns
    -------
    bool
        Whether `issue_token` made it and it has not expired.
    """
    head, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    if not is_signed(f"{head}.{payload}", signature):
        return False
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return bool(claims["exp"] > time.time())


def _encode(text: str) -> str:
    """Base 64 for addresses, without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
