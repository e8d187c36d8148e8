"""A provider's report about an email, as if it had been posted and read."""

from sqlalchemy.orm import Session

import outbox
from providers import TrackingEvent
from webhooks import tracking


def apply_report(session: Session, event: TrackingEvent) -> bool:
    """Give one event its effect, in the caller's transaction; False if its email is not known."""
    emails = outbox.reported.lock_reported(session, event.provider, [event])
    return tracking.apply(session, event, emails)
