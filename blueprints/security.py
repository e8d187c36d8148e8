"""Whole request bodies, headers on every response, bearer tokens, and who is on this machine."""

import hmac
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, has_request_context, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from werkzeug.exceptions import BadRequest, HTTPException

from setting_types import LOOPBACK

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: over https the CSRF check needs to see where a form came from.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every answer carries, unless its view says otherwise."""

FORWARDING = ("Forwarded", "Via", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip")
"""Headers by which proxies and tunnels say for whom they ask, beside `X-Forwarded-...`."""

_body_limits: dict[str, int] = {}  # bytes, by the name of the blueprint


def take_bodies(blueprint: Blueprint, limit: int) -> None:
    """Let the views of `blueprint` take bodies of up to `limit` bytes in place of `MAX_BODY`."""
    _body_limits[blueprint.name] = limit


def init_app(app: Flask) -> None:
    """Take bodies whole or not at all, and set the headers that a view has not set itself."""
    app.url_value_preprocessor(_read_body)  # comes before the CSRF check, which parses forms
    app.after_request(_add_headers)
    app.session_interface = _UncachedSessions()


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
    headers = dict(HEADERS)
    if request.endpoint == "static":
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # webmail shows a logo of ours
    if request.path.startswith("/api/"):
        headers["Cache-Control"] = "no-store"
    if current_app.config["APP_URL"].startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response


class _UncachedSessions(SecureCookieSessionInterface):
    """What was drawn for one browser, and all about accounts is, stays in no cache."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed:
            response.headers.setdefault("Cache-Control", "no-store")
        super().save_session(app, session, response)


def keep_local(app: Flask, blueprints: Iterable[Blueprint]) -> None:
    """Let these exist for requests from this machine alone; for others they are a 404."""
    names = {blueprint.name for blueprint in blueprints}

    def refuse_others(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        if request.blueprint in names and not is_local():
            abort(404)

    app.url_value_preprocessor(refuse_others)  # before the CSRF check, whose 400 would tell


def is_local() -> bool:
    """Whether there is a request that was made on this machine, and forwarded by nobody.

    A tunnel or proxy on this machine is a local peer as well. Not every server lets us see its
    headers, so the name that was asked for must be one of loopback too.
    """
    if not has_request_context() or any(map(_forwards, request.headers.keys())):
        return False
    before_proxies = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    host = urlsplit(f"//{request.host}").hostname
    return _is_loopback(before_proxies["REMOTE_ADDR"]) and (host or "") in LOOPBACK


def _forwards(header: str) -> bool:
    return header in FORWARDING or header.startswith("X-Forwarded-")


def _is_loopback(address: str | None) -> bool:
    try:
        parsed = ip_address(address or "")  # a Unix socket has none
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def bearer_token_matches(setting: str = "API_TOKEN") -> bool:
    """Whether the request carries the token of `setting`, compared in constant time on bytes."""
    expected = current_app.config[setting]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not expected or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
