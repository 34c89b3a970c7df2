"""Signatures of requests to S3, checked as the service does: Signature Version 4 in a header.

Source: docs.aws.amazon.com, IAM user guide, "Create a signed AWS API request".
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from firesat.sandbox.servers.messages import RefusalError, Request

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/s3/"
    r"aws4_request), ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)


def check_signature(request: Request, key: str, secret: str) -> None:
    """Refuse a request that is not signed with the one key pair.

    Parameters
    ----------
    request : Request
        As it came.
    key, secret : str
        The pair.

    Raises
    ------
    RefusalError
        With status 403 and S3's own word for what is wrong.
    """
    found = _HEADER.fullmatch(request.headers.get("Authorization") or "")
    if found is None:
        raise RefusalError(403, "AccessDenied")
    if found["key"] != key:
        raise RefusalError(403, "InvalidAccessKeyId")
    moment = request.headers.get("X-Amz-Date") or ""
    if not _recent(moment):
        raise RefusalError(403, "RequestTimeTooSkewed")
    wanted = {
        _sign(_to_sign(_canonical(request, method, found["headers"]), moment, found), secret, found)
        for method in (request.method, "HEAD")  # which arrives as GET
    }
    if found["signature"] not in wanted:
        raise RefusalError(403, "SignatureDoesNotMatch")


def _recent(moment: str) -> bool:
    """Whether a request was made about now."""
    try:
        made = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - made) <= _SKEW


def _canonical(request: Request, method: str, signed: str) -> str:
    """The request in the one form that both sides write."""
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, values in request.query.items()
        for value in values
    )
    headers = "".join(
        f"{name}:{' '.join((request.headers.get(name) or '').split())}\n"
        for name in signed.split(";")
    )
    return "\n".join(
        (
            method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            signed,
            request.headers.get("X-Amz-Content-Sha256") or "",
        )
    )


def _to_sign(canonical: str, moment: str, found: "re.Match[str]") -> str:
    """What the signature is of."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return f"AWS4-HMAC-SHA256\n{moment}\n{found['scope']}\n{digest}"


def _sign(text: str, secret: str, found: "re.Match[str]") -> str:
    """The signature, by a key of that day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (found["day"], found["region"], "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
