"""Who is behind an address that somebody typed, and which email they get: none tells a stranger."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import current_app
from sqlalchemy import select

import emails
from background import send_in_background
from blueprints import confirm_tokens, reset_tokens
from blueprints.limits import account_exists_notice, asked_by_owner, caused_by_strangers
from database import db
from message import EmailMessage
from models import Signup, User


def answer_sign_up(asked: Signup) -> None:
    """Ask the owner of the address to confirm it, or say that there is an account."""
    owner, limited_by = find_user(asked.email), caused_by_strangers(asked.email)
    if owner is None:
        message = _confirmation(asked)
    else:
        db.session.delete(asked)
        # By the name they gave themselves: a stranger must not choose words for their inbox.
        message = emails.account_exists(to=owner.email, name=owner.name)
        limited_by.append(account_exists_notice(asked.email))
    send_in_background(message, limited_by=limited_by)


def answer_reset(address: str) -> None:
    """Send the link to a new password, or once more the one that confirms the address."""
    owner, waiting = find_user(address), _latest_signup(address)
    if owner:
        send_in_background(_reset(owner), limited_by=[asked_by_owner(owner.email)])
    elif waiting:
        send_in_background(_confirmation(waiting), limited_by=[asked_by_owner(waiting.email)])


def find_user(address: str) -> User | None:
    """Who has an account with this address."""
    return db.session.scalars(select(User).where(User.email == address.lower())).first()


def _latest_signup(address: str) -> Signup | None:
    waiting = select(Signup).where(Signup.email == address.lower())
    return db.session.scalars(waiting.order_by(Signup.id.desc()).limit(1)).first()


def _confirmation(asked: Signup) -> EmailMessage:
    return emails.welcome(
        to=asked.email,
        name=asked.name,
        confirm_url=f"{current_app.config['APP_URL']}/confirm/{confirm_tokens.make_token(asked)}",
        expires_at=datetime.now(UTC) + confirm_tokens.LIFETIME,
    )


def _reset(user: User) -> EmailMessage:
    token = quote(reset_tokens.make_token(user))
    return emails.password_reset(
        to=user.email,
        reset_url=f"{current_app.config['APP_URL']}/reset-password?token={token}",
        expires_at=datetime.now(UTC) + timedelta(seconds=reset_tokens.LIFETIME),
    )
