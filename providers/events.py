"""What any provider can tell us about an email after it accepted it. Values only."""

from datetime import datetime
from enum import StrEnum

from attrs import frozen


class EventType(StrEnum):
    """The one vocabulary that every provider's webhook is mapped to."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    COMPLAINED = "complained"
    FAILED = "failed"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"


class BounceClass(StrEnum):
    """Whether an address is dead (`hard`) or was only unreachable (`soft`)."""

    HARD = "hard"
    SOFT = "soft"
    UNDETERMINED = "undetermined"


@frozen(kw_only=True)
class TrackingEvent:
    """One report about one email, whoever sent it.

    `event_id` is unique per provider and the same on every redelivery. `email_id` is our own id
    where the provider echoes it; otherwise `provider_message_id` finds the email. Unless
    `names_one`, `recipient` is one the email went to, but of several maybe not the one meant.
    """

    provider: str
    event_id: str
    type: EventType
    at: datetime
    provider_message_id: str | None = None
    email_id: str | None = None
    recipient: str | None = None
    names_one: bool = True
    bounce: BounceClass | None = None
    reason: str = ""
