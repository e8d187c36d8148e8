"""What is not kept of received events: old ones, and what they say about somebody."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import case, delete, or_, update
from sqlalchemy.orm import Session

from database import utc_now
from webhooks.tables import EventOutcome, ReceivedEvent

REPEATED_FOR = timedelta(days=30)  # docs.stripe.com/webhooks: resent by hand for so long


def remove_old(session: Session, *, older_than: timedelta) -> None:
    """Remove received events; those of the last 30 days stay, because Stripe may repeat them."""
    before = utc_now() - max(older_than, REPEATED_FOR)
    session.execute(delete(ReceivedEvent).where(ReceivedEvent.received_at < before))


def forget(session: Session, address: str, email_ids: Sequence[str]) -> int:
    """Empty the events that name `address` or are about these emails; how many there were.

    Their ids stay, so that a redelivery has no effect.
    """
    about = or_(
        ReceivedEvent.email_id.in_(email_ids),
        ReceivedEvent.payload.icontains(f'"{address}"', autoescape=True),
        ReceivedEvent.payload.icontains(f"<{address}>", autoescape=True),
    )
    outcome = case(
        (ReceivedEvent.outcome == EventOutcome.WAITING, EventOutcome.IGNORED),
        else_=ReceivedEvent.outcome,
    )
    emptied = {"payload": "", "error": None, "email_id": None, "waiting_event": None}
    statement = update(ReceivedEvent).where(about).values(emptied | {"outcome": outcome})
    return len(session.scalars(statement.returning(ReceivedEvent.id)).all())
