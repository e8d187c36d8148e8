"""One run: load and kills at once, then a wait for the last email, then the verdict."""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from attrs import frozen

from outbox import breaker
from tools.drill.clients import Clients
from tools.drill.judge import Kill, Record, RunVerdict, judge
from tools.drill.nat import FORGETS_AFTER
from tools.drill.plan import PlannedKill, pace, plan_kills
from tools.drill.progress import Progress
from tools.drill.rows import Rows
from tools.drill.scenarios import Scenario
from tools.drill.stack import LEASE, TIMEOUT, TOKEN, Stack
from tools.servers import PostgreSQL

# Seconds in which nothing is finished and nobody waits for a next attempt, until the run is
# judged: more than a lease lasts, and more than a provider is left alone.
STANDSTILL = 30.0 + max(LEASE, breaker.PAUSE)
LONGEST_SETTLING = 900.0  # seconds; beyond that, waiting for a next attempt is no excuse
TICK = 0.01  # seconds between two looks, short so that a kill meets requests under way
MOST_STORIES = 10
AWAY = 30.0  # seconds without a database


@frozen(kw_only=True)
class Size:
    """How large a run is."""

    emails: int
    kills: int


@frozen
class Result:
    """The kills and the verdict of a run, and the stories of the emails it was missed with.

    `seconds` passed from the last accepted email to the last finished one.
    """

    scenario: Scenario
    seed: int
    kills: Sequence[Kill]
    seconds: float
    verdict: RunVerdict
    stories: Sequence[str]


def run(
    scenario: Scenario,
    seed: int,
    size: Size,
    folder: Path,
    server: PostgreSQL | None,
    database_url: str,
    progress: Progress,
) -> Result:
    """Run `scenario` on a database of its own, with logs in `folder`; nothing is left running.

    `server` is that of the database, if it has one.
    """
    planned = plan_kills(seed, scenario.victims, size.kills, size.emails)
    per_second = pace(size.emails, size.kills)
    with (
        closing(Rows(database_url)) as rows,
        Stack(scenario, seed, folder, database_url) as stack,
        Clients(stack.urls, TOKEN, emails=size.emails, per_second=per_second) as clients,
    ):
        course = _Course(stack, rows, clients, server, progress)
        course.follow(planned)
        seconds = course.settle()
        record = Record(
            offered=size.emails,
            accepted=frozenset(clients.accepted.values()),
            rows=rows.all(),  # before the log: what a row calls accepted must stand there
            log=[each for log in stack.logs for each in _logged_ids(log)],
            kills=course.kills,
        )
        verdict = judge(record, scenario.rules)
        stories = [rows.story(email_id) for email_id in verdict.suspects[:MOST_STORIES]]
    return Result(scenario, seed, course.kills, seconds, verdict, stories)


class _Course:
    """What happens while the clients send: planned kills, and parts that end by themselves."""

    def __init__(
        self,
        stack: Stack,
        rows: Rows,
        clients: Clients,
        server: PostgreSQL | None,
        progress: Progress,
    ) -> None:
        self.kills: list[Kill] = []
        self._stack, self._rows, self._clients = stack, rows, clients
        self._server, self._progress = server, progress

    def follow(self, planned: Sequence[PlannedKill]) -> None:
        """Kill as planned, and return when every email is accepted."""
        for kill in planned:
            while len(self._clients.accepted) < kill.after:
                self._tick()
            self._hurt(kill.part)
        while not self._clients.done():
            self._tick()

    def settle(self) -> float:
        """Wait for the last email, as long as anything moves; how many seconds that took."""
        began = moved = time.monotonic()
        before = 0
        while time.monotonic() < min(moved + STANDSTILL, began + LONGEST_SETTLING):
            rows, finished = self._rows.counts()
            if finished == rows:
                break
            if finished > before or self._rows.somebody_waits():
                before, moved = finished, time.monotonic()
            self._tick(20 * TICK)
        return time.monotonic() - began

    def _hurt(self, part: str) -> None:
        if part == "postgresql" and self._server:
            with self._server.away(crash=bool(len(self.kills) % 2)):
                time.sleep(AWAY)  # the fault itself, as below
            self.kills.append(Kill(part, frozenset()))
        elif part == "nat":
            with self._clients.asleep():
                time.sleep(FORGETS_AFTER + 2 * TIMEOUT)  # calls in flight end first
            self.kills.append(Kill(part, frozenset()))
        else:
            with self._stack.killing(part):
                self.kills.append(Kill(part, self._rows.in_flight()))

    def _tick(self, seconds: float = TICK) -> None:
        for part in self._stack.ended():
            # Its rows stay in flight until their lease is over.
            self.kills.append(Kill(part, self._rows.in_flight(), by_itself=True))
            self._stack.start(part)
        if self._progress.is_due():
            self._clients.done()
            accepted, finished = self._rows.counts()
            kills = sum(not kill.by_itself for kill in self.kills)
            self._progress.show(accepted=accepted, finished=finished, kills=kills)
        time.sleep(seconds)


def _logged_ids(log: Path) -> list[str]:
    """Our id of each email that the simulator accepted; a line being written does not count."""
    with log.open(encoding="utf-8") as lines:
        emails = [json.loads(line) for line in lines if line.endswith("\n")]
    # Sequenzy has no metadata; there the id is the key.
    return [each["metadata"].get("email_id") or each["idempotency_key"] for each in emails]
