"""Which servers the sources talk to: the providers', or the sandbox's in their stead."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from firesat.project import Project
from firesat.sources.base import Source
from firesat.sources.quotas import Quota, quota_of


@contextmanager
def providers(project: Project) -> Iterator[dict[str, str]]:
    """Run the sandbox's servers while a project of the sandbox fetches.

    Parameters
    ----------
    project : Project
        With or without a `sandbox` section.

    Yields
    ------
    dict
        Provider to the root of its addresses; empty for the real providers.
    """
    if project.sandbox is None:
        yield {}
        return
    from firesat.sandbox.serve import Servers  # only who has a sandbox pays for it

    with (
        Servers(world_path(project), config=project.sandbox) as servers,
        _environment(servers.environment()),
    ):
        yield servers.base_urls()


def world_path(project: Project) -> Path:
    """Tell where a project's made world is kept.

    Parameters
    ----------
    project : Project
        With a `sandbox` section.

    Returns
    -------
    Path
        Beside the cube, named after the world's settings: other settings, another world.
    """
    digest = hashlib.sha256(repr(project.sandbox).encode()).hexdigest()[:8]
    return project.cube.folder / f"world-{digest}.npz"


def quotas_of(project: Project) -> dict[str, Quota]:
    """Give what each provider of a project allows all its workers together.

    Parameters
    ----------
    project : Project
        With or without a `sandbox` section.

    Returns
    -------
    dict of Quota
        By provider. The sandbox allows as many connections as its provider, but knows no rates:
        nobody waits for it.
    """
    names = {source.provider for source in project.ingest.sources}
    quotas = {name: quota_of(name, project.ingest.quotas) for name in names}
    if project.sandbox is None:
        return quotas
    return {name: Quota(connections=quota.connections) for name, quota in quotas.items()}


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while, for the workers that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def at_provider(source: Source, base_urls: dict[str, str]) -> Source:
    """The source, pointed at the server that stands in for its provider."""
    url = base_urls.get(source.provider)
    moved: Any = source
    return replace(moved, base_url=url) if url else source
