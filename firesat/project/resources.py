"""Files that come with firesat: configs, the Snakefile."""

from importlib.resources import as_file, files
from pathlib import Path

from firesat.errors import ConfigError


def shipped(name: str) -> Path:
    """Find a file or folder that comes with firesat.

    Parameters
    ----------
    name : str
        Such as "configs/sandbox.yaml" or "pipelines/Snakefile".

    Returns
    -------
    Path
        In the installed package, or in the source tree.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    with as_file(files("firesat")) as package:
        for root in (package / "_shipped", package.parent):
            if (root / name).exists():
                return root / name
    raise ConfigError(f"firesat ships no {name}: reinstall it")
