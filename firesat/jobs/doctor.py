"""What is installed, found, reachable and free, with advice for each thing that is not."""

import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil
import requests

from firesat import __version__
from firesat.errors import CredentialsError

PACKAGES = (
    "xarray", "zarr", "dask", "rasterio", "odc-geo", "sentinelhub", "boto3", "cdsapi", "eccodes",
    "pyhdf", "geopandas", "numba", "torch", "timm", "pytorch-lightning", "jsonargparse",
)  # fmt: skip
OPTIONAL = {
    "snakemake": "pip install 'firesat[pipeline]' for firesat run",
    "dask-jobqueue": "pip install 'firesat[hpc]' for workers on SLURM or PBS",
}

PROVIDERS = {
    "Copernicus Data Space": "https://sh.dataspace.copernicus.eu",
    "Climate Data Store": "https://cds.climate.copernicus.eu/api/catalogue/v1/messages",
    "Early Warning Store": "https://ewds.climate.copernicus.eu/api/catalogue/v1/messages",
    "Copernicus catalogue": "https://stac.dataspace.copernicus.eu/v1",
    "Copernicus archive": "https://eodata.dataspace.copernicus.eu",
    "NASA CMR": "https://cmr.earthdata.nasa.gov/search/health",
    "NASA FIRMS": "https://firms.modaps.eosdis.nasa.gov/api/",
    "CWFIS Datamart": "https://cwfis.cfs.nrcan.gc.ca/downloads/nbac/",
    "MSC Datamart": "https://dd.weather.gc.ca/today/",
    "ECMWF open data": "https://data.ecmwf.int/forecasts/",
}

KEYS = {
    "Sentinel Hub key": (("SH_CLIENT_ID", "SH_CLIENT_SECRET"), "sentinelhub/config.toml"),
    "Copernicus S3 key": (("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"), "~/.aws/credentials"),
    "CDS and EWDS key": (("CDSAPI_KEY",), "~/.cdsapirc"),
    "NASA Earthdata token": (("EARTHDATA_TOKEN",), "~/.netrc"),
    "FIRMS map key": (("FIRMS_MAP_KEY",), ""),
}
"""Variables that hold a key, and the file that may hold it instead."""

CONNECT, TIMEOUT = 3.0, 5.0  # seconds to connect to a provider, and for its answer
ALL_TIME = 8.0  # seconds for all of them together, name service included
MEMORY_NEEDED = 6.0  # GiB: the demo's peak on two workers stays below
DISK_NEEDED = 10.0  # GiB


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the examination.

    Parameters
    ----------
    subject : str
        What was looked at.
    state : {"ok", "note", "bad"}
        Fine; works without, but; or in the way.
    detail : str
        What was found, never a secret's value.
    advice : str
        What to do; "" where nothing is.
    """

    subject: str
    state: Literal["ok", "note", "bad"]
    detail: str
    advice: str = ""


def examine(*, ask_providers: bool = True) -> list[Finding]:
    """Look at everything.

    Parameters
    ----------
    ask_providers : bool
        Whether to open connections.

    Returns
    -------
    list of Finding
        Packages, formats, machine, credentials, then providers.
    """
    findings = [*_packages(), *_formats(), *_machine(), *_credentials()]
    return [*findings, *_providers()] if ask_providers else findings


def _packages() -> Iterator[Finding]:
    """Versions of what firesat stands on."""
    yield Finding(
        subject="firesat",
        state="ok",
        detail=f"{__version__} on Python {platform.python_version()} ({sys.platform})",
    )
    for name in (*PACKAGES, *OPTIONAL):
        try:
            yield Finding(subject=name, state="ok", detail=version(name))
        except PackageNotFoundError:
            advice = OPTIONAL.get(name, f"pip install {name}")
            state: Literal["note", "bad"] = "note" if name in OPTIONAL else "bad"
            yield Finding(subject=name, state=state, detail="is not installed", advice=advice)


def _formats() -> Iterator[Finding]:
    """Formats that need a driver or a C library to load."""
    import rasterio

    with rasterio.Env() as env:
        drivers = env.drivers()
    for driver in ("COG", "JP2OpenJPEG", "ENVI"):
        there = driver in drivers
        yield Finding(
            subject=f"GDAL {driver}",
            state="ok" if there else "bad",
            detail="available" if there else "is missing from this build of GDAL",
            advice="" if there else "install rasterio from PyPI or conda-forge",
        )
    yield _import("HDF4 (pyhdf)", "pyhdf.SD", "pip install pyhdf")
    yield _import("GRIB (eccodes)", "eccodes", "pip install eccodes eccodeslib")


def _import(subject: str, module: str, advice: str) -> Finding:
    """Whether a module with a C library loads."""
    import importlib

    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            subject=subject, state="bad", detail=f"does not load: {error}", advice=advice
        )
    return Finding(subject=subject, state="ok", detail="loads")


def _machine() -> Iterator[Finding]:
    """Memory, disk, processors, accelerators."""
    import torch

    memory = psutil.virtual_memory().available / 2**30
    enough = memory >= MEMORY_NEEDED
    yield Finding(
        subject="memory",
        state="ok" if enough else "note",
        detail=f"{memory:.1f} GiB available, {psutil.cpu_count()} processors",
        advice="" if enough else "set ingest.workers=1",
    )
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    enough = disk >= DISK_NEEDED
    yield Finding(
        subject="disk",
        state="ok" if enough else "bad",
        detail=f"{disk:.0f} GiB free in {Path.cwd()}",
        advice="" if enough else f"free {DISK_NEEDED - disk:.0f} GiB, or set cube.path elsewhere",
    )
    found = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: the CPU is used"
    yield Finding(subject="accelerator", state="ok", detail=found)


def _credentials() -> Iterator[Finding]:
    """Which keys are found; never what they are. Without any, the sandbox still works."""
    from firesat.sources import _cads, _earthdata, _eodata, _firms, _sentinelhub

    checks: dict[str, Callable[[], object]] = {
        "Sentinel Hub key": _sentinelhub.find_key,
        "Copernicus S3 key": _eodata.find_key,
        "CDS and EWDS key": _cads.find_key,
        "NASA Earthdata token": _earthdata.check_login,
        "FIRMS map key": _firms.find_key,
    }
    for subject, check in checks.items():
        try:
            check()
        except CredentialsError as error:
            found, _, advice = str(error).partition(": ")
            yield Finding(subject=subject, state="note", detail=found, advice=advice)
        else:
            yield Finding(subject=subject, state="ok", detail=f"found in {_place(subject)}")


def _place(subject: str) -> str:
    """Where a key was found: the variables come first."""
    names, file = KEYS[subject]
    there = all(os.environ.get(name) for name in names)
    return " and ".join(names) if there else file


def _providers() -> list[Finding]:
    """All providers, asked at the same time: none waits for another's silence."""
    answers: dict[str, Finding] = {}

    def ask(name: str, url: str) -> None:
        """Note what one provider says."""
        answers[name] = _provider(name, url)

    # Daemons: a name service that hangs keeps a thread, but not the command.
    crew = [threading.Thread(target=ask, args=item, daemon=True) for item in PROVIDERS.items()]
    for each in crew:
        each.start()
    end = time.monotonic() + ALL_TIME
    for each in crew:
        each.join(max(0.0, end - time.monotonic()))
    late = f"no answer within {ALL_TIME:.0f} s"
    return [answers.get(name) or _silent(name, late) for name in PROVIDERS]


def _provider(name: str, url: str) -> Finding:
    """Whether a provider answers, and with what."""
    try:
        with requests.get(url, timeout=(CONNECT, TIMEOUT), stream=True) as response:
            status = response.status_code
    except requests.RequestException as error:
        return _silent(name, _kind(error))
    if status >= 500:
        return Finding(
            subject=name,
            state="bad",
            detail=f"is in trouble (HTTP {status})",
            advice="see the provider's status page and run again later; finished blocks are kept",
        )
    return Finding(subject=name, state="ok", detail=f"answers (HTTP {status})")


def _silent(name: str, reason: str) -> Finding:
    """A provider that does not answer, and what to do about it."""
    advice = {
        "no such host": "check the network and its name service, or set HTTPS_PROXY",
        "no connection": "a firewall may close the way out: set HTTPS_PROXY, or ask its keeper",
        "an untrusted certificate": "set REQUESTS_CA_BUNDLE to your network's certificates",
    }.get(reason, "check the network or the provider's status page")
    return Finding(
        subject=name,
        state="bad",
        detail=f"does not answer ({reason})",
        advice=f"{advice}; the sandbox needs no network",
    )


def _kind(error: requests.RequestException) -> str:
    """What kept a provider's answer away."""
    if isinstance(error, requests.exceptions.SSLError):
        return "an untrusted certificate"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"no answer within {TIMEOUT:.0f} s"
    return "no such host" if "NameResolution" in repr(error) else "no connection"
