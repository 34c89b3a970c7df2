"""All providers together."""

from collections.abc import Sequence

from firesat.sandbox.servers.addresses import CREDENTIAL
from firesat.sandbox.servers.cads import DataStore
from firesat.sandbox.servers.data_space import Eodata, StacCatalogue
from firesat.sandbox.servers.datasets import FIRE, LAND, SINGLE_LEVELS
from firesat.sandbox.servers.ecmwf import OpenData
from firesat.sandbox.servers.faults import Faults
from firesat.sandbox.servers.firms import Detections
from firesat.sandbox.servers.granules import Archive
from firesat.sandbox.servers.messages import Service
from firesat.sandbox.servers.msc import Datamart
from firesat.sandbox.servers.nasa import Cmr, LandArchive
from firesat.sandbox.servers.nrcan import Downloads
from firesat.sandbox.servers.safe import SafeArchive
from firesat.sandbox.servers.sentinel_hub import SentinelHub
from firesat.sandbox.servers.static import Layers
from firesat.sandbox.servers.weather_runs import Runs
from firesat.sandbox.world import World


def services(world: World, faults: Faults, runs: Runs | None = None) -> Sequence[Service]:
    """Set up all providers.

    Parameters
    ----------
    world : World
        What they see.
    faults : Faults
        What goes wrong on purpose.
    runs : Runs, optional
        Weather forecasts that another server of this world has made already.

    Returns
    -------
    sequence of Service
        For a `SandboxServer`.
    """
    archive, products, runs = Archive(world), SafeArchive(world), runs or Runs(world)
    return (
        SentinelHub(world, CREDENTIAL),
        StacCatalogue(products),
        Eodata(products, CREDENTIAL),
        DataStore(world, "/cds", [LAND, SINGLE_LEVELS], key=CREDENTIAL, faults=faults),
        DataStore(world, "/ewds", [FIRE], key=CREDENTIAL, faults=faults),
        Cmr(archive),
        LandArchive(archive, CREDENTIAL),
        Detections(world, CREDENTIAL),
        Downloads(world),
        Datamart(runs),
        OpenData(runs),
        Layers(world),
    )
