"""What is not kept of received events: old ones, and what they say about somebody."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import cast

from sqlalchemy import Table, case, delete, or_, update
from sqlalchemy.orm import Session

from database import changed_rows, in_batches, utc_now
from webhooks.tables import EventOutcome, ReceivedEvent

EVENTS = cast(Table, ReceivedEvent.__table__)
REPEATED_FOR = timedelta(days=30)  # docs.stripe.com/webhooks: resent by hand for so long


def remove_old(session: Session, *, older_than: timedelta) -> Iterator[int]:
    """Remove received events, in batches. Yields how many; commit then.

    Those of the last 30 days stay, because Stripe may repeat them.
    """
    before = utc_now() - max(older_than, REPEATED_FOR)
    for ids in in_batches(session, EVENTS.c.id, EVENTS.c.received_at < before):
        yield changed_rows(session, delete(EVENTS).where(EVENTS.c.id.in_(ids)))


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
