"""The database: tables' base, short transactions, SQLite's lock, and why it cannot serve."""

from database.base import Base, UTCDateTime, db, iso, utc_now
from database.outages import schema_is_behind, why_unavailable
from database.sqlite import BUSY_TIMEOUT, prepare_sqlite
from database.statements import (
    changed_rows,
    insert_if_new,
    insert_new,
    now,
    returned,
    take_turns,
    transaction,
)

__all__ = [
    "BUSY_TIMEOUT",
    "Base",
    "UTCDateTime",
    "changed_rows",
    "db",
    "insert_if_new",
    "insert_new",
    "iso",
    "now",
    "prepare_sqlite",
    "returned",
    "schema_is_behind",
    "take_turns",
    "transaction",
    "utc_now",
    "why_unavailable",
]
