"""A provider's event -> timeline, status, marks and suppression. A repeat changes nothing."""

import json
import logging
from datetime import timedelta

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

import outbox
from events import BounceClass, EventType, TrackingEvent
from log_setup import mask
from models import EmailEvent, OutboxEmail, ReceivedEvent, State, utc_now
from outbox.recipients import addresses
from outbox.states import move
from outbox.transactions import transaction
from providers import HTTP_PROVIDERS
from providers.webhook import Item, UnusableEvent
from suppression import Scope, suppress
from webhook_inbox import Outcome

logger = logging.getLogger(__name__)

RANK = (
    EventType.QUEUED,
    EventType.SENT,
    EventType.DEFERRED,
    EventType.DELIVERED,
    EventType.OPENED,
    EventType.CLICKED,
)
"""How far an email got. An event never moves it backwards; all other events are marks."""

SOFT_BOUNCES, SOFT_WINDOW = 5, timedelta(days=14)  # so many in so long, and the address is dead
JOIN_WINDOW = timedelta(days=1)  # how long an event looks for its email; afterwards it is not ours
JOIN_BATCH = 100


def apply(session: Session, event: TrackingEvent) -> bool:
    """Record what `event` says, in the caller's transaction; False if we know of no such email.

    Whatever the event says, the provider has the email: an `unknown` one becomes `accepted`.
    Unsubscribing needs no email: it is the address's wish.
    """
    email = _find(session, event)
    if email is not None:
        _record(session, email, event)
    elif event.type is not EventType.UNSUBSCRIBED or event.recipient is None:
        return False
    _suppress(session, email, event)
    return True


def join_waiting() -> int:
    """Apply kept events whose email is known by now: an event can outrun our own commit.

    Returns how many there were. Several processes may do this at once.
    """
    with transaction() as session:
        found = session.scalars(_waiting_with_email()).all()
        for stored in found:
            _join(session, stored)
    return len(found)


def _waiting_with_email() -> Select[ReceivedEvent]:
    by_message_id = and_(
        OutboxEmail.provider == ReceivedEvent.source,
        OutboxEmail.provider_message_id == ReceivedEvent.provider_message_id,
    )
    return (
        select(ReceivedEvent)
        .where(
            ReceivedEvent.outcome == Outcome.WAITING,
            ReceivedEvent.received_at > utc_now() - JOIN_WINDOW,
            select(OutboxEmail.id)
            .where(or_(OutboxEmail.id == ReceivedEvent.email_id, by_message_id))
            .exists(),
        )
        .limit(JOIN_BATCH)
        .with_for_update(skip_locked=True)
    )


def _join(session: Session, stored: ReceivedEvent) -> None:
    try:
        with session.begin_nested():
            provider = HTTP_PROVIDERS[stored.source]
            assert provider.webhook is not None  # noqa: S101  for the type checker
            item = Item(event_id=stored.event_id, type=stored.type, data=json.loads(stored.payload))
            event = provider.webhook.read(item)
            stored.outcome = Outcome.APPLIED if event and apply(session, event) else Outcome.IGNORED
    except (UnusableEvent, KeyError) as error:
        stored.outcome, stored.error = Outcome.REJECTED, str(error)


def _find(session: Session, event: TrackingEvent) -> OutboxEmail | None:
    if event.email_id:
        same = OutboxEmail.id == event.email_id
    elif event.provider_message_id:
        same = and_(
            OutboxEmail.provider == event.provider,
            OutboxEmail.provider_message_id == event.provider_message_id,
        )
    else:
        return None
    # Locked, so that two events of one email take turns.
    return session.scalars(select(OutboxEmail).where(same).with_for_update()).first()


def _record(session: Session, email: OutboxEmail, event: TrackingEvent) -> None:
    if email.state == State.UNKNOWN:
        message_id = event.provider_message_id or email.provider_message_id
        move(
            session, email.id, State.UNKNOWN, State.ACCEPTED, accepted_at=event.at, bound=False,
            provider=event.provider, provider_message_id=message_id, last_error=None,
        )  # fmt: skip
        session.refresh(email)
        outbox.blank_accepted(session, email.id, utc_now())
    # Any event proves that the provider has the email, which is what `queued` means there.
    reached = event.type if event.type in RANK else EventType.QUEUED
    email.delivery_status = _further(email.delivery_status, reached)
    if event.type not in RANK:
        email.marks = sorted({*email.marks, str(event.type)})
    session.add(
        EmailEvent(
            email_id=email.id,
            at=event.at,
            type=event.type,
            detail=_detail(email, event),
            recipient=event.recipient,
            bounce=event.bounce,
        )
    )
    session.flush()


def _detail(email: OutboxEmail, event: TrackingEvent) -> str:
    several = len(addresses(email.message)) > 1
    parts = (event.recipient if several else None, event.bounce, event.reason)
    return mask(" ".join(part for part in parts if part))


def _suppress(session: Session, email: OutboxEmail | None, event: TrackingEvent) -> None:
    """Stop writing to the address where the event gives reason to."""
    address = _address(email, event)
    scope = _scope(session, email, event, address) if address else None
    if address is None or scope is None:
        return
    reason = f"{event.bounce} bounce" if event.bounce else str(event.type)
    source = f"{event.provider} event {event.event_id}"[:255]
    new = suppress(session, address, scope, reason=reason, source=source)
    if new and email is not None:
        outbox.note(session, email.id, "address_suppressed", f"{mask(address)} {scope}: {reason}")
    if event.type is EventType.UNSUBSCRIBED:
        outbox.cancel_marketing(session, address, by=f"because {mask(address)} unsubscribed")


def _address(email: OutboxEmail | None, event: TrackingEvent) -> str | None:
    """Whom the event is about: nobody if it does not say, or names one we did not write to."""
    if email is None:
        return event.recipient
    written_to = {address.lower() for address in addresses(email.message)}
    if event.recipient is None:
        return next(iter(written_to)) if len(written_to) == 1 else None
    return event.recipient if event.recipient in written_to else None


def _scope(
    session: Session, email: OutboxEmail | None, event: TrackingEvent, address: str
) -> Scope | None:
    """What the address must not get any more; None for nothing."""
    if event.bounce is BounceClass.HARD:
        return "all"
    if event.type is EventType.BOUNCED:
        return "all" if _soft_bounces(session, address) >= SOFT_BOUNCES else None
    if event.type is EventType.UNSUBSCRIBED:
        return "marketing"
    if event.type is EventType.COMPLAINED:
        # Who calls a newsletter spam may still want to get into the account.
        return "marketing" if email and email.category == "marketing" else "all"
    return None


def _soft_bounces(session: Session, address: str) -> int:
    """How many emails to the address bounced softly of late, the present one included."""
    statement = select(func.count(EmailEvent.email_id.distinct())).where(
        EmailEvent.recipient == address,
        EmailEvent.type == EventType.BOUNCED,
        EmailEvent.bounce != BounceClass.HARD,
        EmailEvent.at > utc_now() - SOFT_WINDOW,
    )
    return session.scalar(statement) or 0


def _further(reached: str | None, event: EventType) -> str:
    if reached is None:
        return event
    return max(reached, event, key=lambda each: RANK.index(EventType(each)))
