"""The tables of the product: the users, and yours. Those of the engine live in their own rooms."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, utc_now
from message import new_id


class User(Base):
    """Somebody with an account. Without a password the account opens through the reset link."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ReceivedEvent(Base):
    """One webhook event, stored once together with its effect.

    While its email is not known here yet, `email_id` and `provider_message_id` say which it is.
    """

    __tablename__ = "received_events"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_received_events_outcome_received_at", "outcome", "received_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(100))
    payload: Mapped[str] = mapped_column(Text)  # as received
    outcome: Mapped[str] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(Text)
    email_id: Mapped[str | None] = mapped_column(String(36), index=True)
    provider_message_id: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
