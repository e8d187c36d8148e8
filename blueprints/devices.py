"""Browsers that were let into an account before, known by a signed cookie."""

import secrets

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

LIFETIME = 365 * 86400  # seconds
MOST_ACCOUNTS = 8  # of one browser, the latest


def device_of(account: str) -> str:
    """The name of the browser, if it is known to `account`; else the empty text."""
    device, accounts = _cookie()
    return device if _short(account) in accounts else ""


def remember(account: str) -> None:
    """Make the browser known to `account`, a hash, with the answer to this request."""
    device, accounts = _cookie()
    others = [each for each in accounts if each != _short(account)]
    value = _serializer().dumps([device, [_short(account), *others][:MOST_ACCOUNTS]])

    @after_this_request
    def set_cookie(response: Response) -> Response:
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        options = {"max_age": LIFETIME, "secure": secure, "httponly": True, "samesite": "Lax"}
        response.set_cookie(_name(), value, **options)
        return response


def _cookie() -> tuple[str, list[str]]:
    """The name of the browser and the accounts to which it is known."""
    try:
        device, accounts = _serializer().loads(request.cookies.get(_name(), ""), max_age=LIFETIME)
    except BadData:
        return secrets.token_hex(16), []
    return device, accounts


def _short(account: str) -> str:
    return account[:16]


def _name() -> str:
    return "__Host-device" if current_app.config["SESSION_COOKIE_SECURE"] else "device"


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SIGNING_KEYS"], salt="device")
