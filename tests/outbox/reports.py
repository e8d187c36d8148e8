"""Many emails that a provider accepted, and what it reports about them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from database import transaction, utc_now
from message import new_id
from outbox.tables import EVENTS, OUTBOX, State

HARD = {"type": "bounced", "bounce": "hard"}
COMPLAINT = {"type": "complained", "bounce": None}


def accepted(count: int, *, hours_ago: float = 0) -> list[str]:
    """So many emails, accepted at that time; their ids."""
    at = utc_now() - timedelta(hours=hours_ago)
    email = {
        "task": "email", "kind": "x", "category": "transactional", "lane": 0, "subject": "x",
        "recipient": "ann@example.com", "if_unknown": "hold", "sensitive": False, "size": 1,
        "state": State.ACCEPTED, "due_at": at, "created_at": at, "accepted_at": at, "attempts": 1,
        "quarantined": False, "crashes": 0, "pinned": False, "single": False, "marks": [],
    }  # fmt: skip
    ids = [new_id() for _ in range(count)]
    with transaction() as session:
        session.execute(insert(OUTBOX), [{"id": each, **email} for each in ids])
    return ids


def reported(ids: Sequence[str], what: dict[str, Any], *, hours_ago: float = 0) -> None:
    """The provider reports this about each of the emails."""
    at = utc_now() - timedelta(hours=hours_ago)
    events = [{"id": new_id(), "email_id": each, "at": at, "detail": "", **what} for each in ids]
    with transaction() as session:
        session.execute(insert(EVENTS), events)
