"""SQLite made safe for several writers."""

import os
import re
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError

from database.private_files import create_private
from database.write_turns import WriteTurn

BUSY_TIMEOUT = 10_000  # milliseconds a writer waits for its turn, and for writers from elsewhere


def prepare_sqlite(engine: Engine) -> None:
    """Make SQLite safe for several writers: WAL, turns, and the write lock taken in time.

    SQLite fails a transaction that reads first and writes later at once, whatever the busy
    timeout, if another wrote in between. So before its first write a transaction ends its read
    and begins anew with the write lock: what it read may have changed, as it may on PostgreSQL
    (READ COMMITTED), where `with_for_update` is the remedy as well. Fetch all rows of a query
    before you write: a cursor that is still open keeps the read from ending.
    """
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "do_connect", _prepare)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "before_cursor_execute", _before_statement)


_FOR_UPDATE = "/* FOR UPDATE */"
_READ = re.compile(
    r"\s*(SELECT|VALUES|EXPLAIN|PRAGMA(?!.*=)|WITH(?!.*\b(INSERT|UPDATE|DELETE|REPLACE)\b)"
    r"|BEGIN|COMMIT|ROLLBACK|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Statements that need no write lock. A SAVEPOINT does: inside one no read could be ended."""


class _Compiler(SQLiteCompiler):
    """SQLite has no FOR UPDATE; it stays visible, because it needs the write lock."""

    def for_update_clause(self, select: Any, **_options: Any) -> str:
        return f" {_FOR_UPDATE}"


class _Connection(sqlite3.Connection):
    """Begins by itself, to read or to write, and has its turn for as long as it writes."""

    path = ""  # of the file; empty for a database in memory, which has one connection
    _writes = False
    _turn: WriteTurn | None = None

    def begin_reading(self) -> None:
        if not self.in_transaction:
            self.execute("BEGIN")

    def begin_writing(self) -> None:
        if self._writes and self.in_transaction:
            return
        if self.in_transaction:
            super().commit()  # nothing was written yet: this ends the read
        try:
            self._take_turn()
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._end_turn()
            raise
        self._writes = True

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._end_turn()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._end_turn()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._end_turn(closed=True)

    def _take_turn(self) -> None:
        if self._turn or not self.path:
            return
        try:
            self._turn = WriteTurn(self.path, BUSY_TIMEOUT / 1000)
        except TimeoutError:
            error = sqlite3.OperationalError(
                f"database is locked: no turn to write came within {BUSY_TIMEOUT / 1000:g} s"
            )
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
            raise error from None

    def _end_turn(self, *, closed: bool = False) -> None:
        if not closed and self.in_transaction:
            return  # a commit that failed; the rollback follows
        self._writes = False
        turn, self._turn = self._turn, None
        if turn:
            turn.end()


def _prepare(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> None:
    parameters["factory"] = _Connection
    [path] = arguments
    if path in ("", ":memory:") or parameters.get("uri"):
        return
    # SQLite would make it readable to everybody. Its -wal and -shm get the mode of the database.
    with suppress(OSError):  # it is there already, or SQLite says what is wrong with the place
        os.close(create_private(os.path.realpath(path)))


def _set_up(connection: _Connection, _record: Any) -> None:
    connection.isolation_level = None  # `_Connection` begins, not the driver
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a committed email survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    [(_, _, path)] = connection.execute("PRAGMA database_list")
    connection.path = path and os.path.realpath(path)


def _before_statement(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
    if _FOR_UPDATE in statement or not _READ.match(statement):
        begin_writing(connection)
    else:
        cursor.connection.begin_reading()


def begin_writing(connection: Connection) -> None:
    """Take the write lock until the transaction ends. Raises `OperationalError` after 10 s."""
    raw: Any = connection.connection.dbapi_connection
    try:
        raw.begin_writing()
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            "BEGIN IMMEDIATE", None, error, sqlite3.Error, dialect=connection.dialect
        ) from error
