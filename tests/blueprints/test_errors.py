"""Errors look like a page to people and like JSON to programs, and tell nothing private."""

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tests.blueprints.conftest import PRODUCTION
from tests.conftest import MakeApp


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/account", 405),
        ("DELETE", "/login", 405),
        ("GET", "/apiary", 404),
        ("GET", "/static/../app.py", 404),
    ],
)
def test_a_page_error_is_a_page(client: FlaskClient, method: str, path: str, status: int):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert f"{status}" in answer.text
    assert 'href="/"' in answer.text
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_form_that_is_too_large_is_a_413_page(client: FlaskClient):
    answer = client.post("/login", data={"email": "m" * 64 * 1024})
    assert (answer.status_code, answer.mimetype) == (413, "text/html")


def test_every_answer_carries_the_security_headers(client: FlaskClient):
    for path in ("/", "/nothing", "/api/nothing", "/healthz", "/login"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert headers["X-Frame-Options"] == "DENY"


def failing(app: Flask, error: Exception) -> FlaskClient:
    """A client of `app` with two routes that raise `error`."""

    def fail() -> str:
        raise error

    app.add_url_rule("/fail", "fail", fail)
    app.add_url_rule("/api/fail", "api_fail", fail)
    return app.test_client()


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT secret", {"a": "secret"}, Exception("disk is full")),
        PoolTimeoutError("QueuePool limit reached"),
    ],
)
def test_a_database_that_cannot_serve_is_503_with_a_time_to_come_back(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, error: Exception
):
    client = failing(make_app(), error)
    with caplog.at_level(logging.ERROR):
        page, program = client.get("/fail"), client.get("/api/fail")
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert (program.status_code, program.is_json) == (503, True)
    assert int(page.headers["Retry-After"]) == int(program.headers["Retry-After"]) > 0
    assert "the database refused" in caplog.text
    assert "secret" not in page.text + program.text + caplog.text


def test_a_mistake_of_ours_is_a_500_without_its_details(make_app: MakeApp):
    app = make_app(**PRODUCTION, PROPAGATE_EXCEPTIONS=False)
    client = failing(app, RuntimeError("the secret detail"))
    page, program = client.get("/fail"), client.get("/api/fail")
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert (program.status_code, program.is_json) == (500, True)
    assert "secret" not in page.text + program.text
