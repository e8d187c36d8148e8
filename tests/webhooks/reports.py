"""A provider's reports about emails, as if they had been posted and read."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

import outbox
from providers import TrackingEvent
from webhooks import tracking


def apply_reports(session: Session, events: Sequence[TrackingEvent]) -> list[bool]:
    """Give the events of one provider their effect in turn, in the caller's transaction.

    Of each whether its email is known. The emails are locked at once, as those of a delivery are.
    """
    emails = outbox.reported.lock_reported(session, events[0].provider, events)
    return [tracking.apply(session, each, emails) for each in events]
