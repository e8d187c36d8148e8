"""The token of a reset link: signed, bound to the present password, and stored nowhere."""

import hashlib
import hmac

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from database import db
from models import User

LIFETIME = 3600  # seconds


def password_fingerprint(user: User) -> str:
    """Changes with the password, and tells nothing about it."""
    return _fingerprint(user, current_app.config["SIGNING_KEYS"][-1])


def has_password(user: User, fingerprint: str) -> bool:
    """Whether the password is still the one of `fingerprint`, made under any key that counts."""
    keys = current_app.config["SIGNING_KEYS"]
    return any(hmac.compare_digest(_fingerprint(user, key), fingerprint) for key in keys)


def make_token(user: User) -> str:
    """A token that opens until the password changes, for an hour at most."""
    return _serializer().dumps([user.id, password_fingerprint(user)])


def read_token(token: str) -> User | None:
    """Whose token it is; None if it is expired, used, altered or no token at all."""
    try:
        user_id, fingerprint = _serializer().loads(token, max_age=LIFETIME)
    except (BadData, ValueError, TypeError):
        return None
    user = db.session.get(User, user_id)
    return user if user and has_password(user, fingerprint) else None


def _fingerprint(user: User, key: str) -> str:
    stored = (user.password_hash or "").encode()
    return hmac.new(key.encode(), stored, hashlib.sha256).hexdigest()[:32]


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SIGNING_KEYS"], salt="password-reset")
