"""Whole request bodies, headers on every response, and the API's bearer token."""

import hmac
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import BadRequest, HTTPException

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


_body_limits: dict[str, int] = {}  # bytes, by the name of the blueprint


def take_bodies(blueprint: Blueprint, limit: int) -> None:
    """Let the views of `blueprint` take bodies of up to `limit` bytes in place of `MAX_BODY`."""
    _body_limits[blueprint.name] = limit


def init_app(app: Flask) -> None:
    """Take bodies whole or not at all, and set the headers that a view has not set itself."""
    app.url_value_preprocessor(_read_body)  # comes before the CSRF check, which parses forms
    app.after_request(_add_headers)


def _read_body(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    # Left alone, a chunked body over the limit is cut off there without a word, and one
    # that the client broke off passes for whole.
    if endpoint is None:
        return
    if request.blueprint in _body_limits:
        request.max_content_length = _body_limits[request.blueprint]
    try:
        body = request.get_data()
        if request.content_length is None:
            request.stream.read(1)  # 413 if the limit was reached
    except HTTPException:
        raise
    except Exception as error:  # malformed chunks: every server has exceptions of its own for them
        raise BadRequest("the body cannot be read") from error
    if len(body) < (request.content_length or 0):
        raise BadRequest("the body ends too early")


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
