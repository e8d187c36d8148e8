"""Fixtures for all tests: real servers, migrated databases, and apps on them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from extensions import db
from testing import TEST_SETTINGS, outbox_emails, scheduled_emails
from tools.fixtures import (
    database_url,
    migrated_sqlite,
    postgresql,
    postgresql_url,
    simulator,
    simulator_process,
    sqlite_url,
    valkey,
)

__all__ = [
    "database_url",
    "migrated_sqlite",
    "outbox_emails",
    "postgresql",
    "postgresql_url",
    "scheduled_emails",
    "simulator",
    "simulator_process",
    "sqlite_url",
    "valkey",
]

MakeApp = Callable[..., Flask]


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


def _close(app: Flask) -> None:
    from outbox import running

    running.stop(app)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
