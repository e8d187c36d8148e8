"""A provider's reports about emails, as if they had been posted and read."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from providers import TrackingEvent
from webhooks import effects
from webhooks.reported import lock_reported


def apply_reports(session: Session, events: Sequence[TrackingEvent]) -> list[bool]:
    """Give the events of one provider their effect in turn, in the caller's transaction.

    Of each whether its email is known. The emails are locked at once, as those of a delivery are.
    """
    emails = lock_reported(session, events[0].provider, events)
    return [effects.apply(session, each, emails) for each in events]
