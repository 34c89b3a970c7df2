"""ECMWF's open data: all surface fields of a lead in one file, and an index beside it."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

from firesat.sandbox.encode.forecast import CODES, ECMWF_RAIN, encode_forecast
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.servers.weather_runs import LAST, Runs, start_of

_PARAMS = {"2t": "t2m", "10u": "u10", "2d": "d2m", "10v": "v10", "tp": "tp"}
_TREE = r"/(\d{8})/(00|12)z/ifs/0p25/oper/(\d{14})-(\d{1,3})h-oper-fc"


class OpenData:
    """Files that nobody takes whole.

    Parameters
    ----------
    runs : Runs
        The forecasts.
    """

    prefix = "/ecmwf/forecasts"

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._file = lru_cache(maxsize=64)(self._make)

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Indices and files; there is no listing.
        """
        return (
            Route(method="GET", pattern=rf"{_TREE}\.index", handle=self._index),
            Route(method="GET", pattern=rf"{_TREE}\.grib2", handle=self._grib),
        )

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
            Plain text.
        """
        return Response(body=f"{reason}\n".encode(), status=status, kind="text/plain")

    def _index(self, request: Request, groups: tuple[str, ...]) -> Response:
        """Where each message lies."""
        date, hour, _, step = groups
        lines, start = [], 0
        for param, message in self._messages(request.path, groups):
            entry = {
                "domain": "g", "date": date, "time": f"{hour}00", "expver": "0001", "class": "od",
                "type": "fc", "stream": "oper", "step": step, "levtype": "sfc", "param": param,
                "_offset": start, "_length": len(message),
            }  # fmt: skip
            lines.append(json.dumps(entry))
            start += len(message)
        return Response(body="\n".join(lines).encode() + b"\n", kind="application/octet-stream")

    def _grib(self, request: Request, groups: tuple[str, ...]) -> Response:
        """All messages."""
        body = b"".join(message for _, message in self._messages(request.path, groups))
        return Response(body=body, kind="application/octet-stream", download=True)

    def _messages(self, path: str, groups: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
        """What a file holds."""
        date, hour, named, step = groups
        lead = int(step)
        if named != f"{date}{hour}0000" or lead > LAST["ecmwf"] or lead % (3 if lead <= 144 else 6):
            raise RefusalError(404, f"{path} was not found on this server")
        return self._file(f"{date}{hour}", lead)

    def _make(self, run: str, lead: int) -> tuple[tuple[str, bytes], ...]:
        """The messages of a file, with a field that nobody asks for in between."""
        return tuple(self._each(run, lead))

    def _each(self, run: str, lead: int) -> Iterator[tuple[str, bytes]]:
        """One message after the other; of lead 0 there is no rain."""
        grid = self._runs.grid("ecmwf")
        for param, name in _PARAMS.items():
            if name == "tp" and not lead:
                continue
            field = self._runs.field("ecmwf", run, lead, name)
            code, values = (ECMWF_RAIN, field / 1000) if name == "tp" else (CODES[name], field)
            message = encode_forecast(code, values, start_of(run), lead, grid, centre="ecmf")
            yield param, message
            if param == "10u":
                yield (
                    "skt",
                    encode_forecast(
                        CODES["t2m"], field + 280, start_of(run), lead, grid, centre="ecmf"
                    ),
                )
