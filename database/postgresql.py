"""PostgreSQL made safe for months: dead servers are noticed, and a pooler may stand between."""

import select
from typing import Any

from sqlalchemy import Connection, Engine, event

# postgresql.org/docs/current/libpq-connect.html
_PARAMETERS = {
    "connect_timeout": 5,  # seconds
    # Of a host that goes without a word nothing is ever heard again: not waited for half a minute.
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
# A frozen process must not keep rows locked for longer than a lease.
_LIMITS = (
    "SET {scope} lock_timeout = '10s'; SET {scope} idle_in_transaction_session_timeout = '60s'"
)
_IS_POOLED = "reached through a pooler"  # in the `info` of a connection


def prepare_postgresql(engine: Engine) -> None:
    """Let its connections notice a dead server, bound their locks, and suit a pooler.

    A pooler like PgBouncer gives each transaction another session of the server: nothing may be
    kept in one, neither a setting nor a prepared statement, and it refuses `options`. It is told
    by the process id, which it makes up. Without one, prepared statements save a fifth of the time.
    """
    event.listen(engine, "do_connect", _add_parameters)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    if hasattr(select, "poll"):
        # What `pool_pre_ping` asks before a connection is used, without a journey to the server.
        engine.dialect.do_ping = _is_silent  # type: ignore[method-assign]


def _add_parameters(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
    for name, value in _PARAMETERS.items():
        parameters.setdefault(name, value)  # what DATABASE_URL says stands


def _set_up(connection: Any, record: Any) -> None:
    connection.autocommit = True
    [(process,)] = connection.execute("SELECT pg_backend_pid()")
    if process == connection.info.backend_pid:
        connection.execute(_LIMITS.format(scope="SESSION"))
    else:
        record.info[_IS_POOLED] = True
        connection.prepare_threshold = None
    connection.autocommit = False


def _begin(connection: Connection) -> None:
    if _IS_POOLED in connection.info:
        connection.exec_driver_sql(_LIMITS.format(scope="LOCAL"))


def _is_silent(dbapi_connection: Any) -> bool:
    """Whether the server said nothing since the last answer: the last it says is that it ends."""
    poll = select.poll()
    poll.register(dbapi_connection.fileno(), select.POLLIN)
    return not poll.poll(0)
