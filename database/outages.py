"""Why the database cannot serve, told apart from a mistake in our own SQL."""

from functools import cache
from typing import Any

from alembic.script import ScriptDirectory
from attrs import frozen
from flask import current_app
from sqlalchemy import String, column, inspect, select, table, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from database.base import db


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


def check_writable() -> None:
    """Take the lock that a write takes, and leave everything as it was. Raises `DBAPIError`."""
    applied = select(column("version_num", String)).select_from(table("alembic_version"))
    with db.engine.connect() as connection:
        # Skipping what a deployment has locked that migrates at this moment.
        connection.execute(applied.with_for_update(skip_locked=True)).all()


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
