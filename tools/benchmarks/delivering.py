"""One process that delivers, for so long or until its queue is empty: ours, or the guide's."""

import time
from collections.abc import Mapping

from tools.benchmarks import ours
from tools.benchmarks.backlog import (
    OPEN,
    Database,
    Messages,
    count,
    wait_until_published,
    wait_until_settled,
)
from tools.benchmarks.bench import Bench
from tools.benchmarks.children import Child, cpu_seconds
from tools.benchmarks.rounds import Sample
from tools.processes import Process

START_TIMEOUT = 60.0  # seconds until a worker's first call


def drain(
    bench: Bench, database: Database, *, threads: int, batch: bool = False, latency: float = 0.0
) -> Sample:
    """Our own process, on a copy. Raises `RuntimeError` if it recorded other than it sent."""
    bench.stub.reset(latency)
    with database.copy() as url:
        queued = count(url, *OPEN)
        sample = drain_at(bench, url, queued, threads=threads, batch=batch)
        sent, recorded = bench.stub.wait(0, 0).emails, count(url, "accepted")
    if sent != recorded:
        raise RuntimeError(f"{sent} emails reached the provider, and {recorded} are on record")
    return sample


def drain_at(bench: Bench, url: str, queued: int, *, threads: int, batch: bool = False) -> Sample:
    """Our own process on the database at `url`: from its start until it has stopped.

    `queued` is how many emails there are to deliver.
    """
    settings = ours.settings(url, bench.stub.http, **_sizes(threads, batch))
    with Child("tools.benchmarks.drain", [], settings, bench.folder / "drain.log") as child:
        child.wait()
        child.tell("go")
        if bench.stub.wait(queued, bench.size.seconds).emails >= queued:
            wait_until_settled(url, bench.size.seconds)
        said = child.ask("stop")
    emails = bench.stub.wait(0, 0).emails
    return {"rate": emails / said["seconds"], "cpu": _milliseconds(said["cpu"], emails)}


def guide_worker(
    bench: Bench, messages: Messages, broker_url: str, threads: int, latency: float = 0.0
) -> Sample:
    """The guide's worker: what reached the provider."""
    bench.stub.reset(latency)
    messages.restore()
    settings = {"BROKER_URL": broker_url, "PROVIDER_URL": bench.stub.http}
    pool = ("-P", "threads", "-c", str(threads))
    with worker("tools.benchmarks.guide_tasks", settings, bench, *pool) as running:
        first, cpu = _first_call(bench, running)
        arrived = bench.stub.wait(bench.size.emails // 4, bench.size.seconds)
        cpu = cpu_seconds(running.process.pid) - cpu
    seconds = arrived.last - first
    return {"rate": (arrived.emails - 1) / seconds, "cpu": _milliseconds(cpu, arrived.emails)}


def our_worker(
    bench: Bench,
    database: Database,
    messages: Messages,
    broker_url: str,
    *,
    threads: int,
    batch: bool,
) -> Sample:
    """Our Celery worker: what it recorded as accepted since its first call."""
    bench.stub.reset()
    messages.restore()
    with database.copy() as url:
        sizes = _sizes(threads, batch) | {"EMAIL_DELIVERY": "celery", "REDIS_URL": broker_url}
        settings = ours.settings(url, bench.stub.http, **sizes)
        queued = count(url, *OPEN)
        with worker("tasks", settings, bench) as running:
            first, cpu = _first_call(bench, running)
            if bench.stub.wait(queued, bench.size.seconds).emails >= queued:
                wait_until_settled(url, bench.size.seconds)
            seconds, cpu = time.monotonic() - first, cpu_seconds(running.process.pid) - cpu
            accepted = count(url, "accepted")
    return {"rate": accepted / seconds, "cpu": _milliseconds(cpu, accepted)}


def publish_as_guide(bench: Bench, broker_url: str, emails: int) -> None:
    """Put so many of the guide's messages into the queue."""
    settings = {"BROKER_URL": broker_url}
    log = bench.folder / "guide.log"
    with Child("tools.benchmarks.guide_tasks", [str(emails)], settings, log) as child:
        child.wait()
        wait_until_published(broker_url)


def worker(module: str, settings: Mapping[str, str], bench: Bench, *options: str) -> Process:
    """A Celery worker that is not started yet."""
    # Without the greetings of other workers it starts a second sooner.
    command = ["celery", "-A", module, "worker", "--loglevel=info", "--without-mingle", *options]
    return Process(command, settings, bench.folder / "worker.log")


def _first_call(bench: Bench, running: Process) -> tuple[float, float]:
    """When the worker's first email came, and the CPU time that it had used by then."""
    arrived = bench.stub.wait(1, START_TIMEOUT)
    if not arrived.emails:
        raise RuntimeError(f"the worker called nobody; it said:\n{running.output()[-4000:]}")
    return arrived.first, cpu_seconds(running.process.pid)


def _sizes(threads: int, batch: bool) -> dict[str, str]:
    return {"EMAIL_THREADS": str(threads), "EMAIL_BATCH": str(batch).lower()}


def _milliseconds(cpu: float, emails: int) -> float:
    return cpu / max(1, emails) * 1000
