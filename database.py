"""The database: tables' base, short transactions, SQLite's lock, and why it cannot serve."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from alembic.script import ScriptDirectory
from attrs import frozen
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Delete,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    Update,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

BUSY_TIMEOUT = 10_000  # milliseconds a SQLite writer waits for another


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """A time as the outside sees it: ISO 8601 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite drops the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored; use datetime.now(UTC)")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of the tables. Constraints are named so that SQLite migrations can find them."""

    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012  SQLAlchemy's own attribute
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# Tables derive from Base (`db.Model` does not pass mypy strict); they share its metadata with db.
# Parameters stay out of error messages: they hold bodies and addresses.
db = SQLAlchemy(metadata=Base.metadata, engine_options={"hide_parameters": True})


@contextmanager
def transaction() -> Iterator[Session]:
    """A session apart from the request's, that commits at the end of the block.

    No provider is called inside one.
    """
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


def now(session: Session) -> datetime:
    """The time that leases and due times are compared with: the database's, where it has one.

    Several hosts share a PostgreSQL, and their clocks differ; SQLite lives on one host.
    """
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def insert_if_new(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Add `row`, with every column it needs; False if a unique column has its value already.

    One statement, so that of two that add the same row at once only one does.
    """
    return bool(insert_new(session, table, [row]))


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Add those of `rows` whose unique columns have new values, in order; their primary keys."""
    if not rows:
        return set()
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing().returning(*table.__table__.primary_key)
    return set(session.scalars(statement, rows))


def changed_rows(session: Session, statement: Update | Delete) -> int:
    """Execute it as it stands, without touching loaded objects; how many rows it changed."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)  # noqa: S101  for the type checker: these give one
    return result.rowcount


def returned(
    session: Session, statement: Update, *columns: InstrumentedAttribute[Any]
) -> list[tuple[Any, ...]]:
    """Execute an UPDATE like `changed_rows`; these columns of each row it changed."""
    options = {"synchronize_session": False}
    rows = session.execute(statement.returning(*columns), execution_options=options)
    return [tuple(row) for row in rows]


def take_turns(session: Session, key: str) -> None:
    """Make transactions with the same `key` wait for each other: from here on one at a time.

    What is counted afterwards stays true until commit. On SQLite all writers take turns.
    """
    if session.get_bind().dialect.name == "sqlite":
        _take_write_lock(session.connection())
    else:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


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
        _take_write_lock(connection)


def _take_write_lock(connection: Connection) -> None:
    if connection.info[_LOCKED]:
        return
    connection.exec_driver_sql("COMMIT")  # nothing was written yet: this ends the read
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except DBAPIError:
        connection.exec_driver_sql("BEGIN")  # who goes on all the same is in a transaction still
        raise
    connection.info[_LOCKED] = True


def why_unavailable(error: BaseException) -> str | None:
    """Why the database cannot serve: it is away, locked, full, read-only or not migrated.

    With what to do, where that is certain. None if `error` says nothing of the kind: then the
    mistake is in our code or SQL. Needs the app context, because it may have to look whether
    migrations wait.
    """
    if isinstance(error, PoolTimeoutError):
        return "all connections are in use"
    if not isinstance(error, DBAPIError):
        return None
    reason = str(error.orig).strip().partition("\n")[0]
    if error.connection_invalidated or _is_outage(error):
        return reason
    try:
        behind = _is_missing(error.orig) and schema_is_behind()
        return f"{reason}; run: flask db upgrade" if behind else None
    except SQLAlchemyError:  # by now it is away as well
        return reason


def schema_is_behind() -> bool:
    """Whether migrations wait to be applied. Raises `DBAPIError` if the database is away.

    A revision that this code does not know is newer, which is fine: a deployment migrates first,
    while processes of the code before still serve.
    """
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return True
        applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars()
        revisions, ours = frozenset(applied), _revisions(current_app.extensions["migrate"])
    return revisions <= ours.known and revisions != ours.newest


@frozen
class _Revisions:
    """The migrations of this code: all of them, and those that none follows."""

    known: frozenset[str]
    newest: frozenset[str]


@cache
def _revisions(migrate: Any) -> _Revisions:
    scripts = ScriptDirectory(migrate.directory)
    known = frozenset(each.revision for each in scripts.walk_revisions())
    return _Revisions(known, frozenset(scripts.get_heads()))


# postgresql.org/docs/current/errcodes-appendix.html: a class is the first two characters.
_OUTAGE_CLASSES = ("08", "53", "57", "58")  # connection, resources, operator, system
_OUTAGE_STATES = ("25006", "55P03", "40001", "40P01")  # read-only, lock, serialization, deadlock
_MISSING_STATES = ("42P01", "42703")  # undefined table, undefined column
# sqlite.org/rescode.html: the low byte of an extended code is the primary one.
_OUTAGE_CODES = frozenset({5, 6, 8, 10, 13, 14, 15})
"""BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL."""
_MISSING_WORDS = ("no such table", "no such column", "has no column named")  # all are SQLITE_ERROR


def _is_outage(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return state.startswith(_OUTAGE_CLASSES) or state in _OUTAGE_STATES
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _OUTAGE_CODES
    return isinstance(error, OperationalError)  # no server answered


def _is_missing(error: BaseException | None) -> bool:
    if getattr(error, "sqlstate", None) in _MISSING_STATES:
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and any(words in str(error) for words in _MISSING_WORDS)
