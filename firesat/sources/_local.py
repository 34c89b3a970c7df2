"""Files of the user's own, found below a folder that the environment may name."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from firesat.blocks import Block
from firesat.errors import ConfigError
from firesat.sources.base import Scene
from firesat.sources.quotas import Cost


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


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """What all sources have in common whose files are read where they lie.

    Parameters
    ----------
    files : mapping of str
        Path below `root`: what the source has to be told of it.
    root : str
        Folder of the files.
    root_env : str
        Environment variable that names another folder; "" = none.
    """

    provider: ClassVar[str] = ""

    files: Mapping[str, object]
    root: str = "."
    root_env: str = "FIRESAT_REAL_DATA"
    base_url: str = ""

    def check(self) -> None:
        """Check that the files are there.

        Raises
        ------
        ConfigError
            If one is not.
        """
        for path in self.files:
            resolve(path, self.root, self.root_env)

    def cost(self, blocks: Collection[Block]) -> Cost:
        """Give no cost: nothing is fetched.

        Parameters
        ----------
        blocks : collection of Block
            Any.

        Returns
        -------
        Cost
            Of nothing.
        """
        return Cost(basis="files on disk")

    def fetch(self, scene: Scene, cache: Path) -> Path:
        """Find a file; nothing is copied.

        Parameters
        ----------
        scene : Scene
            One result of `search`, named by its file.
        cache : Path
            Not used.

        Returns
        -------
        Path
            The file itself.

        Raises
        ------
        ConfigError
            If it is not there.
        """
        return resolve(scene.id, self.root, self.root_env)
