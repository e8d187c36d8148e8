"""A provider's event -> timeline, status, marks and suppression. A repeat changes nothing."""

import json
import logging
from datetime import timedelta

from sqlalchemy import Select, and_, func, select, union
from sqlalchemy.orm import Session

import outbox
from extensions import DATABASE_ERRORS
from log_setup import mask
from models import EmailEvent, OutboxEmail, ReceivedEvent, State, utc_now
from outbox import Reported, ReportedEmails
from outbox.states import move
from outbox.transactions import transaction
from providers import PROVIDERS, BounceClass, EventType, Item, TrackingEvent
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


def apply(session: Session, event: TrackingEvent, emails: ReportedEmails | None = None) -> bool:
    """Record what `event` says, in the caller's transaction; False if we know of no such email.

    `emails` are those of a batch of events, from `outbox.lock_reported` in the same transaction.
    Whatever the event says, the provider has the email: an `unknown` one becomes `accepted`.
    Unsubscribing needs no email: it is the address's wish.
    """
    emails = emails or outbox.lock_reported(session, event.provider, [event])
    reported = emails.of(event)
    if reported is not None:
        _record(session, reported, event)
    elif event.type is not EventType.UNSUBSCRIBED or event.recipient is None:
        return False
    _suppress(session, reported, event)
    return True


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
        ReceivedEvent.outcome == Outcome.WAITING,
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
    still = and_(ReceivedEvent.id == event_id, ReceivedEvent.outcome == Outcome.WAITING)
    try:
        with transaction() as session:
            stored = session.scalars(
                select(ReceivedEvent).where(still).with_for_update(skip_locked=True)
            ).first()
            if stored is None:
                return False
            event = _read(stored)
            stored.outcome = Outcome.APPLIED if event and apply(session, event) else Outcome.IGNORED
    except DATABASE_ERRORS:
        raise
    except Exception:
        logger.exception("webhook event %s broke our code; it is tried again", event_id)
        return False
    return True


def _read(stored: ReceivedEvent) -> TrackingEvent | None:
    webhook = PROVIDERS[stored.source].webhook
    assert webhook is not None  # noqa: S101  for the type checker
    item = Item(event_id=stored.event_id, type=stored.type, data=json.loads(stored.payload))
    return webhook.read(item)


def _record(session: Session, reported: Reported, event: TrackingEvent) -> None:
    email = reported.email
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
            detail=_detail(reported, event),
            recipient=_address(reported, event),
            bounce=event.bounce,
        )
    )
    session.flush()


def _detail(reported: Reported, event: TrackingEvent) -> str:
    several = len(reported.written_to) > 1
    named = several and event.names_one
    parts = (event.recipient if named else None, event.bounce, event.reason)
    return mask(" ".join(part for part in parts if part))


def _suppress(session: Session, reported: Reported | None, event: TrackingEvent) -> None:
    """Stop writing to the address where the event gives reason to."""
    email = reported.email if reported else None
    address = _address(reported, event)
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


def _address(reported: Reported | None, event: TrackingEvent) -> str | None:
    """Whom the event is about: nobody if it does not say, or names one we did not write to."""
    if reported is None:
        return event.recipient
    if len(reported.written_to) == 1:
        [only] = reported.written_to
        return only if event.recipient in (None, only) else None
    named = event.names_one and event.recipient in reported.written_to
    return event.recipient if named else None


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
