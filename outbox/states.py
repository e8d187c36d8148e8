"""The moves between the states of a row, in one table that every change of a state asks."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from database import changed_rows
from outbox.tables import OutboxRow, State

MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.SUPPRESSED, State.EXPIRED, State.CANCELLED}),
    State.SENDING: frozenset(
        {State.ACCEPTED, State.QUEUED, State.UNKNOWN, State.FAILED, State.EXPIRED, State.SUPPRESSED}
    ),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.QUEUED, State.FAILED, State.EXPIRED}),
    State.FAILED: frozenset({State.QUEUED}),  # a person only
    State.ACCEPTED: frozenset(),
    State.SUPPRESSED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}


class IllegalMove(Exception):
    """A state change that the table does not allow: a mistake in our code."""


def check_move(source: State, target: State) -> None:
    """Raise `IllegalMove` unless the table allows `source` to become `target`."""
    if target not in MOVES[source]:
        raise IllegalMove(f"an email cannot go from {source} to {target}")


def move(
    session: Session,
    email_id: str,
    source: State,
    target: State,
    *,
    token: str | None = None,
    **values: Any,
) -> bool:
    """Move one row and set `values`; False if it is not in `source` now (or its lease is lost).

    With `token` only the holder of that lease succeeds.
    """
    check_move(source, target)
    statement = update(OutboxRow).where(OutboxRow.id == email_id, OutboxRow.state == source)
    if token is not None:
        statement = statement.where(OutboxRow.lease_token == token)
    if source is State.SENDING:
        values |= {"lease_token": None, "lease_until": None, "calling_since": None}
    return bool(changed_rows(session, statement.values(state=target, **values)))
