"""The table of received events. Times are UTC, ids are UUIDv7 as text."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, utc_now
from message import new_id


class EventOutcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    IGNORED = "ignored"  # of a kind that means nothing to us
    WAITING = "waiting"  # about an email that is not known here yet
    REJECTED = "rejected"  # meant for us, but its data cannot be used
    DUPLICATE = "duplicate"  # never stored: it was seen before
    FAILED = "failed"  # never stored: it broke our code, and counts when it is delivered again


class ReceivedEvent(Base):
    """One webhook event, stored once together with its effect.

    `email_id` and `provider_message_id` say which email it is about. While that is not known here
    yet, `waiting_event` is what has to be applied to it (`webhooks.waiting.to_json`). `about` is
    what an event with another effect tells of, such as an invoice.
    """

    __tablename__ = "received_events"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_received_events_outcome_received_at", "outcome", "received_at"),
        Index(
            "ix_received_events_about",
            "about",
            sqlite_where=text("about IS NOT NULL"),
            postgresql_where=text("about IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(100))
    payload: Mapped[str] = mapped_column(Text)  # the JSON that came
    outcome: Mapped[str] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(Text)
    about: Mapped[str | None] = mapped_column(String(255))
    email_id: Mapped[str | None] = mapped_column(String(36), index=True)
    provider_message_id: Mapped[str | None] = mapped_column(String(255))
    waiting_event: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
