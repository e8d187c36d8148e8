"""Emails about having an account: the first hello, a lost password, a second sign-up."""

from datetime import datetime

from emails.compose import app_name, compose, email
from emails.names import greeting_name
from emails.samples import LONG_WORD, NAMES, TO
from message import AddressLike, EmailMessage

RESET_URL = "https://app.example.com/reset-password?token="
CONFIRM_URL = "https://app.example.com/confirm/"


@email(
    "welcome",
    samples=NAMES
    | {
        "to confirm": {"to": TO, "name": "Ann", "confirm_url": CONFIRM_URL + "IjAxOSI.aPq3xw.Zk0"},
        "long link": {"to": TO, "name": LONG_WORD, "confirm_url": CONFIRM_URL + "IjAxOTk" * 20},
    },
)
def welcome(
    *,
    to: AddressLike,
    name: str,
    confirm_url: str | None = None,
    expires_at: datetime | None = None,
) -> EmailMessage:
    """The first email, with the way in.

    After a sign-up that is `confirm_url`, which confirms the address; pass as `expires_at` the
    moment from which it is useless. Without it, for an account that is there already, the log-in.
    """
    name = greeting_name(name)
    hello = f"Welcome, {name}" if name else f"Welcome to {app_name()}"
    return compose(
        "welcome",
        to=to,
        subject=f"{hello}: confirm your address" if confirm_url else hello,
        name=name,
        confirm_url=confirm_url,
        expires_at=expires_at,
        sensitive=confirm_url is not None,
        if_unknown="resend" if confirm_url else "hold",  # as with the link of a reset
    )


@email(
    "password-reset",
    samples={
        "normal": {"to": TO, "reset_url": RESET_URL + "eyJ1IjoxfQ.aPq3xw.Zk0sT5vY"},
        "long link": {"to": TO, "reset_url": RESET_URL + "eyJ1c2VyIjoiMDE5" * 10},
    },
)
def password_reset(
    *, to: AddressLike, reset_url: str, expires_at: datetime | None = None
) -> EmailMessage:
    """The link to a new password. Pass as `expires_at` the moment from which it is useless."""
    return compose(
        "password-reset",
        to=to,
        subject=f"Reset your password at {app_name()}",
        reset_url=reset_url,
        expires_at=expires_at,
        sensitive=True,
        if_unknown="resend",  # a second copy of the same link does no harm; a missing one does
    )


@email("account-exists", samples=NAMES)
def account_exists(*, to: AddressLike, name: str) -> EmailMessage:
    """For the owner of an account whose address was used to sign up once more."""
    return compose(
        "account-exists",
        to=to,
        subject=f"You already have an account at {app_name()}",
        name=greeting_name(name),
    )
