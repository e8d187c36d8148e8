"""Log-in and the account page; nothing tells a stranger who has an account."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database import db
from message import EmailMessage
from models import User
from testing import assert_no_email_sent
from tests.blueprints.conftest import (
    BOB,
    HASH,
    PASSWORD,
    PRODUCTION,
    add_user,
    logged_in,
)
from tests.conftest import MakeApp


def test_the_account_page_is_for_whoever_is_logged_in(client: FlaskClient, app: Flask):
    user = add_user(app, "eve@example.com", "<b>Eve</b>")
    refused = client.get("/account")
    assert refused.headers["Location"] == "/login?next=/account"
    with logged_in(client, user):
        page = client.get("/account")
    assert page.status_code == 200
    assert "&lt;b&gt;Eve&lt;/b&gt;" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_logging_out_takes_a_post_and_ends_the_session(client: FlaskClient, ann: User):
    with logged_in(client, ann):
        assert client.get("/logout").status_code == 405
        assert client.get("/account").status_code == 200
        assert client.post("/logout").headers["Location"] == "/"
    assert client.get("/account").status_code == 302


def test_a_wrong_password_and_an_unknown_address_look_the_same(app: Flask, ann: User):
    add_user(app, "open@example.com", "Open", password_hash=None)
    wrong, unknown, passwordless = (
        app.test_client().post("/login", data={"email": email, "password": "not the password"})
        for email in ("ann@example.com", "xxx@example.com", "open@example.com")
    )
    assert "Email or password is wrong." in wrong.text
    assert wrong.text.replace("ann@", "") == unknown.text.replace("xxx@", "")
    assert wrong.text.replace("ann@", "") == passwordless.text.replace("open@", "")
    assert {each.status_code for each in (wrong, unknown, passwordless)} == {400}


NEXT = [
    ("/account", "/account"),
    ("/login?a=b&c=%2F", "/login?a=b&c=%2F"),
    ("", "/account"),
    ("account", "/account"),
    ("//evil.example", "/account"),
    ("///evil.example", "/account"),
    ("/\\evil.example", "/account"),
    ("\\\\evil.example", "/account"),
    ("/\t/evil.example", "/account"),
    ("\t//evil.example", "/account"),
    (" //evil.example", "/account"),
    ("/\n/evil.example", "/account"),
    ("/\x00/evil.example", "/account"),
    ("https://evil.example", "/account"),
    ("https:evil.example", "/account"),
    ("javascript:alert(1)", "/account"),
    ("/\uff0fevil.example", "/account"),
]


@pytest.mark.parametrize(("target", "location"), NEXT)
def test_logging_in_leads_to_a_path_of_ours_only(
    client: FlaskClient, ann: User, target: str, location: str
):
    answer = client.post(
        "/login",
        query_string={"next": target},
        data={"email": ann.email, "password": PASSWORD},
    )
    assert answer.headers["Location"] == location


def test_a_session_ends_with_a_change_of_the_password_and_with_the_account(
    client: FlaskClient, app: Flask, ann: User
):
    with logged_in(client, ann), app.app_context():
        db.session.query(User).update({"password_hash": HASH[:-1]})
        db.session.commit()
    assert client.get("/account").status_code == 302
    with app.app_context():
        db.session.query(User).delete()
        db.session.commit()
    assert client.get("/account").status_code == 302
    assert client.get("/").status_code == 200


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    client: FlaskClient, ann: User, make_app: MakeApp
):
    def cookie(client: FlaskClient, **options: str) -> str:
        form = {"email": ann.email, "password": PASSWORD}
        cookies = client.post("/login", data=form, **options).headers.getlist("Set-Cookie")
        return next(each for each in cookies if "session=" in each)

    assert cookie(client).startswith("session=")
    assert cookie(client).endswith("; HttpOnly; Path=/; SameSite=Lax")
    https = make_app(**PRODUCTION | {"APP_URL": "https://shop.example.com"})
    add_user(https, ann.email, ann.name)
    secure = cookie(https.test_client(), base_url="https://shop.example.com")
    assert secure.startswith("__Host-session=")
    assert secure.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")


def test_nobody_is_written_to_when_a_form_lacks_its_csrf_token(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    app = make_app(WTF_CSRF_ENABLED=True)
    user = add_user(app, "ann@example.com", "Ann")
    client = app.test_client()
    form = BOB | {"email": user.email, "password": PASSWORD, "message": "Hi"}
    for path in ("/signup", "/login", "/forgot-password", "/contact", "/logout"):
        answer = client.post(path, data=form)
        assert (path, answer.status_code) == (path, 400)
        assert "This form has expired" in answer.text
    assert_no_email_sent(outbox_emails)
    assert client.get("/account").status_code == 302
