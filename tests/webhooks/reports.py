"""A provider's reports about emails, as if they had been posted and read."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from database import transaction, utc_now
from providers import BounceClass, EventType, TrackingEvent
from webhooks import effects
from webhooks.reported import lock_reported


def apply_reports(session: Session, events: Sequence[TrackingEvent]) -> list[bool]:
    """Give the events of one provider their effect in turn, in the caller's transaction.

    Of each whether its email is known. The emails are locked at once, as those of a delivery are.
    """
    emails = lock_reported(session, events[0].provider, events)
    return [effects.apply(session, each, emails) for each in events]


def report_bounce(email_id: str, recipient: str = "ann@example.com") -> None:
    """Resend reports that the email bounced for good."""
    event = TrackingEvent(
        provider="resend", event_id="evt_1", type=EventType.BOUNCED, at=utc_now(),
        email_id=email_id, recipient=recipient, bounce=BounceClass.HARD,
    )  # fmt: skip
    with transaction() as session:
        apply_reports(session, [event])
