"""Emails that help somebody get going. They are marketing: every copy carries a way out."""

from datetime import datetime

from emails.compose import app_name, compose, email
from emails.names import greeting_name
from emails.samples import NAMES
from message import AddressLike, EmailMessage


@email("onboarding-day-3", samples=NAMES)
def onboarding_day_3(
    *,
    to: AddressLike,
    name: str,
    send_at: datetime | None = None,
    intent_key: str | None = None,
) -> EmailMessage:
    """A hello on the third day, with one step to take. Pass the third day itself as `send_at`."""
    return compose(
        "onboarding-day-3",
        to=to,
        subject=f"One thing to try in {app_name()} this week",
        name=greeting_name(name),
        category="marketing",
        send_at=send_at,
        intent_key=intent_key,
    )
