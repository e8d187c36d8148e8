"""The tables of the outbox. Each change of a state is checked by `outbox.states`."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, cast

from flask import current_app
from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from database import Base, utc_now
from message import new_id
from setting_types import host_of


class State(StrEnum):
    """Where an email stands with us. What the provider reports later is kept beside it."""

    QUEUED = "queued"  # also: waiting for `send_at` or for the next attempt
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Lane(IntEnum):
    """Who goes first: a reset link never waits behind a newsletter."""

    TRANSACTIONAL = 0
    CHANGES = 1  # of subscribers
    MARKETING = 2  # and whatever many get at once
    STEPS = 3  # for the database alone, so that they stand behind nobody


class AttemptOutcome(StrEnum):
    """How a call ended: accepted, the `code` of an error, or without an answer."""

    ACCEPTED = "accepted"
    FAILED = "failed"  # on our side, or for a reason without a class of its own
    INVALID_MESSAGE = "invalid_message"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    AUTHENTICATION_FAILED = "authentication_failed"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMITED = "rate_limited"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    WORKER_LOST = "worker_lost"  # the process died during the call


OPEN_OUTCOMES = (AttemptOutcome.OUTCOME_UNKNOWN, AttemptOutcome.WORKER_LOST)
"""Of these attempts nobody knows whether the provider accepted them."""


def own_host() -> str:
    """The host of our APP_URL: its rows are ours to deliver, and no others."""
    return host_of(current_app.config["APP_URL"])


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index over those rows only that a statement with the same words in its WHERE asks for."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class OutboxRow(Base):
    """One accepted piece of work for a provider, and all that is known of its delivery.

    Claims, sweeps and lists read this table only; what is to be sent stands in `outbox_bodies`.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        # The host first: what waits for another one, be it a million rows, is never looked at.
        _partial("ix_outbox_due", "host", "lane", "due_at", where="state = 'queued'"),
        _partial(
            "ix_outbox_quarantined",
            "host",
            "due_at",
            where="state = 'queued' AND quarantined = true",
        ),
        _partial("ix_outbox_leased", "lease_until", where="state = 'sending'"),
        _partial("ix_outbox_unknown", "unknown_since", where="state = 'unknown'"),
        _partial("ix_outbox_failed", "created_at", where="state = 'failed'"),
        _partial(
            "ix_outbox_accepted",
            "accepted_at",
            where="task = 'email' AND accepted_at IS NOT NULL",
        ),
        _partial(
            "ix_outbox_expiring",
            "expires_at",
            where="state = 'queued' AND expires_at IS NOT NULL",
        ),
        _partial(
            "ix_outbox_provider_message_id",
            "provider_message_id",
            where="provider_message_id IS NOT NULL",
        ),
        _partial("ix_outbox_batch_id", "batch_id", where="batch_id IS NOT NULL"),
    )
    __mapper_args__ = {"polymorphic_on": "task", "polymorphic_abstract": True}  # noqa: RUF012  SQLAlchemy's own attribute

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    task: Mapped[str] = mapped_column(String(16), default="email", server_default="email")
    kind: Mapped[str] = mapped_column(String(64))
    origin: Mapped[str | None] = mapped_column(String(100))  # the view or command that asked for it
    host: Mapped[str] = mapped_column(String(255), default=own_host)  # where it was made
    category: Mapped[str] = mapped_column(String(16))
    lane: Mapped[int] = mapped_column(SmallInteger, default=Lane.TRANSACTIONAL)
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    recipients: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # where several
    subject: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(default=0)  # of the body, in bytes, about
    intent_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    intent_hash: Mapped[str | None] = mapped_column(String(64))
    if_unknown: Mapped[str] = mapped_column(String(16))
    sensitive: Mapped[bool] = mapped_column(Boolean)

    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    accepted_at: Mapped[datetime | None]
    unknown_since: Mapped[datetime | None]

    lease_token: Mapped[str | None] = mapped_column(String(36))
    lease_until: Mapped[datetime | None]
    calling_since: Mapped[datetime | None]  # set while a provider call is in flight
    attempts: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[bool] = mapped_column(default=False)  # a worker died with it in flight
    crashes: Mapped[int] = mapped_column(default=0)  # deaths while it was alone in flight
    provider: Mapped[str | None] = mapped_column(String(32))
    only_provider: Mapped[str | None] = mapped_column(String(32))  # no other can or may take it
    pinned: Mapped[bool] = mapped_column(default=False)  # a call may have been accepted there
    single: Mapped[bool] = mapped_column(default=False)  # never part of a batch
    batch_id: Mapped[str | None] = mapped_column(String(36))  # the row it goes out with
    batch_position: Mapped[int | None] = mapped_column(SmallInteger)
    provider_message_id: Mapped[str | None] = mapped_column(String(255))
    last_error: Mapped[str | None] = mapped_column(Text)
    redacted_at: Mapped[datetime | None]  # since then the body is gone

    delivery_status: Mapped[str | None] = mapped_column(String(16))
    marks: Mapped[list[str]] = mapped_column(JSON, default=list)

    body: Mapped["OutboxBody"] = relationship(
        back_populates="row", cascade="all, delete-orphan", passive_deletes=True
    )
    message: AssociationProxy[dict[str, Any]] = association_proxy("body", "message")
    tries: Mapped[list["Attempt"]] = relationship(order_by="Attempt.id", viewonly=True)
    events: Mapped[list["EmailEvent"]] = relationship(order_by="EmailEvent.at", viewonly=True)


class OutboxBody(Base):
    """What a row sends, frozen: a stored `EmailMessage`, a stored `SubscriberChange`, or what a
    batch must repeat. Of a step, what it is about."""

    __tablename__ = "outbox_bodies"

    id: Mapped[str] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True)
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    row: Mapped[OutboxRow] = relationship(back_populates="body")


class OutboxEmail(OutboxRow):
    """One accepted email."""

    __mapper_args__ = {"polymorphic_identity": "email"}  # noqa: RUF012  SQLAlchemy's own attribute


class OutboxChange(OutboxRow):
    """One change of a subscriber; `message` holds the frozen `SubscriberChange`."""

    __mapper_args__ = {"polymorphic_identity": "subscriber"}  # noqa: RUF012  SQLAlchemy's own attribute


class OutboxStep(OutboxRow):
    """Something for the database to do; `message` holds what it needs to know (see `steps`)."""

    __mapper_args__ = {"polymorphic_identity": "step"}  # noqa: RUF012  SQLAlchemy's own attribute


class OutboxBatch(OutboxRow):
    """Emails that go out in one call. Its id is the idempotency key; the emails point to it.

    `message` holds the hash of its bytes, which a repeat under the same key must match.
    """

    __mapper_args__ = {"polymorphic_identity": "batch"}  # noqa: RUF012  SQLAlchemy's own attribute


class Attempt(Base):
    """One call to one provider. `wire_hash` is the SHA-256 of the bytes that were posted."""

    __tablename__ = "attempts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email_id: Mapped[str] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(32))
    redirected_to: Mapped[str | None] = mapped_column(String(320))  # in place of its recipients
    wire_hash: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    http_status: Mapped[int | None]
    provider_message_id: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)
    decision: Mapped[str | None] = mapped_column(Text)  # what was done about it


class EmailEvent(Base):
    """One line of an email's timeline that is no attempt: what a provider reported, what we or a
    person decided. `recipient` and `bounce` are known of some provider events only."""

    __tablename__ = "email_events"
    __table_args__ = (
        Index("ix_email_events_recipient_at", "recipient", "at"),
        _partial("ix_email_events_bad", "at", where="bounce = 'hard' OR type = 'complained'"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email_id: Mapped[str] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    type: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text, default="")
    recipient: Mapped[str | None] = mapped_column(String(320))
    bounce: Mapped[str | None] = mapped_column(String(16))


class ProviderState(Base):
    """What every process knows about a provider; no row means that all is well."""

    __tablename__ = "provider_states"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)  # provider faults in a row
    open_until: Mapped[datetime | None]  # no calls until then; afterwards one probe at a time
    probe_until: Mapped[datetime | None]  # somebody is probing
    next_at: Mapped[datetime | None]  # when its rate allows the next call (see outbox/pacing.py)
    asked_until: Mapped[datetime | None]  # it asked everybody to wait (429), which `next_at` heeds
    reason: Mapped[str | None] = mapped_column(Text)


# The same tables for the engine's statements, which load no objects.
OUTBOX = cast(Table, OutboxRow.__table__)
BODIES = cast(Table, OutboxBody.__table__)
ATTEMPTS = cast(Table, Attempt.__table__)
EVENTS = cast(Table, EmailEvent.__table__)

QUARANTINED: ColumnElement[bool] = OutboxRow.quarantined == literal_column("true", Boolean)
"""In the words of its index, too."""


def in_state(state: State) -> ColumnElement[bool]:
    """Whether a row stands in `state`, in the words of the partial indexes above.

    A bound parameter would do as well for the answer, but no planner sees the index through it.
    """
    return OutboxRow.state == literal_column(f"'{state}'", String)
