"""A provider's event -> status and marks of the email. A repeat changes nothing."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from events import EventType, TrackingEvent
from models import OutboxEmail, State
from outbox.states import move

RANK = (
    EventType.QUEUED,
    EventType.SENT,
    EventType.DEFERRED,
    EventType.DELIVERED,
    EventType.OPENED,
    EventType.CLICKED,
)
"""How far an email got. An event never moves it backwards; all other events are marks."""


def apply(session: Session, event: TrackingEvent) -> OutboxEmail | None:
    """Record what `event` says about its email, in the caller's transaction.

    Returns the email, or None if we know of none. Whatever the event says, the provider has the
    email: an `unknown` one becomes `accepted`.
    """
    email = _find(session, event)
    if email is None:
        return None
    if email.state == State.UNKNOWN:
        message_id = event.provider_message_id or email.provider_message_id
        move(
            session, email.id, State.UNKNOWN, State.ACCEPTED, accepted_at=event.at, bound=False,
            provider=event.provider, provider_message_id=message_id, last_error=None,
        )  # fmt: skip
    # Any event proves that the provider has the email, which is what `queued` means there.
    reached = event.type if event.type in RANK else EventType.QUEUED
    email.delivery_status = _further(email.delivery_status, reached)
    if event.type not in RANK:
        email.marks = sorted({*email.marks, str(event.type)})
    session.flush()
    session.refresh(email)
    return email


def _find(session: Session, event: TrackingEvent) -> OutboxEmail | None:
    if event.email_id:
        same = OutboxEmail.id == event.email_id
    elif event.provider_message_id:
        same = (OutboxEmail.provider == event.provider) & (
            OutboxEmail.provider_message_id == event.provider_message_id
        )
    else:
        return None
    # Locked, so that two events of one email take turns.
    return session.scalars(select(OutboxEmail).where(same).with_for_update()).first()


def _further(reached: str | None, event: EventType) -> str:
    if reached is None:
        return event
    return max(reached, event, key=lambda each: RANK.index(EventType(each)))
