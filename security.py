"""Headers on every response, the bearer token of the API, and whom a rate limit counts."""

import hmac

from flask import Flask, Response, current_app, request
from flask_limiter.util import get_remote_address

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def init_app(app: Flask) -> None:
    """Set the headers that a view has not set itself."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    # Not `no-referrer`: over https the CSRF check needs to see where a form came from.
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def bearer_token_matches() -> bool:
    """Whether the request carries API_TOKEN, compared in constant time on bytes."""
    expected = current_app.config["API_TOKEN"]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def rate_limit_key() -> str:
    """The holder of the token once it has been checked; everybody else by address."""
    return "bearer" if bearer_token_matches() else get_remote_address()
