"""Apps on either database, in development and in production, and a look at what they stored."""

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import func, select
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

import outbox
from app import create_app
from blueprints.passwords import QUICK_METHOD
from database import Base, db
from extensions import limiter
from models import User
from outbox import OutboxEmail
from testing import TEST_SETTINGS
from tests.blueprints.stripe_events import SECRET
from tests.conftest import MakeApp
from tools import provider_events
from tools.servers import PostgreSQL

PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, QUICK_METHOD)
BOB = {"name": "Bob", "email": "Bob@Example.com", "password": "long enough"}
PRODUCTION: dict[str, Any] = {
    "FLASK_DEBUG": False,
    "SECRET_KEY": "a-secret-of-these-tests-alone-0123456789",
    "APP_URL": "http://localhost",
    "FROM_EMAIL": "Shop <shop@example.com>",
    "EMAIL_PROVIDER": "resend",
    "RESEND_API_KEY": "re_test",
}


@pytest.fixture(autouse=True)
def _no_limits_left_behind() -> Iterator[None]:
    """The limiter is the process's and follows the app built last, also for the shared apps."""
    yield
    limiter.enabled = False


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates, compiled once for all apps."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def make_app(make_app: MakeApp, compiled_templates: FileSystemBytecodeCache) -> MakeApp:
    """`make_app` of all tests, sparing each app to compile the same templates."""

    def make(**overrides: Any) -> Flask:
        app = make_app(**overrides)
        app.jinja_env.bytecode_cache = compiled_templates
        return app

    return make


@pytest.fixture(scope="session")
def sqlite_app(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One app on SQLite for all tests that need no settings of their own."""
    path = tmp_path_factory.mktemp("blueprints") / "app.db"
    shutil.copy(migrated_sqlite, path)
    yield from serving(f"sqlite:///{path}")


@pytest.fixture(scope="session")
def postgresql_app(postgresql: PostgreSQL) -> Iterator[Flask]:
    """The same on PostgreSQL."""
    with postgresql.database() as url:
        yield from serving(url)


def serving(url: str, **settings: Any) -> Iterator[Flask]:
    """An app on the database at `url`, which is let go afterwards."""
    secrets = {"STRIPE_WEBHOOK_SECRET": SECRET} | provider_events.SETTINGS
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": url} | secrets | settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(sqlite_app: Flask) -> Iterator[Flask]:
    """The app on SQLite, with empty tables."""
    yield sqlite_app
    _empty(sqlite_app)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_app(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app on each database in turn, with empty tables."""
    app: Flask = request.getfixturevalue(f"{request.param}_app")
    yield app
    _empty(app)


def _empty(app: Flask) -> None:
    with app.app_context():
        for table in reversed(Base.metadata.sorted_tables):
            db.session.execute(table.delete())
        db.session.commit()


@pytest.fixture
def ann(app: Flask) -> User:
    """Somebody with an account at `app`; the password is PASSWORD."""
    return add_user(app, "ann@example.com", "Ann")


def add_user(app: Flask, email: str, name: str, password_hash: str | None = HASH) -> User:
    """Store an account without any email."""
    with app.app_context():
        user = User(email=email, name=name, password_hash=password_hash)
        db.session.add(user)
        db.session.commit()
        db.session.refresh(user)
        db.session.expunge(user)
    return user


def outbox_rows(app: Flask) -> list[OutboxEmail]:
    """Every email in the outbox, oldest first."""
    with app.app_context():
        return list(db.session.scalars(select(OutboxEmail).order_by(OutboxEmail.id)))


def changes(app: Flask) -> list[tuple[str, str, str]]:
    """What the provider's list is to be told, of whom, with which name."""
    with app.app_context():
        found = outbox.reading.recent(db.session(), outbox.OutboxChange)
        return [(each.kind, each.recipient, each.message["first_name"]) for each in found]


def stored(app: Flask, table: type) -> int:
    """How many rows a table holds."""
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def at_once(count: int, call: Callable[[int], TestResponse]) -> list[TestResponse]:
    """Call `call(0)` to `call(count - 1)` in 8 threads."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(call, range(count)))


def link_in(text: str, page: str) -> str:
    """The path and query of the one link in an email's text that leads to `page`."""
    (link,) = re.findall(rf"http\S+/{page}\S+", text)
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}".removesuffix("?")


def opens(client: FlaskClient, email: str, password: str) -> bool:
    """Whether a password lets somebody in."""
    answer = client.post("/login", data={"email": email, "password": password})
    return answer.status_code == 302


def csrf_token(client: FlaskClient, path: str) -> str:
    """The token in the form at `path`."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)
    assert found, f"{path} has no CSRF token"
    return found[1]


def same_answer(one: TestResponse, other: TestResponse) -> bool:
    """Whether nobody can tell two answers apart; the time inside a signed cookie differs."""
    return _visible(one) == _visible(other)


def _visible(answer: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    headers = [
        (name, value.partition("=")[0] if name == "Set-Cookie" else value)
        for name, value in answer.headers
        if name != "Date"
    ]
    return answer.status_code, answer.text, headers


@contextmanager
def logged_in(client: FlaskClient, user: User) -> Iterator[FlaskClient]:
    """`client` after `user` has logged in."""
    answer = client.post("/login", data={"email": user.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/account"
    yield client
