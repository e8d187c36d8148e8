"""The moves between the states of a row, in one table that every change of a state asks."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from database import changed_rows
from outbox.tables import OUTBOX, State

MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset(
        {
            State.SENDING, State.SUPPRESSED, State.EXPIRED, State.CANCELLED,
            State.UNKNOWN,  # of a pinned one nobody can say that it was not sent
            State.ACCEPTED,  # a late yes, or an event
        }
    ),
    State.SENDING: frozenset(
        {State.ACCEPTED, State.QUEUED, State.UNKNOWN, State.FAILED, State.EXPIRED, State.SUPPRESSED}
    ),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.QUEUED, State.FAILED}),
    State.FAILED: frozenset({State.QUEUED, State.ACCEPTED}),  # a person; a late yes
    State.EXPIRED: frozenset({State.ACCEPTED}),  # a late yes
    State.ACCEPTED: frozenset(),
    State.SUPPRESSED: frozenset(),
    State.CANCELLED: frozenset(),
}  # fmt: skip


class IllegalMove(Exception):
    """A state change that the table does not allow: a mistake in our code."""


def check_move(source: State, target: State) -> None:
    """Raise `IllegalMove` unless the table allows `source` to become `target`."""
    if target not in MOVES[source]:
        raise IllegalMove(f"an email cannot go from {source} to {target}")


def move(session: Session, row_id: str, source: State, target: State, **values: Any) -> bool:
    """Move one row and set `values`; False if it is not in `source` now."""
    check_move(source, target)
    if source is State.SENDING:
        values |= {"lease_token": None, "lease_until": None, "calling_since": None}
    statement = update(OUTBOX).where(OUTBOX.c.id == row_id, OUTBOX.c.state == source)
    return bool(changed_rows(session, statement.values(state=target, **values)))
