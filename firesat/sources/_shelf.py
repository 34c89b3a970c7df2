"""Files of maps in a local folder or at an address."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firesat.errors import ConfigError, CorruptFileError
from firesat.sources._download import download
from firesat.sources._http import name_of
from firesat.sources._vectors import kept_unpacked
from firesat.sources.base import cached


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where files are.

    Parameters
    ----------
    base_url : str
        An address, or a local folder.
    """

    base_url: str

    @property
    def remote(self) -> bool:
        """Whether the files lie at an address.

        Returns
        -------
        bool
            False for a folder.
        """
        return self.base_url.startswith(("http://", "https://"))

    def check(self, hrefs: Iterable[str]) -> None:
        """Check that local files are there.

        Parameters
        ----------
        hrefs : iterable of str
            Their names.

        Raises
        ------
        ConfigError
            If one is not.
        """
        if not self.remote:
            for href in hrefs:
                self._local(href)

    def _local(self, href: str) -> Path:
        """A file in the folder."""
        whole = Path(self.base_url).expanduser() / href
        if not whole.is_file():
            raise ConfigError(
                f"there is no static layer {whole}: put the file there, or name folder and "
                "file in the source"
            )
        return whole

    @contextmanager
    def opened(self, href: str, cache: Path) -> Iterator[Path]:
        """Give a whole file, downloaded once where it lies at an address; a zip once unpacked.

        Parameters
        ----------
        href : str
            Its name.
        cache : Path
            Folder shared by all workers.

        Yields
        ------
        Path
            The file. One from an address that turns out to be damaged is fetched anew next time.

        Raises
        ------
        ConfigError
            If a local file is not there.
        CorruptFileError
            If a zip is damaged, or holds more or less than one vector file.
        ProviderError
            If the server fails.
        """
        if not self.remote:
            yield kept_unpacked(self._local(href), cache)
            return
        url = f"{self.base_url}/{href}"
        whole = cached(
            cache,
            f"whole-{name_of(url)}",
            lambda path: download(url, path, base_url=self.base_url),
        )
        try:
            yield kept_unpacked(whole, cache)
        except CorruptFileError:
            whole.unlink(missing_ok=True)
            raise
