"""The Datamart of the Meteorological Service of Canada: a file per run, lead and quantity.

Files of the ensemble hold all members, under the names of old
(eccc-msc.github.io/open-data/msc-data/nwp_geps/readme_geps-datamart_en).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firesat.sandbox.encode.forecast import CODES, encode_forecast
from firesat.sandbox.servers.messages import RefusalError, Request, Response, Route
from firesat.sandbox.servers.weather_runs import ENSEMBLE, LAST, ROTATED, Runs, start_of

_ROW = '<img src="/icons/unknown.gif" alt="[   ]"> <a href="{name}">{name}</a>  2023-07-01 05:11\n'
_PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of {path}</title></head><body><h1>Index of {path}</h1>
<pre><a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a><hr>
<a href="/">Parent Directory</a>
{rows}</pre></body></html>
"""
_FOLDERS = {
    "model_hrdps/continental/2.5km": "hrdps",
    "model_rdps/10km": "rdps",
    "model_gdps/15km": "gdps",
    "ensemble/geps/grib2/raw": "geps",
}
_GRIDS = {"hrdps": "RLatLon0.0225", "rdps": "RLatLon0.09", "gdps": "LatLon0.15"}
_NEW = {
    "AirTemp_AGL-2m": "t2m",
    "DewPoint_AGL-2m": "d2m",
    "WindSpeed_AGL-10m": "ws",
    "WindU_AGL-10m": "u10",
    "WindV_AGL-10m": "v10",
    "Precip-Accum_Sfc": "tp",
}
_OLD = {"TMP_AGL-2m": "t2m", "DPT_AGL-2m": "d2m", "WIND_AGL-10m": "ws", "APCP_Sfc": "tp"}
_OLDEST = {"TMP_TGL_2m": "t2m", "DPT_TGL_2m": "d2m", "UGRD_TGL_10m": "u10", "VGRD_TGL_10m": "v10",
           "APCP_SFC_0": "tp"}  # fmt: skip
_WORDS = {"hrdps": _OLD, "rdps": _NEW, "gdps": _NEW, "geps": _OLDEST}
_ROOT = r"/(\d{8})/WXO-DD/(" + "|".join(_FOLDERS) + ")"


class Datamart:
    """Forecasts of three models behind listings.

    Parameters
    ----------
    runs : Runs
        The forecasts.
    """

    prefix = "/eccc"

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def routes(self) -> Sequence[Route]:
        """List its addresses.

        Returns
        -------
        sequence of Route
            Folders of runs and of leads, and files.
        """
        return (
            Route(method="GET", pattern=rf"{_ROOT}/(00|06|12|18)/", handle=self._leads),
            Route(method="GET", pattern=rf"{_ROOT}/(00|06|12|18)/(\d{{3}})/", handle=self._files),
            Route(
                method="GET",
                pattern=rf"{_ROOT}/(00|06|12|18)/(\d{{3}})/([\w.+-]+)",
                handle=self._file,
            ),
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
            A web page.
        """
        page = f"<html><head><title>{status}</title></head><body>{reason}</body></html>"
        return Response(body=page.encode(), status=status, kind="text/html")

    def _leads(self, request: Request, groups: tuple[str, ...]) -> Response:
        """The folder of a run."""
        date, folder, _ = groups
        if not self._runs.has(date):
            raise RefusalError(404, f"{request.path} was not found on this server")
        last = LAST[_FOLDERS[folder]]
        return _listing(request.path, [f"{lead:03d}/" for lead in range(0, last + 1, 3)])

    def _files(self, request: Request, groups: tuple[str, ...]) -> Response:
        """The folder of a lead."""
        return _listing(request.path, list(self._names(request.path, groups)))

    def _names(self, path: str, groups: tuple[str, ...]) -> dict[str, str]:
        """Files of a lead and what they hold; of lead 0 there is no rain."""
        date, folder, hour, lead = groups[:4]
        model = _FOLDERS[folder]
        if not self._runs.has(date) or int(lead) % 3 or int(lead) > LAST[model]:
            raise RefusalError(404, f"{path} was not found on this server")
        return {
            _file_name(model, date, hour, lead, word): name
            for word, name in _WORDS[model].items()
            if name != "tp" or int(lead)
        }

    def _file(self, request: Request, groups: tuple[str, ...]) -> Response:
        """One field."""
        date, folder, hour, lead, file = groups
        names = self._names(request.path, groups)
        if file not in names:
            raise RefusalError(404, f"{request.path} was not found on this server")
        body = self._content(_FOLDERS[folder], f"{date}{hour}", int(lead), names[file])
        return Response(body=body, kind="application/octet-stream", download=True)

    def _content(self, model: str, run: str, lead: int, name: str) -> bytes:
        """One field, or those of all members."""

        def encoded(field: NDArray[np.float32], member: int | None = None) -> bytes:
            return encode_forecast(
                replace(CODES[name], member=member),
                field,
                start_of(run),
                lead,
                self._runs.grid(model),
                centre="cwao",
                rotated=model in ROTATED,
            )

        if model != ENSEMBLE:
            return encoded(self._runs.field(model, run, lead, name))
        members = self._runs.members(run, lead, name)
        return b"".join(encoded(field, number) for number, field in enumerate(members))


def _file_name(model: str, date: str, hour: str, lead: str, word: str) -> str:
    """A file as the service names it."""
    if model == ENSEMBLE:
        return f"CMC_geps-raw_{word}_latlon0p5x0p5_{date}{hour}_P{lead}_allmbrs.grib2"
    return f"{date}T{hour}Z_MSC_{model.upper()}_{word}_{_GRIDS[model]}_PT{lead}H.grib2"


def _listing(path: str, names: list[str]) -> Response:
    """A folder as Apache shows it."""
    rows = "".join(_ROW.format(name=name) for name in names)
    page = _PAGE.format(path=path.rstrip("/"), rows=rows)
    return Response(body=page.encode(), kind="text/html;charset=UTF-8")
