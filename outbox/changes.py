"""Changes of subscribers in the outbox: the same rows, claims and retries as emails.

A change may be repeated without harm, so none ends as `unknown`: it is repeated until it is done,
20 times at most. It says nothing about sending: a key that may only send refuses every change.
"""

import hashlib
import json
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from database import utc_now
from errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    UnsupportedFeature,
)
from extensions import email
from message import new_id
from outbox.tables import OutboxChange, State
from providers import Receipt, SubscriberChange, change_from_json, change_to_json, kind_of


def enqueue_change(
    session: Session, change: SubscriberChange, *, origin: str | None = None
) -> OutboxChange:
    """Store a change of a subscriber in `session`'s transaction, for the first provider.

    Raises `UnsupportedFeature` if that provider has no such thing, or SUBSCRIBERS_ENABLED is off.
    """
    if not current_app.config["SUBSCRIBERS_ENABLED"]:
        raise UnsupportedFeature("SUBSCRIBERS_ENABLED is false, so no subscribers are kept")
    provider = email.chain[0]
    email.provider(provider).check_change(change)
    created_at = utc_now()
    row = OutboxChange(
        id=new_id(), kind=kind_of(change), category="subscriber", origin=origin,
        recipient=change.email, subject=kind_of(change), message=change_to_json(change),
        if_unknown="resend", sensitive=False, state=State.QUEUED, due_at=created_at,
        created_at=created_at, provider=provider,
        pinned=True,  # a list of subscribers lives with one provider
        quarantined=False, marks=[],
    )  # fmt: skip
    session.add(row)
    return row


def call(provider: str, stored: dict[str, Any], key: str) -> Receipt:
    """Make a stored change at its provider. Raises `EmailSendError`s that leave the rest alone.

    An unknown outcome is worth another try, and so is a refused key, which somebody may mend.
    """
    try:
        return email.change_subscriber(provider, change_from_json(stored), key)
    except (OutcomeUnknown, AuthenticationFailed, QuotaExceeded) as error:
        raise ProviderUnavailable(str(error), error.status, provider=provider) from error


def hash_of(stored: dict[str, Any]) -> str:
    """What an attempt at this change did, in place of the bytes of a message."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
