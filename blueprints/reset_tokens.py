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
    key = current_app.config["SECRET_KEY"].encode()
    return hmac.new(key, (user.password_hash or "").encode(), hashlib.sha256).hexdigest()[:32]


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
    if user is None or not hmac.compare_digest(password_fingerprint(user), fingerprint):
        return None
    return user


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="password-reset")
