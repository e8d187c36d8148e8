"""SQLite made safe for several writers."""

import re
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError

BUSY_TIMEOUT = 10_000  # milliseconds a SQLite writer waits for another


def prepare_sqlite(engine: Engine) -> None:
    """Make SQLite safe for several writers: WAL, a wait for the lock, and the lock taken in time.

    SQLite fails a transaction that reads first and writes later at once, whatever the busy
    timeout, if another wrote in between. So before its first write a transaction ends its read
    and begins anew with the write lock: what it read may have changed, as it may on PostgreSQL
    (READ COMMITTED), where `with_for_update` is the remedy as well. Fetch all rows of a query
    before you write: a cursor that is still open keeps the read from ending.
    """
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _before_statement)


_FOR_UPDATE = "/* FOR UPDATE */"
_READ = re.compile(
    r"\s*(SELECT|VALUES|EXPLAIN|PRAGMA(?!.*=)|WITH(?!.*\b(INSERT|UPDATE|DELETE|REPLACE)\b)"
    r"|BEGIN|COMMIT|ROLLBACK|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Statements that need no write lock. A SAVEPOINT does: inside one no read could be ended."""
_LOCKED = "holds SQLite's write lock"  # in the `info` of a connection


class _Compiler(SQLiteCompiler):
    """SQLite has no FOR UPDATE; it stays visible, because it needs the write lock."""

    def for_update_clause(self, select: Any, **_options: Any) -> str:
        return f" {_FOR_UPDATE}"


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins, not the driver
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a committed email survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    connection.info[_LOCKED] = False
    connection.exec_driver_sql("BEGIN")


def _before_statement(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if _FOR_UPDATE in statement or not _READ.match(statement):
        begin_writing(connection)


def begin_writing(connection: Connection) -> None:
    if connection.info[_LOCKED]:
        return
    connection.exec_driver_sql("COMMIT")  # nothing was written yet: this ends the read
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except DBAPIError:
        connection.exec_driver_sql("BEGIN")  # who goes on all the same is in a transaction still
        raise
    connection.info[_LOCKED] = True
