"""Events that came before our own commit: kept in one form, and joined to their emails later."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict
from sqlalchemy import Select, and_, func, select, union

from database import transaction, utc_now, why_unavailable
from outbox import OutboxEmail
from providers import BounceClass, EventType, TrackingEvent
from webhooks import effects
from webhooks.reported import lock_reported
from webhooks.tables import EventOutcome, ReceivedEvent

logger = logging.getLogger(__name__)

VERSION = 1  # of the stored form; raise it when the fields of TrackingEvent change
JOIN_WINDOW = timedelta(days=1)  # how long an event looks for its email; afterwards it is not ours
JOIN_BATCH = 100

FIRST_WAITING = (
    select(func.min(ReceivedEvent.received_at))
    .where(
        ReceivedEvent.outcome == EventOutcome.WAITING,
    )
    .scalar_subquery()
)
"""Since when an event waits, for housekeeping."""


def to_json(event: TrackingEvent) -> dict[str, Any]:
    """The stored form of an event that waits."""
    return asdict(event) | {"version": VERSION, "at": event.at.isoformat()}


def from_json(stored: Mapping[str, Any]) -> TrackingEvent:
    """The event again. Raises `ValueError` for a version that this code does not know."""
    fields = dict(stored)
    if (version := fields.pop("version")) != VERSION:
        raise ValueError(f"a waiting event of version {version}; this code reads {VERSION}")
    fields |= {
        "type": EventType(fields["type"]),
        "at": datetime.fromisoformat(fields["at"]),
        "bounce": BounceClass(fields["bounce"]) if fields["bounce"] else None,
    }
    return TrackingEvent(**fields)


def join_waiting() -> int:
    """Apply kept events whose email is known by now: an event can outrun our own commit.

    Returns how many that were. Each has a transaction of its own, so that one that breaks our
    code costs itself only; it is tried again. Several processes may do this at once.
    """
    with transaction() as session:
        ids = session.scalars(_waiting_with_email()).all()
    return sum(_join(event_id) for event_id in ids)


def _waiting_with_email() -> Select[str]:
    waiting = select(ReceivedEvent.id).where(
        ReceivedEvent.outcome == EventOutcome.WAITING,
        ReceivedEvent.received_at > utc_now() - JOIN_WINDOW,
    )
    by_message_id = and_(
        OutboxEmail.provider == ReceivedEvent.source,
        OutboxEmail.provider_message_id == ReceivedEvent.provider_message_id,
    )
    # Two questions, because PostgreSQL answers one with an OR row by row, and who shares an
    # account with other programs has all their events waiting here.
    found = union(
        waiting.join(OutboxEmail, OutboxEmail.id == ReceivedEvent.email_id),
        waiting.join(OutboxEmail, by_message_id),
    ).subquery()
    return select(found.c.id).limit(JOIN_BATCH)


def _join(event_id: str) -> bool:
    """Apply one kept event; False if another process has it, or it breaks our code."""
    still = and_(ReceivedEvent.id == event_id, ReceivedEvent.outcome == EventOutcome.WAITING)
    try:
        with transaction() as session:
            stored = session.scalars(
                select(ReceivedEvent).where(still).with_for_update(skip_locked=True)
            ).first()
            if stored is None or stored.waiting_event is None:
                return False
            event = from_json(stored.waiting_event)
            emails = lock_reported(session, event.provider, [event])
            known = effects.apply(session, event, emails)
            stored.outcome = EventOutcome.APPLIED if known else EventOutcome.IGNORED
            stored.waiting_event = None
    except Exception as error:
        if why_unavailable(error):
            raise
        logger.exception("webhook event %s broke our code; it is tried again", event_id)
        return False
    return True
