"""Whether emails can be accepted and are being delivered, for `/readyz` and the doctor alike."""

from attrs import frozen
from sqlalchemy.exc import DatabaseError

import outbox
from database import schema_is_behind

LATE = 120.0  # seconds the oldest due email may wait before something is wrong with delivery


@frozen
class Trouble:
    """What is wrong, and what to do about it."""

    problem: str
    remedy: str


def database_trouble() -> Trouble | None:
    """Why the database cannot be used; None if it can."""
    try:
        behind = schema_is_behind()
    except DatabaseError:
        return Trouble("cannot be reached", "check DATABASE_URL")
    return Trouble("not up to date", "run: flask db upgrade") if behind else None


def queue_trouble() -> Trouble | None:
    """Why emails seem not to be delivered; None if they are, or wait for their provider."""
    age = outbox.oldest_due_age(callable_only=True)
    if age <= LATE:
        return None
    return Trouble(f"the oldest due email has waited {age:.0f} s", "check the workers")
