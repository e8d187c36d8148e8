"""The record of emails that are stored from a file, so that a run that broke off goes on.

The record of a batch of rows is committed with the rows. So of two processes that store the same
file only one can go on, and what was purged meanwhile is not stored again.
"""

from datetime import datetime

from attrs import asdict, evolve, frozen
from sqlalchemy import String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from database import Base, changed_rows, insert_if_new, utc_now
from message import new_id

HASH_IN_KEY = 16  # hex digits: no two files of anybody's share so many


class BulkRun(Base):
    """The emails of one file, as far as they are stored. It outlives them: `purge` leaves it.

    A file is known by the SHA-256 of its bytes; `number` counts how often it was asked for.
    """

    __tablename__ = "bulk_runs"
    __table_args__ = (UniqueConstraint("file_hash", "email", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    file_hash: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    rows_total: Mapped[int]
    rows_stored: Mapped[int]  # the first so many of the file
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RunTaken(Exception):
    """Another process stores the same file."""


@frozen
class Run:
    """How far the rows of a file are stored; `number` counts the runs of the file."""

    id: str
    file_hash: str
    email: str
    number: int
    rows_total: int
    rows_stored: int
    started_at: datetime
    finished_at: datetime | None

    def intent_key(self, line: int) -> str:
        """The key of the email that stands in this line of the file."""
        key = f"csv:{self.file_hash[:HASH_IN_KEY]}:{self.email}:{line}"
        return key if self.number == 1 else f"{key}:{self.number}"


_COLUMNS = [BulkRun.__table__.c[name] for name in Run.__annotations__]


def latest(session: Session, file_hash: str, email: str) -> Run | None:
    """The last run of the file for this email; None if there was none."""
    runs = select(*_COLUMNS).where(BulkRun.file_hash == file_hash, BulkRun.email == email)
    row = session.execute(runs.order_by(BulkRun.number.desc()).limit(1)).first()
    return Run(*row) if row else None


def begin(
    session: Session, file_hash: str, email: str, *, rows_total: int, after: Run | None
) -> Run:
    """A new run of the file. Raises `RunTaken` if another process has begun it meanwhile."""
    number = after.number + 1 if after else 1
    run = Run(new_id(), file_hash, email, number, rows_total, 0, utc_now(), None)
    if not insert_if_new(session, BulkRun, asdict(run)):
        raise RunTaken
    return run


def advance(session: Session, run: Run, count: int) -> Run:
    """Record that the next `count` rows are stored, in the transaction that stores them.

    Raises `RunTaken` if another process stored them meanwhile; roll back then.
    """
    stored = run.rows_stored + count
    finished = utc_now() if stored == run.rows_total else None
    mine = update(BulkRun).where(BulkRun.id == run.id, BulkRun.rows_stored == run.rows_stored)
    if not changed_rows(session, mine.values(rows_stored=stored, finished_at=finished)):
        raise RunTaken
    return evolve(run, rows_stored=stored, finished_at=finished)
