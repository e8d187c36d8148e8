"""A database that cannot serve is a 503; a mistake in our own SQL is a 500 with its traceback."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from werkzeug.test import TestResponse

from cli import email_commands
from database import db
from tests.conftest import MakeApp
from tools.outages import locked
from tools.processes import free_port

WRITE = "UPDATE users SET name = 'Ann'"
MISSING = {
    "table": "SELECT 1 FROM nowhere",
    "column": "SELECT nonsense FROM users",
    "column to write": "INSERT INTO users (nonsense) VALUES (1)",
}
MISTAKES = MISSING | {
    "no table at all": "SELECT nonsense",
    "syntax": "SELECT FROM WHERE",
    "function": "SELECT nonsense(1)",
    "value that must not be null": "INSERT INTO users (id) VALUES ('1')",
}
CANNOT_SERVE = {
    "sqlite read-only": ["PRAGMA query_only = ON", WRITE],
    "sqlite full": [
        "PRAGMA max_page_count = 1",
        "INSERT INTO alembic_version VALUES (hex(zeroblob(99999)))",
    ],
    "postgresql read-only": ["SET TRANSACTION READ ONLY", WRITE],
    "postgresql full": ["DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$"],
    "postgresql deadlock": ["DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"],
    "postgresql time": ["SET LOCAL statement_timeout = 20", "SELECT pg_sleep(60)"],
    "postgresql shutdown": ["SELECT pg_terminate_backend(pg_backend_pid())"],
}
WRONG_TYPE = {
    "sqlite": "SELECT abs(1, 2)",  # no type is wrong to SQLite, but the number of arguments is
    "postgresql": "SELECT 1 FROM users WHERE name = 1",
}

MakeFailing = Callable[..., Flask]


@pytest.fixture
def make_failing(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> MakeFailing:
    """`make_failing(url)`: an app that answers errors as in production, and hardly waits."""
    monkeypatch.setattr("database.sqlite.BUSY_TIMEOUT", 20)
    return lambda url: make_app(DATABASE_URL=url, PROPAGATE_EXCEPTIONS=False)


@pytest.fixture
def app(make_failing: MakeFailing, database_url: str) -> Flask:
    return make_failing(database_url)


def answer(app: Flask, *statements: str) -> TestResponse:
    """What a view answers that executes `statements`."""

    def view() -> str:
        for statement in statements:
            db.session.execute(text(statement))
        db.session.commit()
        return "done"

    app.add_url_rule("/view", "view", view)
    return app.test_client().get("/view")


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(1 for record in caplog.records if record.exc_info)


def assert_unavailable(answer: TestResponse, caplog: pytest.LogCaptureFixture) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "the database refused" in caplog.text
    assert tracebacks(caplog) == 0


@pytest.mark.parametrize("name", CANNOT_SERVE)
def test_a_database_that_cannot_serve_is_503(
    make_failing: MakeFailing,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    name: str,
):
    url = request.getfixturevalue(f"{name.partition(' ')[0]}_url")
    assert_unavailable(answer(make_failing(url), *CANNOT_SERVE[name]), caplog)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_is_away_is_503(
    make_failing: MakeFailing, caplog: pytest.LogCaptureFixture, tmp_path: Path, kind: str
):
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/no/such/folder.db",
        "postgresql": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
    }
    assert_unavailable(answer(make_failing(urls[kind]), WRITE), caplog)


@contextmanager
def table_locked(url: str) -> Iterator[None]:
    """Somebody works on the table `users` and does not come to an end."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE users")
        yield


def test_a_database_that_is_locked_is_503(
    app: Flask, database_url: str, caplog: pytest.LogCaptureFixture
):
    if database_url.startswith("sqlite"):
        with locked(database_url):
            assert_unavailable(answer(app, WRITE), caplog)
    else:
        with table_locked(database_url):
            assert_unavailable(answer(app, "SET LOCAL lock_timeout = 20", WRITE), caplog)


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_before_the_migrations_is_503(
    app: Flask, caplog: pytest.LogCaptureFixture, name: str
):
    with app.app_context():
        db.session.execute(text("DROP TABLE alembic_version"))
        db.session.commit()
    assert_unavailable(answer(app, MISSING[name]), caplog)
    assert "flask db upgrade" in caplog.text


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_our_sql_is_500_with_its_traceback(
    app: Flask, caplog: pytest.LogCaptureFixture, name: str
):
    with caplog.at_level(logging.ERROR):
        assert answer(app, MISTAKES[name]).status_code == 500
    assert tracebacks(caplog) == 1
    assert "the database refused" not in caplog.text


def test_a_wrong_type_is_500(app: Flask, caplog: pytest.LogCaptureFixture, database_url: str):
    assert answer(app, WRONG_TYPE[database_url.partition(":")[0]]).status_code == 500
    assert tracebacks(caplog) == 1


def run(app: Flask, statement: str) -> Result:
    """A command of ours that executes `statement`."""

    @email_commands.command("try-a-statement")
    def try_it() -> None:
        db.session.execute(text(statement))

    try:
        return app.test_cli_runner().invoke(args=["email", "try-a-statement"])
    finally:
        del email_commands.commands["try-a-statement"]


def test_a_command_says_in_a_line_what_is_wrong_with_the_database(
    make_failing: MakeFailing, tmp_path: Path
):
    away = make_failing(f"sqlite:///{tmp_path}/no/such/folder.db")
    result = run(away, WRITE)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert result.output.startswith("Error: the database refused (unable to open database file)")


def test_a_mistake_in_the_sql_of_a_command_keeps_its_traceback(app: Flask):
    assert isinstance(run(app, "SELECT nonsense").exception, OperationalError | ProgrammingError)
