"""Who must send a CSRF token: whatever stands on a blueprint that is not exempt by name."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.blueprints import made_up_views
from tests.blueprints.conftest import PASSWORD, add_user, csrf_token
from tests.conftest import MakeApp

EXEMPT = {"api", "webhooks", "unsubscribe"}
"""Blueprints whose views act on no cookie. Name yours here if that is true of all of its views."""
EXPIRED = "This form has expired"


def asks_for_token(answer: TestResponse) -> bool:
    """Whether the view was not reached for want of a CSRF token."""
    return EXPIRED in answer.text or "X-CSRFToken" in answer.text


@pytest.fixture
def guarded(make_app: MakeApp) -> Flask:
    """An app that asks for the token, with views of a product's own."""
    app = make_app(WTF_CSRF_ENABLED=True)
    app.register_blueprint(made_up_views.blueprint)
    return app


def plain_rules(app: Flask, method: str) -> list[Rule]:
    """The rules for `method` whose URLs have no variable parts."""
    return [
        rule
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or ()) and not rule.arguments
    ]


def blueprint_of(rule: Rule) -> str:
    endpoint: str = rule.endpoint
    return endpoint.rpartition(".")[0]


@pytest.mark.parametrize(
    "path",
    ["/api/send", "/api/send-welcome", "/api/signup", "/api/password-reset",
     "/api/webhooks/stripe", "/api/webhooks/resend", "/unsubscribe/a-token"],
)  # fmt: skip
def test_programs_and_mail_clients_post_without_a_token(guarded: Flask, path: str):
    answer = guarded.test_client().post(path)
    assert answer.status_code != 405
    assert not asks_for_token(answer)


def test_everything_else_needs_the_token_of_a_form(guarded: Flask):
    client = guarded.test_client()
    rules = [rule for rule in plain_rules(guarded, "POST") if blueprint_of(rule) not in EXEMPT]
    paths = [*(rule.rule for rule in rules), "/preview/welcome", "/api/made-up/7"]
    assert {"/signup", "/login", "/logout", "/contact", "/made-up"} <= set(paths)
    open_to_others = [path for path in paths if not asks_for_token(client.post(path))]
    assert open_to_others == [], (
        "other sites can post here as your user: take csrf.exempt away; if the view reads no "
        "cookie, name its blueprint in EXEMPT of this file"
    )


def test_the_apis_own_views_read_no_cookie(guarded: Flask):
    client = guarded.test_client()
    log_in(client)
    reads_cookies = [
        f"{method} {rule.rule}"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for rule in plain_rules(guarded, method)
        if blueprint_of(rule) == "api"
        and "Cookie" in client.open(rule.rule, method=method).headers.get("Vary", "")
    ]
    assert reads_cookies == [], (
        "the blueprint `api` is exempt from CSRF, so its views must not read the session: put "
        "these on a blueprint of their own"
    )


def test_json_for_users_who_are_logged_in_asks_for_the_token(guarded: Flask):
    client = guarded.test_client()
    log_in(client)
    refused = client.post("/api/made-up/7", json={})
    assert (refused.status_code, refused.is_json) == (400, True)
    assert "send it as X-CSRFToken" in refused.get_json()["error"]
    token = {"X-CSRFToken": csrf_token(client, "/account")}
    assert client.post("/api/made-up/7", json={}, headers=token).status_code == 200
    assert client.get("/api/made-up/7").status_code == 200


def test_pages_for_users_who_are_logged_in_ask_for_the_token(guarded: Flask):
    client = guarded.test_client()
    log_in(client)
    assert client.post("/made-up").status_code == 400
    token = csrf_token(client, "/account")
    assert client.post("/made-up", data={"csrf_token": token}).status_code == 201


def log_in(client: FlaskClient) -> None:
    """As somebody who has an account."""
    user = add_user(client.application, "ann@example.com", "Ann")
    form = {"email": user.email, "password": PASSWORD, "csrf_token": csrf_token(client, "/login")}
    assert client.post("/login", data=form).headers["Location"] == "/account"
