"""Emails to whoever runs the app."""

from emails.compose import app_name, compose, email
from message import AddressLike, EmailMessage

BOUNCED = {
    "to": "owner@example.com",
    "reason": "52 of the 1,000 emails accepted since 2026-11-26T09:14:00.000Z bounced hard: 5.2 %, "
    "where 5 % is too much",
}


@email("marketing-paused", samples={"normal": BOUNCED})
def marketing_paused(
    *, to: AddressLike, reason: str, intent_key: str | None = None
) -> EmailMessage:
    """Marketing stopped by itself, why, and how it goes on. Sent once for each pause."""
    return compose(
        "marketing-paused",
        to=to,
        subject=f"Marketing from {app_name()} is paused",
        reason=reason,
        intent_key=intent_key,
    )
