"""Whether emails can be accepted and are being delivered, for `/readyz` and the doctor alike."""

import logging

from attrs import frozen
from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError

from database import now, schema_is_behind, transaction, why_unavailable
from outbox.breaker import availability, load_states
from outbox.claim import may_go_out
from outbox.tables import OutboxRow, State, in_state

logger = logging.getLogger(__name__)

LATE = 120.0  # seconds the oldest due email may wait before something is wrong with delivery


@frozen
class Problem:
    """What is wrong, and what to do about it."""

    problem: str
    remedy: str


def database_problem() -> Problem | None:
    """Why the database cannot be used; None if it can."""
    try:
        behind = schema_is_behind()
    except DatabaseError as error:
        # Only in the log: it may name the server and its user.
        logger.error("the database cannot be used (%s)", why_unavailable(error) or error)
        return Problem("cannot be used", "check DATABASE_URL, permissions and disk; see the log")
    return Problem("is not up to date", "run: flask db upgrade") if behind else None


def queue_problem() -> Problem | None:
    """Why emails seem not to be delivered; None if they are, or wait for their provider."""
    age = oldest_due_age(callable_only=True)
    if age <= LATE:
        return None
    return Problem(f"the oldest due email has waited {age:.0f} s", "check the workers")


def oldest_due_age(*, callable_only: bool = False) -> float:
    """How many seconds the longest waiting due row has been due; 0 if none is.

    With `callable_only` without those that wait for a provider which may not be called.
    """
    oldest = select(func.min(OutboxRow.due_at)).where(in_state(State.QUEUED))
    with transaction() as session:
        moment = now(session)
        if callable_only:
            callable_now = availability(load_states(session), moment)
            if not callable_now.any:
                return 0.0
            oldest = oldest.where(may_go_out(callable_now))
        due_at = session.scalar(oldest)
    return max(0.0, (moment - due_at).total_seconds()) if due_at else 0.0
