"""At the provider's own limit: how much of it is used, and what waits behind a backlog."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime

import requests
from attrs import frozen
from redis import Redis

from tools.benchmarks import backlog, ours
from tools.benchmarks.bench import Bench
from tools.benchmarks.children import Child
from tools.benchmarks.delivering import worker
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.webs import Web
from tools.processes import wait_until
from tools.servers import PostgreSQL, Valkey
from tools.simulator_process import Simulator

TITLE = "At the provider's limit"
PATIENCE = {"resend": 30.0, "sequenzy": 130.0}  # seconds that a run may take
PER_MINUTE = 100  # calls that Sequenzy takes
URGENT = "urgent@example.com"
DATABASES, DELIVERIES = ("SQLite", "PostgreSQL"), ("thread", "celery")
RUNS = 2 * len(DATABASES) * len(DELIVERIES) + 1 + len(DATABASES) * len(DELIVERIES)

ABOUT = (
    "The simulator refuses what is beyond the vendor's limit: 5 calls in a second at Resend, 100 "
    "in a minute at Sequenzy. Seconds are those from the first accepted email to the last."
)


def run(bench: Bench) -> Section:
    bench.progress.expect(RUNS)
    with ExitStack() as servers:
        log = bench.folder / "accepted.jsonl"
        stand = _Stand(
            bench=bench,
            postgresql=servers.enter_context(PostgreSQL()),
            broker_url=servers.enter_context(Valkey()).url,
            simulator=servers.enter_context(Simulator(log, ["--rates", "--no-fsync"])),
        )
        tables = [_resend(stand), _sequenzy(stand), _urgent(stand)]
    return Section(name="limits", title=TITLE, about=ABOUT, tables=tables)


@frozen(kw_only=True)
class _Stand:
    """The servers of this part."""

    bench: Bench
    postgresql: PostgreSQL
    broker_url: str
    simulator: Simulator

    @contextmanager
    def run(self, name: str, database: str) -> Iterator[str]:
        """The URL of a new database; broker and simulator are empty."""
        self.bench.progress.show(name)
        self.simulator.clear()
        with Redis.from_url(self.broker_url) as broker:
            broker.flushall()
        with ExitStack() as stack:
            if database == "PostgreSQL":
                yield stack.enter_context(self.postgresql.database())
            else:
                yield backlog.new_sqlite(self.bench.folder, f"run{time.monotonic_ns()}")
        self.bench.progress.step()

    def delivery(self, name: str) -> dict[str, str]:
        """The settings of a way of delivery."""
        return {"EMAIL_DELIVERY": name, "REDIS_URL": self.broker_url if name == "celery" else ""}

    @contextmanager
    def delivering(self, processes: int, settings: Mapping[str, str]) -> Iterator[None]:
        """So many processes of ours deliver."""
        with ExitStack() as running:
            if settings["EMAIL_DELIVERY"] == "celery":
                for _ in range(processes):
                    running.enter_context(worker("tasks", settings, self.bench))
            else:
                log = self.bench.folder / "drain.log"
                command = "tools.benchmarks.drain"
                children = [Child(command, [], settings, log) for _ in range(processes)]
                for child in children:
                    running.enter_context(child)
                for child in children:
                    child.wait()
                for child in children:
                    child.tell("go")
            yield

    def result(self, provider: str) -> tuple[int, float, int]:
        """How many emails were accepted, within how many seconds, and how many calls got a 429."""
        moments = [datetime.fromisoformat(each["at"]) for each in self.simulator.accepted()]
        seconds = (moments[-1] - moments[0]).total_seconds() if moments else 0.0
        return len(moments), seconds, self.simulator.answers(provider)["429"]


def _resend(stand: _Stand) -> Table:
    """Many emails that are due at once."""
    emails = stand.bench.size.emails // 10
    lines = []
    for database in DATABASES:
        for delivery in DELIVERIES:
            for processes in (1, 4):
                name = f"{database}, {delivery}, {processes} process{'es'[: processes - 1]}"
                with stand.run(name, database) as url:
                    own = stand.delivery(delivery)
                    backlog.make(stand.bench, url, emails, variables=own)
                    settings = ours.settings(url, stand.simulator.url, **_AT_LIMIT | own)
                    with stand.delivering(processes, settings):
                        backlog.wait_until_settled(url, PATIENCE["resend"])
                    accepted, seconds, refused = stand.result("resend")
                lines.append([name, f"{accepted:,}", number(seconds), f"{refused:,}"])
    return Table((f"Resend, {emails:,} emails due", "accepted", "seconds", "429"), lines)


def _sequenzy(stand: _Stand) -> Table:
    """A backlog of more than a minute, once."""
    emails = max(10, stand.bench.size.emails * 3 // 200)
    name = "SQLite, thread, 1 process"
    own = {
        "EMAIL_PROVIDER": "sequenzy",
        "SEQUENZY_API_KEY": "sq_a_key_of_the_benchmarks",
        "SEQUENZY_BASE_URL": f"{stand.simulator.url}/api/v1",
    }
    with stand.run("Sequenzy", "SQLite") as url:
        backlog.make(stand.bench, url, emails, variables=own)
        settings = ours.settings(url, stand.simulator.url, **own)
        with stand.delivering(1, settings):
            backlog.wait_until_settled(url, PATIENCE["sequenzy"])
        accepted, seconds, refused = stand.result("sequenzy")
    used = (accepted - 1) / seconds * 60 / PER_MINUTE if seconds else float("nan")
    headings = (f"Sequenzy, {emails} emails due", "accepted", "seconds", "of the limit", "429")
    cells = [f"{accepted:,}", number(seconds), number(used), f"{refused:,}"]
    return Table(headings, [[name, *cells]])


def _urgent(stand: _Stand) -> Table:
    """One email that somebody waits for, behind marketing that is due."""
    emails = stand.bench.size.emails * 2
    lines = []
    for database in DATABASES:
        for delivery in DELIVERIES:
            name = f"{database}, {delivery}"
            with stand.run(name, database) as url:
                backlog.make(stand.bench, url, emails, "--category=marketing")
                own = stand.delivery(delivery) | {"EMAIL_BATCH": "false"}
                settings = ours.settings(url, stand.simulator.url, **_AT_LIMIT | own)
                lines.append([name, number(_seconds_of_one(stand, settings))])
    headings = (f"Resend without batches, behind {emails:,} of marketing", "seconds")
    return Table(headings, lines)


def _seconds_of_one(stand: _Stand, settings: Mapping[str, str]) -> float:
    """From the answer of `POST /api/send` to the provider's yes; not a number if it never came."""
    with ExitStack() as running:
        web = Web.ours(stand.bench.folder, settings)
        running.enter_context(web.process)
        web.process.wait_for_http(f"http://127.0.0.1:{web.port}/healthz")
        if settings["EMAIL_DELIVERY"] == "celery":
            running.enter_context(worker("tasks", settings, stand.bench))
        wait_until(lambda: bool(stand.simulator.answers("resend")), "the first of the marketing")
        requests.post(
            f"http://127.0.0.1:{web.port}/api/send",
            json={"email": URGENT, "name": "Ann"},
            headers={"Authorization": f"Bearer {ours.TOKEN}"},
            timeout=30,
        ).raise_for_status()
        began = time.monotonic()
        while not stand.simulator.accepted(URGENT):
            if time.monotonic() > began + PATIENCE["resend"]:
                return float("nan")
            time.sleep(0.01)
        return time.monotonic() - began


_AT_LIMIT = {"RESEND_RATE": "", "EMAIL_BATCH": ""}  # the defaults, as in production
