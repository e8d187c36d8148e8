"""What is queued before a round begins: made once, and copied for each round."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen
from redis import Redis
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from outbox import OutboxEmail
from setting_types import database_url as with_driver
from tools.benchmarks import ours
from tools.benchmarks.bench import Bench
from tools.benchmarks.children import Child
from tools.servers import PostgreSQL, migrate

SEEDS = 200  # rows that are queued as views do; the others are copies of these
QUIET = 0.5  # seconds without another message, until all are published

NONE: Mapping[str, str] = {}
OPEN = ("queued", "sending")


@frozen
class Database:
    """A database with due emails that is never delivered from."""

    url: str
    postgresql: PostgreSQL | None = None

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy; it is gone afterwards."""
        if self.postgresql:
            with self.postgresql.database(copy_of=self.url) as url:
                yield url
            return
        original = Path(self.url.removeprefix("sqlite:///"))
        copied = original.with_name("round.db")
        shutil.copy(original, copied)
        try:
            yield f"sqlite:///{copied}"
        finally:
            for left in copied.parent.glob("round.db*"):
                left.unlink()


def make(
    bench: Bench,
    url: str,
    emails: int,
    *options: str,
    by_app: int = SEEDS,
    variables: Mapping[str, str] = NONE,
) -> None:
    """Queue so many emails in the migrated database at `url`, at most `by_app` of them as views do.

    `options` are those of `fill`, `variables` settings of the app that queues them.
    """
    seeds = min(emails, by_app)
    arguments = [str(seeds), f"--copies={emails // seeds - 1}", *options]
    settings = ours.settings(url, bench.stub.http, **variables)
    with Child("tools.benchmarks.fill", arguments, settings, bench.folder / "fill.log") as child:
        child.wait()
        if variables.get("EMAIL_DELIVERY") == "celery":
            wait_until_published(variables["REDIS_URL"])


def new_sqlite(folder: Path, name: str) -> str:
    """The URL of a new migrated database."""
    url = f"sqlite:///{folder / name}.db"
    migrate(url)
    return url


def count(url: str, *states: str) -> int:
    """How many emails are in one of these states."""
    with Session(create_engine(with_driver(url), poolclass=NullPool)) as session:
        query = select(func.count(OutboxEmail.id)).where(OutboxEmail.state.in_(states))
        return session.scalar(query) or 0


def analyze(url: str) -> None:
    """Let the planner know what is in the tables, as PostgreSQL does by itself after a while."""
    with create_engine(with_driver(url), poolclass=NullPool).begin() as connection:
        connection.execute(text("ANALYZE"))


def wait_until_settled(url: str, seconds: float) -> None:
    """Return once no email is open, or the time is over."""
    end = time.monotonic() + seconds
    while count(url, *OPEN) and time.monotonic() < end:
        time.sleep(0.01)


def wait_until_published(broker_url: str) -> None:
    """Return once messages have come, and no more do."""
    with Redis.from_url(broker_url) as broker:
        length, since = 0, time.monotonic()
        while not length or time.monotonic() - since < QUIET:
            if (now := broker.llen("celery")) != length:
                length, since = now, time.monotonic()
            time.sleep(0.02)


class Messages:
    """Messages in the broker's queue that were set aside under a name, to be had again."""

    def __init__(self, broker_url: str, name: str) -> None:
        self._url, self._kept = broker_url, f"kept:{name}"
        with Redis.from_url(broker_url) as broker:
            broker.rename("celery", self._kept)

    def restore(self) -> None:
        """Nothing but these messages is in the queue."""
        with Redis.from_url(self._url) as broker:
            broker.delete("celery", "unacked", "unacked_index", "unacked_mutex")
            broker.copy(self._kept, "celery")
