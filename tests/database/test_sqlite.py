"""Several readers and writers at once: nobody's write is lost, and nobody waits for a reader."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import db, take_turns
from tests.conftest import MakeApp
from tests.database.count_up import NUMBERS, THREADS, TIMES, count_up
from tools.outages import locked
from tools.processes import ROOT

MORE = update(NUMBERS).values(value=NUMBERS.c.value + 1)
VALUE = select(NUMBERS.c.value)


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app on each database in turn, with one number, which is 0."""
    app = make_app(DATABASE_URL=database_url)
    with app.app_context():
        NUMBERS.create(db.engine)
        with db.engine.begin() as connection:
            connection.execute(insert(NUMBERS).values(value=0))
        yield app


@pytest.fixture
def engine(app: Flask) -> Engine:
    return db.engine


@pytest.fixture
def impatient(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """SQLite with the number, where who has to wait for the lock gets an error."""
    monkeypatch.setattr("database.sqlite.BUSY_TIMEOUT", 20)
    with make_app(DATABASE_URL=sqlite_url).app_context():
        NUMBERS.create(db.engine)
        with db.engine.begin() as connection:
            connection.execute(insert(NUMBERS).values(value=0))
        yield db.engine


def value(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(VALUE).scalar_one())


def is_locked(engine: Engine) -> bool:
    """Whether another writer would have to wait."""
    try:
        with engine.begin() as connection:
            connection.execute(MORE)
    except OperationalError as error:
        return "database is locked" in str(error)
    return False


def test_two_that_read_first_and_write_later_both_succeed(engine: Engine):
    both_have_read = threading.Barrier(2, timeout=30)

    def read_and_write() -> tuple[int, int]:
        with Session(engine) as session, session.begin():
            before = session.scalars(VALUE).one()
            both_have_read.wait()
            session.execute(MORE)
            return before, session.scalars(VALUE).one()

    with ThreadPoolExecutor(2) as pool:
        seen = [each.result() for each in [pool.submit(read_and_write) for _ in range(2)]]
    assert sorted(seen) == [(0, 1), (0, 2)]


def test_read_for_update_loses_no_update_among_threads_and_processes(
    engine: Engine, database_url: str
):
    command = [sys.executable, "-m", "tests.database.count_up", database_url]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(count_up, engine) for _ in range(THREADS * TIMES)]:
            done.result()
    assert [each.wait() for each in processes] == [0, 0]
    assert value(engine) == 3 * THREADS * TIMES


def test_those_who_take_turns_count_the_same_rows(engine: Engine):
    def add_if_few() -> None:
        with Session(engine) as session, session.begin():
            session.scalars(VALUE).all()
            take_turns(session, "key")
            if (session.scalar(select(func.count()).select_from(NUMBERS)) or 0) < 3:
                session.execute(insert(NUMBERS).values(value=0))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(add_if_few) for _ in range(16)]:
            done.result()
    with Session(engine) as session:
        assert len(session.scalars(VALUE).all()) == 3


def test_a_reader_does_not_wait_for_a_writer(impatient: Engine):
    with impatient.begin() as writer:
        writer.execute(MORE)
        assert value(impatient) == 0
    assert value(impatient) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT value FROM numbers",
        "\n  select value from numbers",
        "WITH n AS (SELECT value FROM numbers) SELECT value FROM n",
        "EXPLAIN QUERY PLAN UPDATE numbers SET value = 1",
        "PRAGMA table_info('numbers')",
        "VALUES (1)",
    ],
)
def test_who_only_reads_leaves_the_writers_free(impatient: Engine, statement: str):
    with impatient.connect() as reader:
        reader.exec_driver_sql(statement).all()
        assert not is_locked(impatient)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_method_of_a_request_locks_nothing(app: Flask, method: str):
    with app.test_request_context(method=method):
        db.session.scalars(VALUE).one()
        assert not is_locked(db.engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE numbers SET value = 7",
        "/* a remark */ update numbers set value = 7",
        "WITH n AS (SELECT 7 AS v) UPDATE numbers SET value = (SELECT v FROM n)",
        "REPLACE INTO numbers (value) VALUES (7)",
        "CREATE TABLE others (id INTEGER)",
        "PRAGMA user_version = 7",
        "SAVEPOINT here",
    ],
)
def test_whatever_may_write_takes_the_lock(impatient: Engine, statement: str):
    with impatient.begin() as writer:
        writer.execute(VALUE).all()
        writer.exec_driver_sql(statement)
        assert is_locked(impatient)
    assert not is_locked(impatient)


@pytest.mark.parametrize("nested", [False, True])
def test_a_read_for_update_takes_the_lock(impatient: Engine, nested: bool):
    statement = VALUE.with_for_update(skip_locked=True)
    if nested:
        statement = select(statement.subquery())
    with impatient.connect() as reader:
        reader.execute(statement).all()
        assert is_locked(impatient)
    assert not is_locked(impatient)


def test_a_savepoint_after_a_read_may_write_and_be_taken_back(engine: Engine):
    with Session(engine) as session, session.begin():
        session.scalars(VALUE).one()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(count_up, engine).result()
        with session.begin_nested():
            session.execute(MORE)
        with session.begin_nested() as savepoint:
            session.execute(MORE)
            savepoint.rollback()
    assert value(engine) == 2


def test_a_rollback_leaves_nothing_and_frees_the_lock(engine: Engine):
    with Session(engine) as session:
        session.scalars(VALUE).one()
        session.execute(MORE)
        session.rollback()
        count_up(engine)
        assert session.scalars(VALUE).one() == 1


def test_who_waits_for_the_lock_in_vain_may_try_again(impatient: Engine, sqlite_url: str):
    with Session(impatient) as session:
        session.scalars(VALUE).one()
        with locked(sqlite_url), pytest.raises(OperationalError, match="database is locked"):
            session.execute(MORE)
        assert session.scalars(VALUE).one() == 0
        session.execute(MORE)
        session.rollback()  # of a transaction, not of single statements
        assert session.scalars(VALUE).one() == 0
    assert not is_locked(impatient)


def test_a_view_that_writes_under_get_is_safe_beside_another_process(app: Flask, database_url: str):
    @app.get("/visit")
    def visit() -> str:
        seen = db.session.scalars(VALUE).one()
        db.session.execute(MORE)
        db.session.commit()
        return str(seen)

    command = [sys.executable, "-m", "tests.database.count_up", database_url]
    with subprocess.Popen(command, cwd=ROOT) as other:
        visits = 0
        while other.poll() is None:
            assert app.test_client().get("/visit").status_code == 200
            visits += 1
    assert other.returncode == 0
    assert visits > 0
    assert value(db.engine) == THREADS * TIMES + visits
