"""Headers, cookies, hosts, proxies and the bearer token, as a client sees them."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, jsonify, request, session
from flask.testing import FlaskClient

from blueprints.limits import rate_limit_key
from blueprints.security import PAGE_POLICY
from tests.conftest import MakeApp

PRODUCTION = {
    "TESTING": False,
    "FLASK_DEBUG": False,
    "SECRET_KEY": "a key of our own, long enough to keep",
    "APP_URL": "https://app.example.com",
    "FROM_EMAIL": "shop@example.com",
    "EMAIL_PROVIDER": "resend",
    "RESEND_API_KEY": "re_1",
    "EMAIL_DELIVERY": "sync",
}


def with_probes(app: Flask) -> FlaskClient:
    """A client of `app` with a few views more, to look through."""

    @app.get("/probe/caller")
    def caller() -> Any:
        session["seen"] = True
        return jsonify(
            address=request.remote_addr, host=request.host, scheme=request.scheme,
            counted_as=rate_limit_key(),
        )  # fmt: skip

    @app.get("/probe/own")
    def own() -> Any:
        return "x", {"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "origin"}

    @app.get("/probe/crash")
    def crash() -> Any:
        raise RuntimeError("on purpose")

    return app.test_client()


@pytest.fixture
def probes(make_app: MakeApp) -> FlaskClient:
    return with_probes(make_app())


@pytest.fixture
def production(make_app: MakeApp) -> Iterator[FlaskClient]:
    with with_probes(make_app(**PRODUCTION)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/signup", 200),
        ("/static/style.css", 200),
        ("/healthz", 200),
        ("/nowhere", 404),
        ("/api/nowhere", 404),
        ("/api/send", 405),
        ("/probe/crash", 500),
    ],
)
def test_every_answer_carries_the_headers(production: FlaskClient, path: str, status: int):
    with production.get(path, base_url="https://app.example.com") as response:
        assert response.status_code == status
        assert response.headers["Content-Security-Policy"] == PAGE_POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert "camera=()" in response.headers["Permissions-Policy"]
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        shared = "cross-origin" if path.startswith("/static/") else "same-origin"
        assert response.headers["Cross-Origin-Resource-Policy"] == shared
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_view_may_set_a_policy_of_its_own(probes: FlaskClient):
    headers = probes.get("/probe/own").headers
    assert headers.getlist("Content-Security-Policy") == ["default-src 'none'"]
    assert headers.getlist("Referrer-Policy") == ["origin"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_policy_lets_in_nothing_foreign():
    directives = dict(part.strip().split(" ", 1) for part in PAGE_POLICY.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["object-src"] == directives["frame-ancestors"] == "'none'"
    assert "script-src" not in directives
    assert "unsafe" not in PAGE_POLICY


def test_https_is_promised_by_the_address_of_the_app_however_it_is_asked(
    probes: FlaskClient, production: FlaskClient
):
    assert "Strict-Transport-Security" not in probes.get("/").headers
    assert "Strict-Transport-Security" in production.get("/", base_url="http://localhost").headers


PRIVATE = (
    "/login", "/signup", "/forgot-password", "/reset-password", "/reset-password?token=x",
    "/account", "/confirm/x", "/api/send", "/api/emails/1", "/api/nothing", "/api/webhooks/stripe",
)  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_about_an_account_and_no_answer_of_the_api_is_kept_in_a_cache(
    production: FlaskClient, path: str, method: str
):
    assert production.open(path, method=method).headers["Cache-Control"] == "no-store"


def test_a_page_of_ones_own_that_reads_the_session_is_kept_in_no_cache_either(probes: FlaskClient):
    assert probes.get("/probe/caller").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in probes.get("/probe/own").headers


@pytest.mark.parametrize(
    ("url", "start", "secure"),
    [
        ("https://app.example.com", "__Host-session=", True),
        ("HTTPS://App.Example.com", "__Host-session=", True),
        ("http://127.0.0.1:5000", "session=", False),
    ],
)
def test_cookies_are_as_safe_as_the_address_of_the_app_allows(
    make_app: MakeApp, url: str, start: str, secure: bool
):
    client = with_probes(make_app(APP_URL=url))
    (cookie,) = client.get("/probe/caller", base_url=url.lower()).headers.getlist("Set-Cookie")
    attributes = set(cookie.split("; ")[1:])
    assert cookie.startswith(start)
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
    assert ("Secure" in attributes) is secure
    assert not any(each.startswith("Domain") for each in attributes)  # __Host- forbids it


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("app.example.com", 200),
        ("app.example.com:8443", 200),
        ("127.0.0.1:5000", 200),
        ("localhost", 200),
        ("evil.example.com", 400),
        ("app.example.com.evil.com", 400),
        ("evil-app.example.com", 400),
        ("sub.app.example.com", 400),
        ("app.example.com@evil.com", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_only_the_host_of_the_app_and_loopback_are_served(
    production: FlaskClient, path: str, host: str, status: int
):
    response = production.get(path, headers={"Host": host})
    assert response.status_code == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "evil" not in response.text


FORWARDED = {
    "X-Forwarded-For": "203.0.113.7, 198.51.100.2",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.com",
}


@pytest.mark.parametrize(
    ("proxies", "address", "scheme", "host"),
    [
        (0, "127.0.0.1", "http", "localhost"),
        (1, "198.51.100.2", "https", "app.example.com"),
    ],
)
def test_forwarded_headers_are_believed_only_behind_a_proxy(
    make_app: MakeApp, proxies: int, address: str, scheme: str, host: str
):
    client = with_probes(make_app(APP_URL="https://app.example.com", TRUSTED_PROXIES=proxies))
    response = client.get("/probe/caller", headers=FORWARDED)
    assert response.json == {
        "address": address, "host": host, "scheme": scheme, "counted_as": address,
    }  # fmt: skip


def test_with_two_proxies_the_address_before_both_counts(make_app: MakeApp):
    client = with_probes(make_app(TRUSTED_PROXIES=2))
    chain = {"X-Forwarded-For": "spoofed, 203.0.113.7, 198.51.100.2"}
    answer: dict[str, str] = client.get("/probe/caller", headers=chain).get_json()
    assert answer["address"] == "203.0.113.7"


def test_a_proxy_cannot_bring_in_another_host(make_app: MakeApp):
    client = with_probes(make_app(TRUSTED_PROXIES=1))
    response = client.get("/", headers={"X-Forwarded-Host": "evil.example.com"})
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer secret", 404),
        ("bearer secret", 404),
        ("BEARER secret", 404),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer secre", 401),
        ("Bearer secret2", 401),
        ("Bearer Secret", 401),
        ("Bearer  secret", 401),
        ("Basic secret", 401),
        ("secret", 401),
        ("Bearer gehäim", 401),
        ("Bearer \xff\xfe", 401),
        ("Bearer \udcff", 401),
        ("Bäarer secret", 401),
    ],
)
def test_the_api_opens_to_its_token_alone(make_app: MakeApp, header: str | None, status: int):
    client = make_app(API_TOKEN="secret").test_client()
    environment = {} if header is None else {"HTTP_AUTHORIZATION": header}
    response = client.get(
        "/api/emails/01900000-0000-7000-8000-000000000000", environ_overrides=environment
    )
    assert response.status_code == status


def test_callers_are_counted_by_address_until_their_token_is_checked(make_app: MakeApp):
    client = with_probes(make_app(API_TOKEN="secret"))

    def counted_as(token: str) -> str:
        response = client.get("/probe/caller", headers={"Authorization": f"Bearer {token}"})
        return str(response.get_json()["counted_as"])

    assert [counted_as("guess"), counted_as("secret")] == ["127.0.0.1", "bearer"]
