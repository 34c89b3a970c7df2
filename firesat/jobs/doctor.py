"""What is installed, found, reachable and free, with advice for each thing that is not."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigFileError
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Literal

import psutil
import requests

from firesat import __version__

PACKAGES = (
    "xarray", "zarr", "dask", "rasterio", "odc-geo", "sentinelhub", "boto3", "cdsapi", "eccodes",
    "pyhdf", "geopandas", "numba", "torch", "timm", "pytorch-lightning", "jsonargparse",
)  # fmt: skip
OPTIONAL = {"snakemake": "pip install 'firesat[pipeline]' for firesat run"}

PROVIDERS = {
    "Copernicus Data Space": "https://sh.dataspace.copernicus.eu",
    "Climate Data Store": "https://cds.climate.copernicus.eu/api/catalogue/v1/messages",
    "Early Warning Store": "https://ewds.climate.copernicus.eu/api/catalogue/v1/messages",
    "Copernicus catalogue": "https://stac.dataspace.copernicus.eu/v1",
    "Copernicus archive": "https://eodata.dataspace.copernicus.eu",
    "NASA CMR": "https://cmr.earthdata.nasa.gov/search/health",
    "CWFIS Datamart": "https://cwfis.cfs.nrcan.gc.ca/downloads/nbac/",
}

TIMEOUT = 5.0  # seconds for a provider to answer
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
    if ask_providers:
        findings += [_provider(name, url) for name, url in PROVIDERS.items()]
    return findings


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
    """Which keys are found, and where; never what they are."""
    config = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    toml = config / "sentinelhub" / "config.toml"
    yield _key(
        "Sentinel Hub key",
        _variables("SH_CLIENT_ID", "SH_CLIENT_SECRET") or _file(toml),
        f"set SH_CLIENT_ID and SH_CLIENT_SECRET, or fill {toml}",
    )
    aws = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    yield _key(
        "Copernicus S3 key",
        _variables("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY") or _profile(aws, "cdse"),
        f"set CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY, or add [cdse] to {aws}",
    )
    yield _key(
        "CDS and EWDS key",
        _variables("CDSAPI_KEY") or _file(Path(os.environ.get("CDSAPI_RC", "~/.cdsapirc"))),
        "put url and key into ~/.cdsapirc",
    )
    yield _key(
        "NASA Earthdata token",
        _variables("EARTHDATA_TOKEN") or _netrc("urs.earthdata.nasa.gov"),
        "set EARTHDATA_TOKEN, or add urs.earthdata.nasa.gov to ~/.netrc",
    )


def _key(subject: str, found: str, advice: str) -> Finding:
    """A line about one key; without it the sandbox still works."""
    if found:
        return Finding(subject=subject, state="ok", detail=f"found in {found}")
    return Finding(subject=subject, state="note", detail="not found", advice=advice)


def _variables(*names: str) -> str:
    """The variables' names, when all are set."""
    return " and ".join(names) if all(os.environ.get(name) for name in names) else ""


def _file(path: Path) -> str:
    """The file's name, when it is there."""
    path = path.expanduser()
    return str(path) if path.is_file() else ""


def _profile(path: Path, name: str) -> str:
    """The credentials file's name, when it has the profile."""
    parser = ConfigParser()
    try:
        parser.read(path.expanduser())
    except (ConfigFileError, OSError, UnicodeDecodeError):
        return ""
    return f"{path} [{name}]" if parser.has_option(name, "aws_secret_access_key") else ""


def _netrc(host: str) -> str:
    """The netrc's name, when it knows the host."""
    path = Path.home() / ".netrc"
    try:
        known = netrc(str(path)).hosts
    except (OSError, NetrcParseError):
        return ""
    return str(path) if host in known else ""


def _provider(name: str, url: str) -> Finding:
    """Whether a provider answers at all; which status it answers with does not matter."""
    try:
        with requests.get(url, timeout=TIMEOUT, stream=True) as response:
            status = response.status_code
    except requests.RequestException as error:
        reason = type(error).__name__
        return Finding(
            subject=name,
            state="bad",
            detail=f"does not answer ({reason})",
            advice="check the network or the provider's status page; the sandbox needs neither",
        )
    return Finding(subject=name, state="ok", detail=f"answers (HTTP {status})")
