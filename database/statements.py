"""Short transactions, and the statements that both databases take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Delete, Update, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from database.base import Base, db, utc_now
from database.sqlite import begin_writing


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


def now_in(session: Session) -> "datetime | ColumnElement[datetime]":
    """The same time as a value of an INSERT, without asking for it first."""
    return utc_now() if session.get_bind().dialect.name == "sqlite" else func.now()


def insert_if_new(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Add `row`, with every column it needs; False if a unique column has its value already.

    One statement, so that of two that add the same row at once only one does.
    """
    statement = _insert_or_skip(session.get_bind().dialect.name, table)
    computed = {name: value for name, value in row.items() if isinstance(value, ColumnElement)}
    if computed:  # the others are parameters, for which the statement is not built anew
        statement = statement.values(computed)
        row = {name: value for name, value in row.items() if name not in computed}
    result = session.execute(statement, row, execution_options={"preserve_rowcount": True})
    assert isinstance(result, CursorResult)  # noqa: S101  for the type checker: these give one
    return bool(result.rowcount)


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Add those of `rows` whose unique columns have new values, in order; their primary keys."""
    if not rows:
        return set()
    statement = _insert_or_skip(session.get_bind().dialect.name, table)
    return set(session.scalars(statement.returning(*table.__table__.primary_key), rows))


@cache
def _insert_or_skip(dialect: str, table: type[Base]) -> Any:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table.__table__).on_conflict_do_nothing()


def in_batches(
    session: Session, key: ColumnElement[str], *which: ColumnElement[bool], size: int = 500
) -> Iterator[list[str]]:
    """The keys of the rows that `which` describes, some at a time, in order and each once.

    Change what they name and commit, then ask for more: nobody waits long for the database, and a
    row that is described again meanwhile does not come again. They are read without a lock, so
    what changes them locks them first and looks once more.
    """
    last = ""
    while True:
        some = select(key).where(key > last, *which).order_by(key).limit(size)
        keys = list(session.scalars(some))
        if not keys:
            return
        yield keys
        last = keys[-1]


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
        begin_writing(session.connection())
    else:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


def try_turn(session: Session, key: str) -> bool:
    """Whether nobody else has the turn of `key`; it is ours until the transaction ends.

    SQLite lives on one machine, where two of the kind do no harm: there it is always ours.
    """
    if session.get_bind().dialect.name == "sqlite":
        return True
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(key, 0))
    return bool(session.scalar(select(lock)))
