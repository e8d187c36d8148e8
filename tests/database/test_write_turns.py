"""SQLite's writers take turns: first come, first served, and nobody keeps a turn too long."""

import fcntl
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, insert, make_url, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import db, why_unavailable, write_turns
from database.write_turns import WriteTurn
from tests.conftest import MakeApp
from tests.database.count_up import NUMBERS, THREADS, TIMES, count_up, never_meet_sqlites_lock
from tools.outages import locked
from tools.processes import ROOT, wait_until

VALUES = select(NUMBERS.c.value)


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    app = make_app()
    with app.app_context():
        NUMBERS.create(db.engine)
        yield app


@pytest.fixture
def engine(app: Flask) -> Engine:
    return db.engine


@pytest.fixture
def impatient(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Who has to wait gets an error."""
    monkeypatch.setattr("database.sqlite.BUSY_TIMEOUT", 20)
    engine.dispose()  # new connections learn of it
    return engine


@pytest.fixture
def path(sqlite_url: str) -> str:
    return make_url(sqlite_url).database or ""


def write(session: Any, value: int = 0) -> None:
    session.execute(insert(NUMBERS).values(value=value))


def commit(engine: Engine, value: int = 0) -> None:
    with engine.begin() as connection:
        write(connection, value)


def values(engine: Engine) -> list[int]:
    """What was written, in the order in which it was."""
    with Session(engine) as session:
        return list(session.scalars(VALUES))


def is_free(impatient: Engine) -> bool:
    """Whether a writer need not wait."""
    try:
        commit(impatient)
    except OperationalError:
        return False
    return True


def queued(path: str) -> int:
    """How many threads of this process write, or wait for it."""
    return len(write_turns._queues[os.path.realpath(path)].places)


@contextmanager
def other_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """`tests.database.writer`, which is ready."""
    command = [sys.executable, "-m", "tests.database.writer", url]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert hear(process) == "ready"
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def let_go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_writers_of_many_threads_and_processes_never_meet_at_sqlites_own_lock(
    engine: Engine, sqlite_url: str
):
    commit(engine)
    never_meet_sqlites_lock(engine)
    command = [sys.executable, "-m", "tests.database.count_up", sqlite_url, "never"]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(count_up, engine) for _ in range(THREADS * TIMES)]:
            done.result()
    assert [each.wait() for each in processes] == [0, 0]
    assert values(engine) == [3 * THREADS * TIMES]


def test_threads_write_in_the_order_in_which_they_came(engine: Engine, path: str):
    with ThreadPoolExecutor(8) as pool, Session(engine) as first:
        write(first)
        waiting = []
        for number in range(1, 9):
            waiting.append(pool.submit(commit, engine, number))
            wait_until(lambda: queued(path) == len(waiting) + 1, "it to queue")
        first.commit()
        for each in waiting:
            each.result()
    assert values(engine) == list(range(9))


def test_another_process_that_waits_comes_before_threads_that_come_later(
    engine: Engine, sqlite_url: str, path: str
):
    def somebody_is_next() -> bool:
        try:
            fcntl.lockf(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, write_turns._NEXT)
        except BlockingIOError:
            return True
        fcntl.lockf(lock_file, fcntl.LOCK_UN, 1, write_turns._NEXT)
        return False

    lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT)
    with (
        other_process(sqlite_url) as other,
        ThreadPoolExecutor(1) as pool,
        Session(engine) as first,
    ):
        write(first, 1)
        let_go_on(other)
        wait_until(somebody_is_next, "the other process to wait")
        later = pool.submit(commit, engine, 9)
        wait_until(lambda: queued(path) == 2, "the thread to queue")
        first.commit()
        assert hear(other) == "writing"
        let_go_on(other)
        later.result()
        assert hear(other) == "done"
    os.close(lock_file)
    assert values(engine) == [1, 7, 9]


def test_a_process_that_dies_while_it_writes_leaves_its_turn(impatient: Engine, sqlite_url: str):
    with other_process(sqlite_url) as other:
        let_go_on(other)
        assert hear(other) == "writing"
        assert not is_free(impatient)
        other.kill()
        other.wait()
        assert is_free(impatient)


def test_who_waits_in_vain_hears_that_the_database_is_locked_and_leaves_the_queue(
    impatient: Engine, path: str
):
    with Session(impatient) as writer:
        write(writer)
        with Session(impatient) as other:
            other.scalars(VALUES).all()
            with pytest.raises(OperationalError, match="database is locked") as caught:
                write(other)
            assert why_unavailable(caught.value)
            assert other.scalars(VALUES).all() == []
        assert queued(path) == 1
    assert queued(path) == 0
    assert is_free(impatient)


def test_who_waits_in_vain_for_a_writer_of_another_program_leaves_the_queue(
    impatient: Engine, sqlite_url: str, path: str
):
    with locked(sqlite_url):
        assert not is_free(impatient)
        assert queued(path) == 0
    assert is_free(impatient)


WAYS_TO_END: dict[str, Callable[[Session], Any]] = {
    "commit": Session.commit,
    "rollback": Session.rollback,
    "close": Session.close,
    "invalidate": Session.invalidate,
    "statement": lambda session: session.connection().exec_driver_sql("ROLLBACK"),
}


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_a_turn_ends_with_its_transaction(impatient: Engine, way: str):
    with Session(impatient) as session:
        write(session)
        assert not is_free(impatient)
        WAYS_TO_END[way](session)
        if way != "statement":  # which nobody sees; the session's own end does
            assert is_free(impatient)
    assert is_free(impatient)


def test_a_turn_ends_while_its_connection_is_kept(impatient: Engine):
    with impatient.connect() as connection:
        write(connection)
        connection.commit()
        assert is_free(impatient)
        connection.execute(VALUES).all()
        assert is_free(impatient)


def test_a_turn_ends_when_an_error_ends_the_transaction(impatient: Engine):
    with suppress(ZeroDivisionError), impatient.begin() as connection:
        write(connection)
        raise ZeroDivisionError
    assert is_free(impatient)


def test_a_turn_ends_when_its_connection_is_dropped(impatient: Engine):
    connection = impatient.connect()
    write(connection)
    del connection
    gc.collect()
    assert is_free(impatient)


def test_who_only_reads_never_queues(engine: Engine, path: str):
    commit(engine)
    os.remove(f"{path}.lock")
    assert values(engine) == [0]
    assert not Path(f"{path}.lock").exists()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12, of any thread
def test_a_fork_waits_for_the_writers_of_its_parent_and_for_nobody_twice(tmp_path: Path):
    path = str(tmp_path / "app.db")
    turn = WriteTurn(path, 10)
    said, says = os.pipe()
    child = os.fork()
    if not child:
        try:
            WriteTurn(path, 0)
        except TimeoutError:
            os.write(says, b"it waits")
            WriteTurn(path, 10).end()
        os._exit(0)
    assert os.read(said, 100) == b"it waits"
    turn.end()
    assert os.waitpid(child, 0)[1] == 0
    WriteTurn(path, 0).end()


def test_a_database_in_memory_needs_no_lock_file(make_app: MakeApp):
    before = set(Path.cwd().iterdir())
    with make_app(DATABASE_URL="sqlite:///:memory:").app_context():
        NUMBERS.create(db.engine)
        commit(db.engine, 1)
        assert values(db.engine) == [1]
    assert set(Path.cwd().iterdir()) == before


def test_without_a_lock_file_sqlites_own_lock_is_left(engine: Engine, path: str):
    Path(f"{path}.lock").unlink(missing_ok=True)
    Path(f"{path}.lock").mkdir()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(commit, engine, number) for number in range(20)]:
            done.result()
    assert sorted(values(engine)) == list(range(20))
