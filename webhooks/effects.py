"""A provider's event -> timeline, status, marks and suppression. A repeat changes nothing."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import outbox
from database import utc_now
from log_setup import mask
from outbox import EmailEvent, OutboxEmail, suppression
from providers import BounceClass, EventType, TrackingEvent
from webhooks.reported import Reported, ReportedEmails

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


def apply(session: Session, event: TrackingEvent, emails: ReportedEmails) -> bool:
    """Record what `event` says, in the caller's transaction; False if we know of no such email.

    `emails` are those that `lock_reported` found for it in the same transaction.
    Whatever the event says, the provider has the email: an `unknown` one becomes `accepted`.
    Unsubscribing needs no email: it is the address's wish.
    """
    reported = emails.of(event)
    if reported is not None:
        _record(session, reported, event)
    elif event.type is not EventType.UNSUBSCRIBED or event.recipient is None:
        return False
    _suppress(session, reported, event)
    return True


def _record(session: Session, reported: Reported, event: TrackingEvent) -> None:
    email = reported.email
    outbox.actions.confirm_accepted(
        session,
        email,
        provider=event.provider,
        provider_message_id=event.provider_message_id,
        at=event.at,
    )
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
    stops = _stops(session, email, event, address) if address else None
    if address is None or stops is None:
        return
    scope, reason = stops
    source = f"{event.provider} event {event.event_id}"[:255]
    new = suppression.suppress(session, address, scope, reason=reason, source=source)
    if new and email is not None:
        outbox.timeline.add_event(
            session, email.id, "address_suppressed", f"{mask(address)} {scope}: {reason}"
        )
    if event.type is EventType.UNSUBSCRIBED:
        outbox.actions.cancel_marketing(
            session, address, by=f"because {mask(address)} unsubscribed"
        )


def _address(reported: Reported | None, event: TrackingEvent) -> str | None:
    """Whom the event is about: nobody if it does not say, or names one we did not write to."""
    if reported is None:
        return event.recipient
    if len(reported.written_to) == 1:
        [only] = reported.written_to
        return only if event.recipient in (None, only) else None
    named = event.names_one and event.recipient in reported.written_to
    return event.recipient if named else None


def _stops(
    session: Session, email: OutboxEmail | None, event: TrackingEvent, address: str
) -> tuple[suppression.Scope, suppression.Reason] | None:
    """What the address must not get any more, and why; None if it may get all."""
    if event.bounce is BounceClass.HARD:
        return "all", suppression.Reason.HARD_BOUNCE
    if event.type is EventType.BOUNCED:
        enough = _soft_bounces(session, address) >= SOFT_BOUNCES
        return ("all", suppression.Reason.SOFT_BOUNCES) if enough else None
    if event.type is EventType.UNSUBSCRIBED:
        return "marketing", suppression.Reason.UNSUBSCRIBED
    if event.type is EventType.COMPLAINED:
        # Who calls a newsletter spam may still want to get into the account.
        scope: suppression.Scope = "marketing" if email and email.category == "marketing" else "all"
        return scope, suppression.Reason.COMPLAINED
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
