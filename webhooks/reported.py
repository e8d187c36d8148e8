"""The emails that a provider's events are about, locked until the transaction ends.

All of a batch at once and in one order, so that two batches cannot wait for each other.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from outbox import OutboxEmail
from providers import TrackingEvent


@frozen
class Reported:
    """An email, and everybody it was written to, in lower case."""

    email: OutboxEmail
    written_to: frozenset[str]


@frozen
class ReportedEmails:
    """The emails of some events."""

    by_id: Mapping[str, Reported]
    by_message_id: Mapping[str, Reported]

    def of(self, event: TrackingEvent) -> Reported | None:
        """The email that `event` is about; None if we know of no such email."""
        if event.email_id:
            return self.by_id.get(event.email_id)
        return self.by_message_id.get(event.provider_message_id or "")


def lock_reported(
    session: Session, provider: str, events: Sequence[TrackingEvent]
) -> ReportedEmails:
    """Find and lock the emails that these events of one provider are about."""
    ids = {event.email_id for event in events if event.email_id}
    message_ids = {event.provider_message_id for event in events if not event.email_id} - {None}
    same: list[ColumnElement[bool]] = []
    if ids:
        same.append(OutboxEmail.id.in_(ids))
    if message_ids:
        same.append(
            and_(OutboxEmail.provider == provider, OutboxEmail.provider_message_id.in_(message_ids))
        )
    if not same:
        return ReportedEmails({}, {})
    statement = (
        select(OutboxEmail)
        .where(or_(*same))
        .order_by(OutboxEmail.id)
        .with_for_update(key_share=True)  # others may still add to their timelines
    )
    found = [
        Reported(email, frozenset(email.recipients or [email.recipient]))
        for email in session.scalars(statement)
    ]
    return ReportedEmails(
        {each.email.id: each for each in found},
        {
            each.email.provider_message_id: each
            for each in found
            if each.email.provider == provider and each.email.provider_message_id
        },
    )
