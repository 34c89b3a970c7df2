"""Where the providers are, and what their clients need to be told."""

CREDENTIAL = "sandbox"  # every id, secret, key and token
ROOTS = {
    "sentinelhub": "/sentinelhub",
    "cdse": "/cdse/v1",
    "cds": "/cds/api",
    "ewds": "/ewds/api",
    "nasa": "/nasa",
    "firms": "/firms",
    "nrcan": "/nrcan/downloads",
    "eccc": "/eccc",
    "ecmwf": "/ecmwf/forecasts",
    "static": "/static",
}


def base_urls(url: str) -> dict[str, str]:
    """List the providers' addresses.

    Parameters
    ----------
    url : str
        Scheme, host and port of the server.

    Returns
    -------
    dict
        What each source's ``base_url`` has to be, by provider.
    """
    return {provider: url + root for provider, root in ROOTS.items()}


def environment() -> dict[str, str]:
    """List the variables that let the real clients talk to the sandbox.

    Returns
    -------
    dict
        Credentials, no proxy for loopback, and leave for OAuth to go without TLS.
    """
    loopback = "127.0.0.1,localhost"
    return {
        "SH_CLIENT_ID": CREDENTIAL,
        "SH_CLIENT_SECRET": CREDENTIAL,
        "CDSE_S3_ACCESS_KEY": CREDENTIAL,
        "CDSE_S3_SECRET_KEY": CREDENTIAL,
        "CDSAPI_KEY": CREDENTIAL,
        "EARTHDATA_TOKEN": CREDENTIAL,
        "FIRMS_MAP_KEY": CREDENTIAL,
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
    }
