"""Who is behind an address that somebody typed, and which email they get.

The request knows nothing of it: this happens in delivery, a moment later.
"""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

import emails
from background import Asked, answers
from blueprints import confirm_tokens, reset_tokens
from blueprints.limits import account_exists_notice, asked_by_owner, caused_by_strangers
from message import EmailMessage
from models import Signup, User


@answers("sign-up")
def answer_sign_up(asked: Asked) -> None:
    """Ask the owner of the address to confirm it, or say that there is an account."""
    signup = asked.session.get(Signup, asked.data["signup"])
    if signup is None:
        return  # forgotten since
    owner = find_user(asked.session, asked.address)
    limited_by = caused_by_strangers(asked.address)
    if owner is None:
        message = _confirmation(signup)
    else:
        asked.session.delete(signup)
        # By the name they gave themselves: a stranger must not choose words for their inbox.
        message = emails.account_exists(to=owner.email, name=owner.name)
        limited_by.append(account_exists_notice(asked.address))
    asked.send(message, limited_by=limited_by)


@answers("password-reset")
def answer_reset(asked: Asked) -> None:
    """Send the link to a new password, or once more the one that confirms the address."""
    owner = find_user(asked.session, asked.address)
    waiting = _latest_signup(asked.session, asked.address)
    if owner:
        asked.send(_reset(owner), limited_by=[asked_by_owner(asked.address)])
    elif waiting:
        asked.send(_confirmation(waiting), limited_by=[asked_by_owner(asked.address)])


def find_user(session: Session, address: str) -> User | None:
    """Who has an account with this address."""
    return session.scalars(select(User).where(User.email == address.lower())).first()


def _latest_signup(session: Session, address: str) -> Signup | None:
    waiting = select(Signup).where(Signup.email == address.lower())
    return session.scalars(waiting.order_by(Signup.id.desc()).limit(1)).first()


def _confirmation(signup: Signup) -> EmailMessage:
    return emails.welcome(
        to=signup.email,
        name=signup.name,
        confirm_url=f"{current_app.config['APP_URL']}/confirm/{confirm_tokens.make_token(signup)}",
        expires_at=datetime.now(UTC) + confirm_tokens.LIFETIME,
    )


def _reset(user: User) -> EmailMessage:
    token = quote(reset_tokens.make_token(user))
    return emails.password_reset(
        to=user.email,
        reset_url=f"{current_app.config['APP_URL']}/reset-password?token={token}",
        expires_at=datetime.now(UTC) + timedelta(seconds=reset_tokens.LIFETIME),
    )
