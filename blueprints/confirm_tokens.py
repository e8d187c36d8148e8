"""The token of a confirmation link: signed, bound to one sign-up, and stored nowhere."""

from datetime import timedelta

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from database import db
from models import Signup

LIFETIME = timedelta(hours=24)


def make_token(asked: Signup) -> str:
    """A token that opens until the sign-up is confirmed, for a day at most."""
    return str(_serializer().dumps(asked.id))


def read_token(token: str) -> Signup | None:
    """Whose token it is; None if it is expired, used, altered or no token at all."""
    try:
        signup_id = _serializer().loads(token, max_age=int(LIFETIME.total_seconds()))
    except (BadData, ValueError, TypeError):
        return None
    return db.session.get(Signup, signup_id)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SIGNING_KEYS"], salt="confirm")
