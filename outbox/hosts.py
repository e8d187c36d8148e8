"""Rows that another host made: this is a copy of its database, or the domain has moved.

A row carries the host of the APP_URL that made it, and only an engine of that host claims it. So a
staging copy writes to nobody whom production has queued; the rows wait until somebody adopts them.
"""

import logging
from collections.abc import Iterator

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from database import transaction
from outbox.tables import OUTBOX, OutboxRow, State, in_state, own_host
from outbox.timeline import add_events
from setting_types import LOOPBACK

logger = logging.getLogger(__name__)

BATCH = 500  # rows a transaction
UNFINISHED = (State.QUEUED, State.SENDING, State.UNKNOWN, State.FAILED)
"""What may still be sent: at once, after a lost lease or answer, or when somebody says so."""

# From one host to the next in the index of what is due, which passes over the rows of each.
_NEXT_HOST = select(func.min(OUTBOX.c.host)).where(
    in_state(State.QUEUED), OUTBOX.c.host > bindparam("after")
)
_QUEUED = select(func.count()).where(in_state(State.QUEUED), OUTBOX.c.host == bindparam("host"))


def waiting(session: Session) -> dict[str, int]:
    """How many rows are queued that another host made, by host."""
    found: dict[str, int] = {}
    host = ""
    while host := session.scalar(_NEXT_HOST, {"after": host}) or "":
        if host != own_host():
            found[host] = session.scalar(_QUEUED, {"host": host}) or 0
    return found


def reason(row: OutboxRow) -> str | None:
    """Why this row is not sent from here; None if it is our own."""
    if row.host == own_host():
        return None
    return f"{row.host} made it, and this is {own_host()} (to send it: {command(row.host)})"


def command(host: str) -> str:
    """What makes the rows of `host` our own."""
    scheme = "http" if host in LOOPBACK else "https"
    return f"flask email adopt --from {scheme}://{host}"


def adopt(session: Session, host: str, *, by: str) -> Iterator[int]:
    """Make the unfinished rows of `host` our own, in batches: yields how many, and you commit."""
    for state in UNFINISHED:
        some = select(OUTBOX.c.id).where(in_state(state), OUTBOX.c.host == host).limit(BATCH)
        # Whoever holds one may be waiting for another of them, so none is waited for.
        while ids := session.scalars(some.with_for_update(skip_locked=True)).all():
            session.execute(update(OUTBOX).where(OUTBOX.c.id.in_(ids)).values(host=own_host()))
            add_events(session, ids, "adopted", f"from {host} {by}")
            yield len(ids)


def log_waiting() -> None:
    """Say at the start of a process what it leaves alone."""
    with transaction() as session:
        found = waiting(session)
    for host, count in found.items():
        logger.warning(
            "%d queued emails and changes stay here: %s made them, and this is %s (to send them: "
            "%s)", count, host, own_host(), command(host),
        )  # fmt: skip
