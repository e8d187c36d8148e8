"""Many emails that a provider accepted, and what it reports about them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from database import transaction, utc_now
from message import new_id
from outbox.tables import OUTBOX, State
from providers import BounceClass, EventType, TrackingEvent
from tests.webhooks.reports import apply_reports

HARD = {"type": EventType.BOUNCED, "bounce": BounceClass.HARD}
SOFT = {"type": EventType.BOUNCED, "bounce": BounceClass.SOFT}
COMPLAINT = {"type": EventType.COMPLAINED}


def accepted(count: int, *, hours_ago: float = 0) -> list[str]:
    """So many emails to as many people, accepted at that time; their ids."""
    at = utc_now() - timedelta(hours=hours_ago)
    email = {
        "task": "email", "kind": "x", "category": "transactional", "lane": 0, "subject": "x",
        "provider": "resend", "if_unknown": "hold", "sensitive": False, "size": 1,
        "state": State.ACCEPTED, "due_at": at, "created_at": at, "accepted_at": at, "attempts": 1,
        "quarantined": False, "crashes": 0, "pinned": False, "single": False, "marks": [],
    }  # fmt: skip
    ids = [new_id() for _ in range(count)]
    with transaction() as session:
        rows = [{"id": each, "recipient": f"{each}@example.com", **email} for each in ids]
        session.execute(insert(OUTBOX), rows)
    return ids


def reported(ids: Sequence[str], what: dict[str, Any], *, hours_ago: float = 0) -> None:
    """The provider reports this about each of the emails."""
    at = utc_now() - timedelta(hours=hours_ago)
    events = [
        TrackingEvent(provider="resend", event_id=new_id(), at=at, email_id=each, **what)
        for each in ids
    ]
    with transaction() as session:
        assert all(apply_reports(session, events))
