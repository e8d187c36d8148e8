"""How `flask db ...` reaches the database: through the app, so that no setting is repeated here."""

from typing import Any

from alembic import context
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


def run_offline() -> None:
    """`flask db upgrade --sql` prints the statements instead of executing them."""
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    context.configure(url=url, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    with db.engine.connect() as connection:
        run_online(connection)
