"""How `flask db ...` reaches the database: through the app, so that no setting is repeated here."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from alembic import context
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection

from database import UTCDateTime, db

OPTIONS: dict[str, Any] = {
    "target_metadata": db.metadata,
    "render_as_batch": True,  # SQLite rebuilds a table to change it
    "compare_type": True,
}


def render_item(kind: str, item: object, _autogen: object) -> str | bool:
    """Migrations outlive our types, so they name SQLAlchemy's own."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run_online(connection: Connection) -> None:
    context.configure(connection=connection, render_item=render_item, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def without_foreign_keys(connection: Connection) -> Iterator[None]:
    """One transaction in which SQLite may rebuild a table that others refer to.

    A rebuild drops the old table, and with foreign keys on that deletes the rows of the others
    (ON DELETE CASCADE). Raises `CommandError`, and changes nothing, if rows are left that refer to
    nothing.
    """
    sqlite = connection.connection.driver_connection
    sqlite.execute("PRAGMA foreign_keys = OFF")  # "a no-op within a transaction": before it begins
    try:
        with connection.begin():
            yield
            check_foreign_keys(connection)
    finally:
        sqlite.execute("PRAGMA foreign_keys = ON")


def check_foreign_keys(connection: Connection) -> None:
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if not orphans:
        return
    counts = Counter(table for table, _rowid, _parent, _key in orphans)
    named = ", ".join(
        f"{table} ({count} row{'s' if count > 1 else ''})"
        for table, count in sorted(counts.items())
    )
    raise CommandError(
        f"after the migration rows refer to rows that do not exist: {named}; nothing was changed. "
        "SQLite checks foreign keys after a migration only, and does not cascade in it: let the "
        "migration delete or change those rows itself"
    )


def run_offline() -> None:
    """`flask db upgrade --sql` prints the statements instead of executing them."""
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    context.configure(url=url, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    with db.engine.connect() as connection, ExitStack() as stack:
        if connection.dialect.name == "sqlite":
            stack.enter_context(without_foreign_keys(connection))
        run_online(connection)
