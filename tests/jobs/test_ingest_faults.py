"""What goes wrong while blocks are fetched: D1 to D3, N3, X3 and X5 of the matrix of faults.

Real Dask clusters of processes, real kills. No failure in n tries bounds its rate at 3/n with 95 %
confidence: 3 kills prove little, 100 that less than 3 % of kills lose something.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
import pytest
import requests
from distributed import Client

from firesat.blocks import Block, cut
from firesat.cube import create_cube, open_cube
from firesat.errors import ClusterError, CredentialsError
from firesat.grid import Grid
from firesat.jobs.ingest import IngestReport, Unwatched, Workplace, ingest, ingest_block
from firesat.jobs.ingest.breaker import REST, Breaker
from firesat.jobs.ingest.cluster import batch_cluster, client_of, dashboard_of
from firesat.jobs.ingest.dispatch import IN_FLIGHT, Dispatch
from firesat.jobs.ingest.flight import Limits
from firesat.jobs.ingest.lines import Lines
from firesat.jobs.ingest.workplace import Outcome
from firesat.manifest import Manifest, Receipt
from firesat.project import CubeSettings, Project
from firesat.sources.commons import Meter
from firesat.sources.quotas import Quota
from firesat.sources.settings import IngestSettings, QueueSettings
from firesat.window import Period
from tests.jobs.plodder import Plodder

ROOT = Path(__file__).resolve().parents[2]
GRID = Grid(region=(10_000.0, 620_000.0, 30_000.0, 640_000.0))
FULL = pytest.mark.exhaustive
HANGING = 6.0  # seconds after which a block counts as hung; sound ones take a twentieth


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two worker processes, for all tests that do not end them."""
    with client_of(IngestSettings(workers=2, memory_limit="2GiB")) as connected:
        yield connected


def days_of(count: int) -> np.ndarray:
    return np.datetime64("2023-06-01") + np.arange(count)


Work = list[tuple[Plodder, list[Block]]]


def work(tmp_path: Path, count: int, **source: Any) -> tuple[Workplace, Plodder, Work]:
    plodder = Plodder(journal=str(tmp_path / "journal"), **source)
    cube = create_cube(tmp_path / "cube.zarr", GRID)
    cube.add_group(plodder.layout, plodder.times(days_of(count)))
    cube.manifest()
    place = Workplace(cube=cube, cache=tmp_path / "cache", run=f"run-{tmp_path.name}")
    return place, plodder, [(plodder, list(cut(plodder.layout, GRID, days_of(count))))]


def dispatch_of(client: Client, place: Workplace, tasks: Work, **more: Any) -> Dispatch:
    lines = Lines(tasks, place.quotas, more.pop("budget", float("inf")))
    return Dispatch(client=client, lines=lines, place=place, **more)


def dispatched(
    client: Client, place: Workplace, tasks: Work, **more: Any
) -> tuple[Dispatch, list[Outcome]]:
    dispatch = dispatch_of(client, place, tasks, **more)
    return dispatch, list(dispatch.outcomes())


def statuses(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.receipt.status for outcome in outcomes)


# Circuit breakers ------------------------------------------------------------------------------


def ended(trouble: str) -> Outcome:
    status = "failed" if trouble else "done"
    receipt = Receipt(key="a/0000/0/0", group="a", status=status, reason=f"because {trouble}")
    return Outcome(receipt=receipt, trouble=trouble)


@pytest.mark.parametrize(
    ("trouble", "confirmed", "count"),
    [("licence", False, 1), ("refused", False, 2), ("unreachable", True, 1),
     ("unreachable", False, 3), ("provider", False, 8)],
)  # fmt: skip
def test_a_breaker_opens_after_a_few_failures_in_a_row(
    trouble: str, confirmed: bool, count: int
) -> None:
    breaker = Breaker()
    opened = [breaker.note(ended(trouble), lambda: confirmed) for _ in range(count)]
    assert opened == [False] * (count - 1) + [True]
    assert not breaker.allows()
    assert breaker.reason == f"because {trouble}"


def test_a_success_between_keeps_it_closed_and_a_bad_block_says_nothing() -> None:
    breaker = Breaker()
    for _ in range(5):
        for trouble in ("refused", "block", ""):
            assert not breaker.note(ended(trouble), lambda: False)
    for _ in range(100):
        assert not breaker.note(ended("block"), lambda: True)
    assert breaker.allows()


def test_after_a_rest_one_block_tries_whether_a_provider_is_back() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    breaker.note(ended("unreachable"), lambda: True)
    now[0] = REST - 1
    assert not breaker.allows()
    now[0] = REST
    assert breaker.allows()
    assert not breaker.allows()  # one, not all
    breaker.note(ended("unreachable"), lambda: True)
    assert not breaker.allows()
    now[0] = 2 * REST
    assert breaker.allows()
    breaker.note(ended(""), lambda: True)
    assert breaker.closed


def test_a_refused_key_is_not_tried_again() -> None:
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(2):
        breaker.note(ended("refused"), lambda: False)
    now[0] = 100 * REST
    assert not breaker.allows()


@pytest.mark.parametrize("trouble", ["silent", "refused", "bad"])
def test_a_provider_in_trouble_is_left_alone_and_the_others_go_on(
    client: Client, tmp_path: Path, trouble: str
) -> None:
    place, _, good = work(tmp_path, 12)
    bad = Plodder(journal=str(tmp_path / "other"), trouble=trouble, group="other")
    object.__setattr__(bad, "provider", "other")
    place.cube.add_group(bad.layout, days_of(60))
    tasks = [(bad, list(cut(bad.layout, GRID, days_of(60))))]
    begin = time.monotonic()
    dispatch, outcomes = dispatched(client, place, tasks + good)
    assert time.monotonic() - begin < 60
    assert statuses([o for o in outcomes if o.receipt.group == "plodder"]) == {"done": 12}
    ((reason, blocks),) = dispatch.lines.not_attempted().items()
    attempted = [o for o in outcomes if o.receipt.group == "other"]
    assert len(attempted) + blocks == 60
    assert len(attempted) <= 8 + IN_FLIGHT * 2
    assert reason == attempted[-1].receipt.reason
    assert not place.cube.manifest().finished("other")  # all are still missing


def test_a_budget_of_units_ends_the_spending(tmp_path: Path) -> None:
    _, plodder, tasks = work(tmp_path, 4)
    lines = Lines(tasks, {}, 10.0)
    spender = replace(ended(""), meter=Meter(units=6.0))
    assert lines.next(8) is not None
    assert lines.learn(plodder, spender) == ""
    assert lines.next(8) is not None
    assert lines.learn(plodder, spender) == "plodder"
    assert lines.next(8) is None
    ((reason, blocks),) = lines.not_attempted().items()
    assert "12 processing units are spent of ingest.max_units 10" in reason
    assert blocks == 2


def test_lines_move_in_turn_and_a_store_s_queue_takes_half_at_most(tmp_path: Path) -> None:
    _, plodder, ((_, blocks),) = work(tmp_path, 30)
    sources = {}
    for name in ("hub", "cds", "ewds"):
        sources[name] = replace(plodder, group=name)
        object.__setattr__(sources[name], "provider", name)
    lines = Lines([(source, blocks) for source in sources.values()], {}, float("inf"))
    begun = Counter()
    for _ in range(8):
        found = lines.next(8)
        assert found is not None
        begun[found[0].source.provider] += 1
    assert begun == {"hub": 4, "cds": 2, "ewds": 2}
    one = Lines([(sources["cds"], blocks)], {"cds": Quota(connections=1)}, float("inf"))
    assert one.next(8) is not None
    assert one.next(8) is None  # the store takes no more at a time


# Workers that die or hang ----------------------------------------------------------------------


def test_never_more_than_four_blocks_a_worker_are_in_flight(client: Client, tmp_path: Path) -> None:
    place, _, tasks = work(tmp_path, 30, seconds=0.01)
    most = 0
    dispatch = dispatch_of(client, place, tasks)

    def look() -> None:
        nonlocal most
        most = max(most, dispatch.flying)

    dispatch.tick = look
    assert statuses(list(dispatch.outcomes())) == {"done": 30}
    assert most == IN_FLIGHT * 2


def pids_of(client: Client) -> set[int]:
    """Process numbers of workers; one that is dying does not answer."""
    answers = client.run(os.getpid, on_error="return").values()
    return {pid for pid in answers if isinstance(pid, int)}


def kill_one(pids: set[int], rng: np.random.Generator) -> None:
    """End one worker process without warning."""
    alive = [pid for pid in sorted(pids) if psutil.pid_exists(pid)]
    if alive:
        os.kill(int(rng.choice(alive)), signal.SIGKILL)


@pytest.mark.parametrize(
    ("kills", "count"),
    [pytest.param(3, 40, id="D1-3"), pytest.param(100, 900, id="D1-100", marks=FULL)],
)
def test_killed_workers_cost_what_they_had_in_hand_and_nothing_else(
    client: Client, tmp_path: Path, kills: int, count: int
) -> None:
    place, plodder, tasks = work(tmp_path, count, seconds=0.15)
    rng, done = np.random.default_rng(1), 0
    outcomes = []
    for outcome in dispatch_of(client, place, tasks).outcomes():
        outcomes.append(outcome)
        if done < kills and len(outcomes) >= (done + 1) * count / (kills + 2):
            kill_one(pids_of(client), rng)
            done += 1
    assert done == kills
    assert statuses(outcomes) == {"done": count}
    assert len({outcome.receipt.key for outcome in outcomes}) == count
    begun = Counter(name for _, name, _ in plodder.events("begun"))
    # One block a kill was being worked on; whatever had been acknowledged was not begun again.
    assert sum(begun.values()) - count <= kills
    assert len(place.cube.manifest().fold()) == count


def test_nannies_that_give_up_are_replaced(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firesat.jobs.ingest.dispatch.SHORT", 1.0)
    monkeypatch.setattr("firesat.jobs.ingest.dispatch.COUNT_EVERY", 0.5)
    place, _, tasks = work(tmp_path, 40, seconds=0.3)
    outcomes = []
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
        for outcome in dispatch_of(client, place, tasks).outcomes():
            outcomes.append(outcome)
            if len(outcomes) == 5:  # as they do when a worker dies in starting
                for nanny in list(client.cluster.workers.values()):
                    client.cluster.sync(nanny.close)
    assert statuses(outcomes) == {"done": 40}


def test_a_block_that_was_finished_is_not_made_again_when_dask_asks_for_it(tmp_path: Path) -> None:
    place, plodder, tasks = work(tmp_path, 1)
    block = tasks[0][1][0]
    first = ingest_block(plodder, block, place)
    again = ingest_block(plodder, block, place)
    assert again.receipt == first.receipt
    assert len(plodder.events("begun")) == 1
    other = ingest_block(plodder, block, replace(place, run="another"))  # another run decides anew
    assert other.receipt == first.receipt
    assert len(plodder.events("begun")) == 2


@pytest.mark.parametrize(
    "count", [pytest.param(1, id="D3-1"), pytest.param(20, id="D3-20", marks=FULL)]
)
def test_a_hung_worker_is_restarted_its_block_begun_once_more_and_then_named(
    client: Client, tmp_path: Path, count: int
) -> None:
    for number in range(count):
        folder = tmp_path / f"hang-{number}"
        folder.mkdir()
        place, once, tasks = work(folder, 6, trouble="hang_once", only=3)
        for_ever = replace(once, group="other", trouble="hang", only=1)
        place.cube.add_group(for_ever.layout, days_of(4))
        tasks.append((for_ever, list(cut(for_ever.layout, GRID, days_of(4)))))
        _, outcomes = dispatched(client, place, tasks, limits=Limits(seconds=HANGING))
        assert statuses(outcomes) == {"done": 9, "failed": 1}
        (failed,) = [o.receipt for o in outcomes if o.receipt.status == "failed"]
        assert failed.key == tasks[1][1][1].key
        assert failed.reason == f"no end after {HANGING:g} s, 2 times"
        hung = tasks[0][1][3].key.replace("/", "-")
        assert len(once.events("begun", hung)) == 2
        assert len(once.events("made", hung)) == 1  # a single commit


# Coordinators and schedulers that die ----------------------------------------------------------

SCRIPT = """
import sys
from tests.jobs.test_ingest_faults import project_of
from firesat.jobs.ingest import Unwatched, ingest
if __name__ == "__main__":
    report = ingest(project_of(sys.argv[1]), Unwatched())
    sys.exit(0 if report.complete else 1)
"""


def project_of(folder: str, address: str | None = None) -> Project:
    return Project(
        cube=CubeSettings(
            path=Path(folder) / "cube.zarr", periods=[Period(start="2023-06-01", end="2023-07-10")]
        ),
        grid=GRID,
        ingest=IngestSettings(
            sources=[Plodder(journal=f"{folder}/journal")], workers=2, address=address
        ),
    )


def acknowledged(folder: Path) -> set[str]:
    """Blocks that the ledger vouches for."""
    if not (folder / "cube.ledger").exists():
        return set()
    manifest = Manifest(folder / "cube.ledger")
    keys = manifest.finished("plodder") | manifest.unfolded("plodder")
    return {key.replace("/", "-") for key in keys}


def made(folder: Path) -> Counter[str]:
    """How often each block was made."""
    return Counter(line.split()[1] for line in journal_of(folder) if line.startswith("made"))


def start(folder: Path, seconds: float) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ, "PLODDER_KEY": "x", "PLODDER_SECONDS": str(seconds),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    script = folder / "coordinator.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_when(folder: Path, process: "subprocess.Popen[bytes]", more: int) -> None:
    """End a coordinator once some more blocks are acknowledged; none of its workers stays."""
    wanted, end = min(len(acknowledged(folder)) + more, 39), time.monotonic() + 120
    while len(acknowledged(folder)) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert process.wait() != 0
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="D2-1"), pytest.param(20, id="D2-20", marks=FULL)]
)
def test_a_killed_coordinator_ends_with_its_workers_and_a_rerun_resumes(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    monkeypatch.setenv("PLODDER_KEY", "x")
    finished: list[set[str]] = []
    for _ in range(kills):
        kill_when(tmp_path, start(tmp_path, 0.3), more=5 if kills == 1 else 1)
        finished.append(acknowledged(tmp_path))
        assert len(finished[-1]) >= 1
    before = made(tmp_path)
    assert ingest(project_of(str(tmp_path), client.scheduler.address), Unwatched()).complete
    after = made(tmp_path)
    assert len(after) == 40
    assert all(after[name] == before[name] for name in finished[-1])  # none of them recomputed
    assert sum(after.values()) - 40 <= 2 * kills  # what two workers had in hand at each kill
    with open_cube(tmp_path / "cube.zarr", "plodder") as cube:
        values = cube["t2m"].values
    np.testing.assert_array_equal(np.nanmin(values, axis=(1, 2)), 280.0 + np.arange(40))
    np.testing.assert_array_equal(np.nanmax(values, axis=(1, 2)), 280.0 + np.arange(40))


def journal_of(folder: Path) -> list[str]:
    path = folder / "journal"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A scheduler and a worker of their own, as on a cluster."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PLODDER_SECONDS": "0.2"
    }  # fmt: skip
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m"]
    first = subprocess.Popen(
        [*command, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
         "--dashboard-address", "127.0.0.1:0"], env=environment, **quiet,
    )  # fmt: skip
    address = f"tcp://127.0.0.1:{port}"
    second = subprocess.Popen(
        [*command, "distributed.cli.dask_worker", address, "--nthreads", "1", "--host",
         "127.0.0.1", "--local-directory", str(tmp_path)], env=environment, **quiet,
    )  # fmt: skip
    yield address, first
    for process in (second, first):
        process.terminate()
        process.wait(30)


def test_a_scheduler_that_dies_is_said_so_and_a_rerun_resumes(
    client: Client,
    scheduler: tuple[str, "subprocess.Popen[bytes]"],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLODDER_KEY", "x")
    address, process = scheduler

    class Watcher(Unwatched):
        def ended(self, outcome: Outcome) -> None:
            if process.poll() is None:
                process.kill()

    # Dask looks for a scheduler that has gone for as long as this, 30 s by default.
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "3s"}),
        pytest.raises(ClusterError, match="the Dask scheduler is gone"),
    ):
        ingest(project_of(str(tmp_path), address), Watcher())
    finished, before = acknowledged(tmp_path), made(tmp_path)
    assert 1 <= len(finished) < 40
    assert ingest(project_of(str(tmp_path), client.scheduler.address), Unwatched()).complete
    after = made(tmp_path)
    assert len(after) == 40
    assert all(after[name] == before[name] for name in finished)


def test_a_scheduler_that_is_not_there_is_said_so() -> None:
    settings = IngestSettings(address="tcp://127.0.0.1:9")
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        client_of_quickly(patch, settings),
    ):
        pytest.fail("somebody answered")


def client_of_quickly(patch: pytest.MonkeyPatch, settings: IngestSettings) -> Any:
    patch.setattr("firesat.jobs.ingest.cluster.CONNECT", 1.0)
    return client_of(settings)


# What others can see ---------------------------------------------------------------------------


def test_nothing_listens_beyond_this_machine(client: Client, tmp_path: Path) -> None:
    place, _, tasks = work(tmp_path, 3)
    dispatched(client, place, tasks)
    me = psutil.Process()
    listening = [
        connection.laddr.ip
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4  # a scheduler, its dashboard, two workers
    assert set(listening) <= {"127.0.0.1", "::1"}
    assert dashboard_of(client).startswith("http://127.0.0.1:")
    page = requests.get(dashboard_of(client), timeout=30)
    assert page.status_code == 200
    assert "Task Stream" in page.text


@pytest.mark.parametrize("system", ["slurm", "pbs"])
def test_jobs_of_a_batch_system_say_what_the_config_asks_for(tmp_path: Path, system: Any) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: firesat[hpc]")
    queue = QueueSettings(
        system=system, partition="short", account="forest", walltime="02:30:00", folder=tmp_path,
        prologue=["module load python"], directives=["--nice"],
    )  # fmt: skip
    cluster = batch_cluster(
        IngestSettings(workers=3, memory_limit="3GiB", queue=queue), submit=False
    )
    try:
        script, listens = cluster.job_script(), cluster.scheduler.http_server
        address = cluster.scheduler_address
        assert listens is not None
    finally:
        cluster.close()
    wanted = {"slurm": ("#SBATCH -p short", "#SBATCH -A forest", "#SBATCH -t 02:30:00"),
              "pbs": ("#PBS -q short", "#PBS -A forest", "#PBS -l walltime=02:30:00")}  # fmt: skip
    worker = ("--memory-limit 3.00GiB", "--nthreads 1", "--nanny")
    secure = ("--tls-ca-file", "--tls-cert", "--tls-key")
    for line in (*wanted[system], *worker, *secure, "module load python", "--nice"):
        assert line in script
    assert address.startswith("tls://")
    assert address in script
    keys = [path for path in tmp_path.rglob("*") if path.is_file() and "key" in path.name]
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_a_key_that_is_missing_stops_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLODDER_KEY", raising=False)
    with pytest.raises(CredentialsError, match="plodder: no key: set PLODDER_KEY"):
        ingest(project_of(str(tmp_path)), Unwatched())
    assert list(tmp_path.iterdir()) == []


def test_the_log_names_every_failure_and_the_report_every_reason(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLODDER_KEY", "canary-key-of-the-plodder")
    project = project_of(str(tmp_path), client.scheduler.address)
    (plodder,) = project.ingest.sources
    broken = replace(plodder, trouble="bad", only=5)
    report = ingest(replace(project, ingest=replace(project.ingest, sources=[broken])), Unwatched())
    assert isinstance(report, IngestReport)
    assert report.counts["plodder"] == {"done": 39, "failed": 1}
    assert not report.complete
    ((reason, receipts),) = report.reasons().items()
    assert reason == "ProviderError: plodder answers nonsense"
    assert report.log is not None
    lines = report.log.read_text().splitlines()
    assert sum(f"{receipts[0].key} failed: {reason}" in line for line in lines) == 1
    assert len([line for line in lines if " done in " in line]) == 39
    kept = logging.getLogger("firesat.journal").handlers
    assert str(report.log) not in {getattr(each, "baseFilename", "") for each in kept}  # closed


def test_threads_of_this_process_do_not_pile_up(client: Client, tmp_path: Path) -> None:
    place, _, tasks = work(tmp_path, 6)
    dispatched(client, place, tasks)
    before = threading.active_count()
    for number in range(3):
        dispatched(client, replace(place, run=f"again-{number}"), tasks)
    assert threading.active_count() <= before + 2
