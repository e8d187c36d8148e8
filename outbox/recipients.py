"""Who of an email's recipients must not be written to."""

from collections.abc import Iterable, Mapping
from typing import Any

from log_setup import mask
from outbox.suppression import Stopped

FIELDS = ("to", "cc", "bcc")

Stored = Mapping[str, Any]
"""A frozen message."""


def addresses(stored: Stored) -> list[str]:
    """Everybody the message is for."""
    return [each["email"] for name in FIELDS for each in stored.get(name, [])]


def addresses_of_all(messages: Iterable[Stored]) -> list[str]:
    """Everybody that several messages are for."""
    return [address for stored in messages for address in addresses(stored)]


def without_stopped(stored: Stored, category: str, stopped: Stopped) -> tuple[dict[str, Any], str]:
    """The message without those who are `stopped`, and a note of who they are and why.

    The note is empty if nobody is; nobody is left to write to if `to` is empty then.
    """
    reasons = {
        address: reason
        for address in addresses(stored)
        if (reason := stopped.reason(address, category))
    }
    kept = {
        name: [each for each in stored.get(name, []) if each["email"] not in reasons]
        for name in FIELDS
    }
    note = "; ".join(f"{mask(address)}: {reason}" for address, reason in reasons.items())
    return {**stored, **kept} if reasons else dict(stored), note
