"""Connections to PostgreSQL: they notice a dead server, and work through a pooler as well.

A real PgBouncer and a host that is gone are in `make faults`, `tools/drill/faults/postgresql.py`.
"""

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from database import db, take_turns
from tests.conftest import MakeApp
from tests.database.relay import Relay, relay
from tools.processes import wait_until

LIMITS = {"lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min"}


@pytest.fixture
def direct(postgresql_url: str) -> Iterator[Relay]:
    with relay(postgresql_url) as started:
        yield started


@pytest.fixture
def pooler(postgresql_url: str) -> Iterator[Relay]:
    with relay(postgresql_url, pooler=True) as started:
        yield started


@pytest.fixture
def app(make_app: MakeApp, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app behind the relay that the test asks for."""
    name = "pooler" if "pooler" in request.fixturenames else "direct"
    app = make_app(DATABASE_URL=request.getfixturevalue(name).url)
    with app.app_context():
        yield app
        db.engine.dispose()  # or the relay would wait for it


@pytest.fixture
def engine(app: Flask) -> Engine:
    return db.engine


def raw_connection(connection: Connection) -> psycopg.Connection:
    raw: Any = connection.connection.dbapi_connection
    return cast("psycopg.Connection", raw)


def limits(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return {name: connection.scalar(text(f"SHOW {name}")) for name in LIMITS}


def repeat_a_statement(engine: Engine) -> int:
    """Execute one often enough to be prepared; how many the server has prepared."""
    with engine.connect() as connection:
        for number in range(20):
            connection.execute(text("SELECT :number + 1"), {"number": number})
        return connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) or 0


def test_a_host_that_goes_without_a_word_is_given_up_within_half_a_minute(engine: Engine):
    with engine.connect() as connection:
        wire = socket.socket(fileno=os.dup(raw_connection(connection).fileno()))
    with wire:
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if sys.platform == "linux":
            idle, interval, count, unanswered = (
                wire.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                    socket.TCP_USER_TIMEOUT,
                )
            )
            assert idle + interval * count <= 30
            assert 0 < unanswered <= 30_000


def test_what_the_url_says_of_its_connection_stands(make_app: MakeApp, direct: Relay):
    app = make_app(DATABASE_URL=f"{direct.url}?connect_timeout=3&keepalives_idle=77")
    with app.app_context():
        with db.engine.connect() as connection:
            given = raw_connection(connection).info.get_parameters()
        db.engine.dispose()
    assert (given["connect_timeout"], given["keepalives_idle"]) == ("3", "77")


def test_nobody_keeps_a_lock_for_long(engine: Engine):
    assert limits(engine) == LIMITS


def test_statements_are_prepared_on_a_connection_of_our_own(engine: Engine):
    assert repeat_a_statement(engine) > 0


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(
    engine: Engine, postgresql_url: str
):
    with engine.connect() as connection:
        process = connection.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [process])
        wait_until(lambda: not is_alive(admin, process), "the server to end the connection")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != process


def is_alive(admin: psycopg.Connection, process: int | None) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    return admin.execute(query, [process]).fetchone() != (0,)


def test_taking_a_connection_asks_the_server_nothing(engine: Engine, direct: Relay):
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    sent = len(direct.sent)
    with Session(engine) as session, session.begin():
        session.connection()
    assert len(direct.sent) == sent


def test_a_pooler_gets_no_options_and_prepares_nothing(engine: Engine, pooler: Relay):
    assert repeat_a_statement(engine) == 0
    assert b"\0options\0" not in pooler.sent


def test_behind_a_pooler_limits_hold_in_each_transaction_and_stay_out_of_the_session(
    engine: Engine, pooler: Relay
):
    assert limits(engine) == LIMITS
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        assert connection.scalar(text("SHOW lock_timeout")) == "0"


def test_turns_are_taken_behind_a_pooler(engine: Engine, pooler: Relay):
    with Session(engine) as session, session.begin():
        take_turns(session, "key")
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert session.scalar(text(held)) == 1
    with Session(engine) as session:
        assert session.scalar(text(held)) == 0
