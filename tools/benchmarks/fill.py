"""Puts emails into the outbox of the configured database, as views would.

    python -m tools.benchmarks.fill EMAILS --copies 99

It says `filled`, and then waits: whoever publishes wake-ups may need a moment.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, Table, func, insert, literal_column, select
from sqlalchemy.orm import Session

from app import create_app
from background import send_in_background
from database import db
from outbox import OutboxEmail, running
from tools.benchmarks.ours import message

SETTLING = 120.0  # seconds for what is delivered before it is copied


def main() -> None:
    options = _parser().parse_args()
    app = create_app()
    fields: dict[str, Any] = {"category": options.category}
    if options.due_in:
        fields["send_at"] = datetime.now(UTC) + timedelta(seconds=options.due_in)
    ids = queue(app, options.emails, options.per_commit or options.emails, fields)
    if options.delivered:
        deliver(app, ids)
    if options.copies:
        multiply(app, ids, options.copies)
    with app.app_context():
        db.engine.dispose()  # SQLite's last connection writes the log back into the file
    sys.stdout.write("filled\n")
    sys.stdout.flush()
    sys.stdin.read()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("emails", type=int)
    add("--per-commit", type=int, default=0, help="(default: all in one)")
    add("--copies", type=int, default=0, help="of each, by SQL: a million views take an hour")
    add("--delivered", action="store_true", help="before they are copied")
    add("--due-in", type=float, default=0, help="seconds")
    add("--category", default="transactional")
    return parser


def queue(app: Flask, emails: int, per_commit: int, fields: dict[str, Any]) -> list[str]:
    """The ids of so many new emails, each to somebody else."""
    ids = []
    with app.app_context():
        for number in range(1, emails + 1):
            row = send_in_background(message(f"user{number}@example.com", **fields))
            ids.append(row.id)
            if number % per_commit == 0 or number == emails:
                db.session.commit()
    return ids


def deliver(app: Flask, ids: Sequence[str]) -> None:
    """Let this process deliver them, and return when the last one is accepted."""
    mine = select(func.count(OutboxEmail.id)).where(
        OutboxEmail.id.in_(ids), OutboxEmail.state != "accepted"
    )
    running.start(app)
    end = time.monotonic() + SETTLING
    with app.app_context():
        while db.session.scalar(mine):
            db.session.rollback()
            if time.monotonic() > end:
                raise RuntimeError(f"not delivered within {SETTLING:g} s")
            time.sleep(0.05)
    running.stop(app)


def multiply(app: Flask, ids: Sequence[str], copies: int) -> None:
    """Copy each of these emails so many times, with all rows of other tables that belong to it.

    No column of an email is named here, so that this holds for whatever it consists of.
    """
    metadata = OutboxEmail.metadata
    outbox = metadata.tables[OutboxEmail.__tablename__]
    owners = [(outbox, outbox.c.id)]
    owners += [
        (table, key.parent)
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is outbox.c.id
    ]
    with app.app_context(), Session(db.engine) as session, session.begin():
        for table, owner in owners:
            _copy(session, table, owner.in_(ids), copies, {owner.name, "id"})


def _copy(
    session: Session, table: Table, chosen: ColumnElement[bool], copies: int, ids: set[str]
) -> None:
    numbers = select(literal_column("1").label("n")).cte("numbers", recursive=True)
    more = select(numbers.c.n + 1).where(numbers.c.n < copies)
    numbers = numbers.union_all(more)
    columns = {
        column.name: _copied_id(column, numbers.c.n, session) if column.name in ids else column
        for column in table.columns
    }
    source = select(*columns.values()).select_from(table).join(numbers, literal_column("1") == 1)
    session.execute(insert(table).from_select(list(columns), source.where(chosen)))


def _copied_id(
    column: ColumnElement[str], number: ColumnElement[int], session: Session
) -> ColumnElement[str]:
    """The first two thirds of the id, and the number of the copy: the same for all its rows."""
    digits = (
        func.printf("%012x", number)
        if session.get_bind().dialect.name == "sqlite"
        else func.lpad(func.to_hex(number), 12, "0")
    )
    return func.substr(column, 1, 24).concat(digits)


if __name__ == "__main__":
    main()
