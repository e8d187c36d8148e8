"""The database: tables' base, short transactions, limits, turns, and why it cannot serve."""

from sqlalchemy import Engine

from database import limits
from database.base import Base, UTCDateTime, db, iso, utc_now
from database.limits import Limit
from database.outages import check_writable, schema_is_behind, why_unavailable
from database.postgresql import prepare_postgresql
from database.salt import address_hash
from database.sqlite import BUSY_TIMEOUT, prepare_sqlite
from database.statements import (
    changed_rows,
    in_batches,
    insert_if_new,
    insert_new,
    now,
    now_in,
    returned,
    take_turns,
    transaction,
    try_turn,
)

__all__ = [
    "BUSY_TIMEOUT",
    "Base",
    "Limit",
    "UTCDateTime",
    "address_hash",
    "changed_rows",
    "check_writable",
    "db",
    "in_batches",
    "insert_if_new",
    "insert_new",
    "iso",
    "limits",
    "now",
    "now_in",
    "prepare",
    "returned",
    "schema_is_behind",
    "take_turns",
    "transaction",
    "try_turn",
    "utc_now",
    "why_unavailable",
]


def prepare(engine: Engine) -> None:
    """Make an engine ready for several processes, once and before its first connection."""
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine)
    else:
        prepare_postgresql(engine)
