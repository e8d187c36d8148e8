"""Fixtures for all tests: real servers, migrated databases, and apps on them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from app import create_app
from extensions import db
from testing import TEST_SETTINGS, outbox_emails, scheduled_emails
from tests.servers import PostgreSQL, Valkey
from tests.simulator.process import Simulator

__all__ = ["outbox_emails", "scheduled_emails"]

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL server, started once."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A real Valkey server, started once."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all migrations, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": f"sqlite:///{path}"})
    with app.app_context():
        upgrade()
        db.engine.dispose()  # the last connection writes the log back into the file
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    path = tmp_path / "app.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def make_app(sqlite_url: str) -> Iterator[MakeApp]:
    """`make_app(EMAIL_DELIVERY="thread")`: an app on the test's own database."""
    apps: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        app = create_app({**TEST_SETTINGS, "DATABASE_URL": sqlite_url, **overrides})
        apps.append(app)
        return app

    yield make
    for app in apps:
        _close(app)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The app in development mode, sending in the request to the inbox."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without pages."""
    return app.test_client()


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The provider simulator, started once."""
    with Simulator(tmp_path_factory.mktemp("simulator") / "log.jsonl") as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulator with an empty log."""
    simulator_process.clear()
    return simulator_process


def _close(app: Flask) -> None:
    from outbox import running

    running.stop(app)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
