"""Short transactions of the outbox's own, apart from the request's, and the clock they use."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Delete, Update, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from extensions import db
from models import utc_now


@contextmanager
def transaction() -> Iterator[Session]:
    """A session that commits at the end of the block. No provider is called inside one."""
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
