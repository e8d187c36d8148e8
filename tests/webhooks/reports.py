"""A provider's report about an email, as if it had been posted and read."""

from sqlalchemy.orm import Session

from providers import TrackingEvent
from webhooks import tracking
from webhooks.reported import lock_reported


def apply_report(session: Session, event: TrackingEvent) -> bool:
    """Give one event its effect, in the caller's transaction; False if its email is not known."""
    emails = lock_reported(session, event.provider, [event])
    return tracking.apply(session, event, emails)
