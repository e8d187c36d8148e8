"""Emails delivered per second by one process, from a queue that is full before it begins."""

from collections.abc import Callable
from contextlib import ExitStack

from attrs import frozen

from tools.benchmarks import backlog
from tools.benchmarks.backlog import Database, Messages
from tools.benchmarks.bench import Bench
from tools.benchmarks.delivering import drain, guide_worker, our_worker, publish_as_guide
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.rounds import Contenders, Results, Sample, interleave
from tools.servers import PostgreSQL, Valkey

TITLE = "Delivered per second by one process"
BASELINE = "the guide's Celery task, threads -c16"
LATENCY, SLOTS = 0.1, 32
FAR = f"{SLOTS} slots, {LATENCY * 1000:.0f} ms"

ABOUT = (
    "The queue is full before a process starts. Ours count from the start of delivery until the "
    "outcomes are committed; Celery workers count from their first call to the provider, without "
    "their start. All messages lie in the same Valkey."
)


@frozen
class _Queues:
    """All that is queued beforehand."""

    sqlite: Database
    postgresql: Database
    each_commit: tuple[Database, Messages]
    one_commit: tuple[Database, Messages]
    guide: Messages
    broker_url: str


def run(bench: Bench) -> Section:
    with ExitStack() as servers:
        bench.progress.show("filling the queues")
        queues = _fill(bench, servers)
        near, far = _near(bench, queues), _far(bench, queues)
        bench.progress.expect((len(near) + len(far)) * bench.size.rounds)
        results = interleave({**near, **far}, bench.size.rounds, bench.progress)
    bars = [(name, results.median(name, "rate"), name.startswith("ours")) for name in near]
    tables = [_rates(near, results), _shares(far, results)]
    return Section(name="engine", title=TITLE, about=ABOUT, tables=tables, bars=bars)


def _fill(bench: Bench, servers: ExitStack) -> _Queues:
    postgresql = servers.enter_context(PostgreSQL())
    broker_url = servers.enter_context(Valkey()).url
    emails = bench.size.emails
    sqlite_url = backlog.new_sqlite(bench.folder, "backlog")
    postgresql_url = servers.enter_context(postgresql.database())
    for url in (sqlite_url, postgresql_url):
        backlog.make(bench, url, emails)
    publish_as_guide(bench, broker_url, emails // 4)
    guide = Messages(broker_url, "guide")
    each = _published(bench, broker_url, "each", emails // 5, "--per-commit=1")
    one = _published(bench, broker_url, "one", emails // 2)
    return _Queues(
        sqlite=Database(sqlite_url),
        postgresql=Database(postgresql_url, postgresql),
        each_commit=each,
        one_commit=one,
        guide=guide,
        broker_url=broker_url,
    )


def _published(
    bench: Bench, broker_url: str, name: str, emails: int, *options: str
) -> tuple[Database, Messages]:
    url = backlog.new_sqlite(bench.folder, name)
    queueing = {"EMAIL_DELIVERY": "celery", "REDIS_URL": broker_url}
    backlog.make(bench, url, emails, *options, by_app=emails, variables=queueing)
    return Database(url), Messages(broker_url, name)


def _near(bench: Bench, queues: _Queues) -> Contenders:
    def guide(threads: int) -> Callable[[], Sample]:
        return lambda: guide_worker(bench, queues.guide, queues.broker_url, threads)

    def ours(database: Database, threads: int, batch: bool = False) -> Callable[[], Sample]:
        return lambda: drain(bench, database, threads=threads, batch=batch)

    def worker(queue: tuple[Database, Messages], batch: bool) -> Callable[[], Sample]:
        return lambda: our_worker(bench, *queue, queues.broker_url, threads=8, batch=batch)

    sqlite, postgresql = queues.sqlite, queues.postgresql
    return {
        "the guide's Celery task, threads -c8": guide(8),
        BASELINE: guide(16),
        "ours, SQLite, 8 threads, one by one": ours(sqlite, 8),
        "ours, SQLite, 16 threads, one by one": ours(sqlite, 16),
        "ours, SQLite, 8 threads, batches": ours(sqlite, 8, batch=True),
        "ours, PostgreSQL, 8 threads, one by one": ours(postgresql, 8),
        "ours, PostgreSQL, 16 threads, one by one": ours(postgresql, 16),
        "ours, PostgreSQL, 8 threads, batches": ours(postgresql, 8, batch=True),
        "ours, Celery worker, each email a commit": worker(queues.each_commit, batch=False),
        "ours, Celery worker, all in one commit": worker(queues.one_commit, batch=False),
        "ours, Celery worker, one commit, batches": worker(queues.one_commit, batch=True),
    }


def _far(bench: Bench, queues: _Queues) -> Contenders:
    return {
        f"the guide's Celery task, threads -c{SLOTS}": lambda: guide_worker(
            bench, queues.guide, queues.broker_url, SLOTS, latency=LATENCY
        ),
        "ours, SQLite": lambda: drain(bench, queues.sqlite, threads=SLOTS, latency=LATENCY),
        "ours, PostgreSQL": lambda: drain(bench, queues.postgresql, threads=SLOTS, latency=LATENCY),
    }


def _rates(contenders: Contenders, results: Results) -> Table:
    lines = [
        [
            name,
            number(results.median(name, "rate")),
            number(results.ratio(name, BASELINE, "rate")),
            number(results.median(name, "cpu")),
        ]
        for name in contenders
    ]
    return Table(("no latency", "emails/s", "times the guide's -c16", "CPU ms an email"), lines)


def _shares(contenders: Contenders, results: Results) -> Table:
    lines = []
    for name in contenders:
        rate = results.median(name, "rate")
        cells = [number(rate), number(rate * LATENCY / SLOTS), number(results.median(name, "cpu"))]
        lines.append([name, *cells])
    return Table((FAR, "emails/s", "of the ideal", "CPU ms an email"), lines)
