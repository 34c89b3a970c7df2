"""What goes over the wire: requests, responses, refusals, routes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Protocol

from firesat.errors import FiresatError


class RefusalError(FiresatError):
    """A request that a provider would refuse.

    Parameters
    ----------
    status : int
        HTTP status.
    reason : str
        What the provider would say.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asks.

    Parameters
    ----------
    method : str
        GET, POST or DELETE; HEAD arrives as GET.
    path : str
        Decoded path.
    query : dict
        Query arguments, each with all its values.
    headers : email.message.Message
        Looked up without regard to case.
    body : bytes
        As sent.
    base : str
        Scheme, host and port as the client knows them.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    base: str

    def json(self) -> dict[str, Any]:
        """Decode a JSON body.

        Returns
        -------
        dict
            The object.

        Raises
        ------
        RefusalError
            If it is no JSON object.
        """
        try:
            decoded = json.loads(self.body)
        except ValueError as error:
            raise RefusalError(400, f"Malformed JSON: {error}") from None
        if not isinstance(decoded, dict):
            raise RefusalError(400, "Malformed JSON: the body is no object")
        return decoded


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a provider answers.

    Parameters
    ----------
    body : bytes
        Content.
    status : int
        HTTP status.
    kind : str
        Content type.
    headers : dict
        Further headers.
    download : bool
        Whether it is a file: ranges are served, and it may be cut short by a fault.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    download: bool = False


def json_response(content: object, status: int = 200, kind: str = "application/json") -> Response:
    """Answer with JSON.

    Parameters
    ----------
    content : object
        Anything that JSON holds.
    status : int
        HTTP status.
    kind : str
        Content type.

    Returns
    -------
    Response
        The encoded content.
    """
    return Response(body=json.dumps(content).encode(), status=status, kind=kind)


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which function answers which address.

    Parameters
    ----------
    method : str
        GET, POST or DELETE.
    pattern : str
        Regular expression of the whole path below the service's prefix.
    handle : callable
        Gets the request and the pattern's groups.
    bearer : bool
        Whether the address needs a bearer token, which a fault may expire.
    spared : bool
        Whether faults leave it alone: logins, which services limit apart from their data.
    """

    method: str
    pattern: str
    handle: Callable[[Request, tuple[str, ...]], Response]
    bearer: bool = False
    spared: bool = False


class Service(Protocol):
    """One provider."""

    @property
    def prefix(self) -> str:
        """Start of its addresses.

        Returns
        -------
        str
            Such as "/cds".
        """
        ...

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            The first that fits answers.
        """
        ...

    def refuse(self, status: int, reason: str) -> Response:
        """Word an error.

        Parameters
        ----------
        status : int
            HTTP status.
        reason : str
            What is wrong.

        Returns
        -------
        Response
            In the provider's own format.
        """
        ...
