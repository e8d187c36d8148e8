"""The Flask extensions, unbound: `app.create_app` binds them, everybody else imports them here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import DateTime, Dialect, Engine, MetaData, TypeDecorator, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from email_service import EmailService

# Nobody's input and no mistake of ours: the database is away, full, read-only or not migrated.
DATABASE_ERRORS = (
    OperationalError,
    ProgrammingError,
    InterfaceError,
    InternalError,
    PoolTimeoutError,
)

BUSY_TIMEOUT = 10_000  # milliseconds a SQLite writer waits for another


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
migrate = Migrate()
csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)
email = EmailService()


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


def prepare_sqlite(engine: Engine) -> None:
    """Make SQLite safe for several writers: WAL, a wait for the lock, and the lock taken at once.

    A transaction that reads first and writes later fails at once when another wrote in between,
    whatever the busy timeout; so every transaction takes the write lock when it begins, except
    in requests that only read.
    """
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins, not the driver
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a committed email survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Any) -> None:
    only_reads = has_request_context() and request.method in ("GET", "HEAD", "OPTIONS")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
