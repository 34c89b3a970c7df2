"""Files of the user's own, found below a folder that the environment may name."""

import os
from pathlib import Path

from firesat.errors import ConfigError


def resolve(path: str, root: str, root_env: str) -> Path:
    """Find a file below a folder.

    Parameters
    ----------
    path : str
        Below the folder.
    root : str
        The folder.
    root_env : str
        Environment variable that names another one; "" = none.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If it is not there.
    """
    folder = os.environ.get(root_env, root) if root_env else root
    found = Path(folder).expanduser() / path
    if not found.is_file():
        hint = f"set {root_env} to the folder below which it lies, or " if root_env else ""
        raise ConfigError(f"there is no file {found}: {hint}correct root and path in the source")
    return found
