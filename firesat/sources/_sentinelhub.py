"""Sentinel Hub's own client, set up without side effects and with finite patience."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sentinelhub.api.catalog import SentinelHubCatalog
from sentinelhub.api.process import SentinelHubRequest
from sentinelhub.config import SHConfig
from sentinelhub.constants import CRS, MimeType, ResamplingType
from sentinelhub.data_collections import DataCollection
from sentinelhub.exceptions import DownloadFailedException
from sentinelhub.geometry import BBox

from firesat.bands import SENTINEL2_BANDS
from firesat.errors import CredentialsError
from firesat.sources._hub_client import HubClient, log_in
from firesat.sources._refusals import RATE_LIMIT_TRIES, refusals, token_is_refused
from firesat.sources.commons import Token, commons

CDSE = "https://sh.dataspace.copernicus.eu"
_CDSE_TOKEN = (
    "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
)
_TOKEN_PATH = "/auth/realms/main/protocol/openid-connect/token"


_RENEWALS = 3  # of a token in one call: more would mean that no token is any good
MAX_SIDE = 2500  # pixels of a request: docs.sentinel-hub.com/api/latest/api/process
_EVALSCRIPT = """//VERSION=3
function setup() {{
  return {{
    input: [{{bands: [{names}, "dataMask"], units: "DN"}}],
    output: {{id: "default", bands: {count}, sampleType: "UINT16"}},
    mosaicking: "SIMPLE"
  }}
}}
function evaluatePixel(s) {{ return [{samples}, s.dataMask] }}
""".format(
    names=", ".join(f'"{name}"' for name in SENTINEL2_BANDS),
    samples=", ".join(f"s.{name}" for name in SENTINEL2_BANDS),
    count=len(SENTINEL2_BANDS) + 1,
)

Box = tuple[float, float, float, float]


def processing_units(
    width: int, height: int, *, bands: int = len(SENTINEL2_BANDS), samples: int = 1
) -> float:
    """Estimate what a request costs.

    A unit is 512 x 512 pixels of three 16-bit bands; dataMask is free
    (docs.sentinel-hub.com/api/latest/api/overview/processing-unit).

    Parameters
    ----------
    width, height : int
        Pixels.
    bands : int
        Input bands.
    samples : int
        Acquisitions processed; 1 where they are mosaicked.

    Returns
    -------
    float
        Processing units, at least 0.005.
    """
    area = max(width * height / 512**2, 0.01)
    return max(area * bands / 3 * samples, 0.005)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One deployment of Sentinel Hub, through its own client.

    All workers of an ingest use one token; whoever finds it spent renews it for all.

    Parameters
    ----------
    base_url : str
        Root of the deployment.
    attempts : int
        Downloads tried before giving up.
    pause : float
        Seconds before the second attempt; three times as long before each further one.
    """

    base_url: str
    attempts: int
    pause: float

    def config(self) -> SHConfig:
        """Make a configuration without creating the client's file.

        Returns
        -------
        SHConfig
            With the user's key.

        Raises
        ------
        CredentialsError
            If neither the variables nor the client's file hold a key.
        """
        client_id, secret = find_key()
        return SHConfig(
            use_defaults=True,
            sh_client_id=client_id,
            sh_client_secret=secret,
            sh_base_url=self.base_url,
            sh_token_url=_CDSE_TOKEN if self.base_url == CDSE else self.base_url + _TOKEN_PATH,
            max_download_attempts=self.attempts,
            download_sleep_time=self.pause,
            max_retries=RATE_LIMIT_TRIES,
        )

    def granules(
        self, box: Box, period: tuple[datetime, datetime], max_cloud: float
    ) -> list[tuple[datetime, str]]:
        """List granules.

        Parameters
        ----------
        box : tuple of float
            West, south, east, north in degrees.
        period : tuple of datetime
            First and last second, UTC.
        max_cloud : float
            Largest share of cloud in per cent.

        Returns
        -------
        list of (datetime, str)
            Start of sensing, UTC, and name; sorted.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the catalogue fails.
        """
        config = self.config()

        def search(token: Token) -> list[tuple[datetime, str]]:
            catalog = SentinelHubCatalog(config=config)
            catalog.client = HubClient(config, token)
            found = catalog.search(
                self._collection(),
                bbox=BBox(box, CRS.WGS84),
                time=period,
                filter=f"eo:cloud_cover < {max_cloud:g}",
                fields={"include": ["id", "properties.datetime"], "exclude": []},
            )
            return sorted(
                (datetime.fromisoformat(item["properties"]["datetime"]), str(item["id"]))
                for item in found
            )

        return self._ask(config, search)

    def pixels(
        self,
        box: Box,
        epsg: int,
        size: tuple[int, int],
        period: tuple[datetime, datetime],
        max_cloud: float,
    ) -> bytes:
        """Ask for 13 bands of digital numbers and dataMask, flattened over a period.

        Parameters
        ----------
        box : tuple of float
            x0, y0, x1, y1 in metres.
        epsg : int
            Code of the CRS; the service knows UTM, not Canada's Lambert.
        size : tuple of int
            Width and height, each at most `MAX_SIDE`.
        period : tuple of datetime
            Around one overpass.
        max_cloud : float
            Largest share of cloud of a granule, in per cent.

        Returns
        -------
        bytes
            The GeoTIFF as it came: decoding in the client would drop the georeference.

        Raises
        ------
        CredentialsError
            If there is no key, or it is refused.
        ProviderError
            If the service fails.
        """
        source = SentinelHubRequest.input_data(
            self._collection(),
            time_interval=period,
            maxcc=max_cloud / 100,
            upsampling=ResamplingType.BILINEAR,
            downsampling=ResamplingType.BILINEAR,
            other_args={"processing": {"harmonizeValues": True}},
        )
        config = self.config()
        request = SentinelHubRequest(
            evalscript=_EVALSCRIPT,
            input_data=[source],
            responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
            bbox=BBox(box, CRS(str(epsg))),
            size=size,
            config=config,
        )

        def get(token: Token) -> bytes:
            client = HubClient(config, token, units=processing_units(*size))
            content: bytes = client.download(request.download_list, decode_data=False)[0].content
            return content

        return self._ask(config, get)

    def _ask[T](self, config: SHConfig, call: Callable[[Token], T]) -> T:
        """Run a call; again with a new token if the old one ended before its time."""
        name = f"sentinelhub {config.sh_client_id} {self.base_url}"
        spent = ""
        with refusals(self.base_url):
            for _ in range(_RENEWALS):
                token = commons().tokens.get(name, lambda: log_in(config), spent=spent)
                try:
                    return call(token)
                except DownloadFailedException as error:
                    if not token_is_refused(error):
                        raise
                    spent = token.text
            return call(commons().tokens.get(name, lambda: log_in(config), spent=spent))

    def _collection(self) -> DataCollection:
        """L1C of this deployment: the library's own constant always leads to Planet's."""
        return DataCollection.SENTINEL2_L1C.define_from(
            f"FIRESAT_L1C_{self.base_url}", service_url=self.base_url
        )


def find_key() -> tuple[str, str]:
    """Find the user's key: the variables, else the client's file.

    Returns
    -------
    tuple of str
        Id and secret; never printed.

    Raises
    ------
    CredentialsError
        If there is none.
    """
    # SHConfig() writes ~/.config/sentinelhub/config.toml where there is none: hence not used here.
    client_id, secret = os.environ.get("SH_CLIENT_ID"), os.environ.get("SH_CLIENT_SECRET")
    file = Path(SHConfig.get_config_location())
    if not (client_id and secret) and file.is_file():
        try:
            stored = SHConfig.load()
        except (KeyError, ValueError, TypeError) as error:
            raise CredentialsError(f"{file} cannot be used ({error}): repair it") from error
        client_id, secret = stored.sh_client_id, stored.sh_client_secret
    if not (client_id and secret):
        raise CredentialsError(
            f"no Sentinel Hub key: set SH_CLIENT_ID and SH_CLIENT_SECRET, or write them to {file} "
            "with sentinelhub.config, or work with the sandbox"
        )
    return client_id, secret
