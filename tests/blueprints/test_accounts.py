"""Sign-up, log-in and the account page; nothing tells a stranger who has an account."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import outbox
from database import db, utc_now
from message import EmailMessage
from models import User
from outbox import OutboxEmail
from testing import assert_email_sent, assert_no_email_sent
from tests.blueprints.conftest import (
    HASH,
    PASSWORD,
    PRODUCTION,
    add_user,
    at_once,
    csrf_token,
    logged_in,
    outbox_rows,
    same_answer,
    stored,
)
from tests.conftest import MakeApp

BOB = {"name": "Bob", "email": "Bob@Example.com", "password": "long enough"}


def log_in(client: FlaskClient, email: str, password: str, query: str = "") -> str:
    """Where a log-in leads; empty if it is refused."""
    answer = client.post(f"/login{query}", data={"email": email, "password": password})
    return answer.headers.get("Location", "")


def test_signing_up_in_json_opens_an_account_and_sends_the_welcome(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    answer = client.post("/api/signup", json=BOB)
    assert (answer.status_code, answer.get_json()) == (201, {"message": "Account created"})
    assert_email_sent(outbox_emails, to="bob@example.com", subject="Welcome, Bob")
    assert log_in(client, "BOB@example.COM", "long enough") == "/account"


def test_signing_up_on_the_page_leads_to_the_log_in(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    client = make_app(WTF_CSRF_ENABLED=True).test_client()
    form = BOB | {"csrf_token": csrf_token(client, "/signup")}
    answer = client.post("/signup", data=form, follow_redirects=True)
    assert answer.request.path == "/login"
    assert "Account created" in answer.text
    assert_email_sent(outbox_emails, to="bob@example.com", subject="Welcome, Bob")


@pytest.mark.parametrize("password", [{}, {"password": None}, {"password": ""}])
def test_an_account_without_a_password_opens_for_no_password(
    client: FlaskClient, app: Flask, password: dict[str, Any]
):
    answer = client.post("/api/signup", json={"name": "Bob", "email": "bob@example.com"} | password)
    assert answer.status_code == 201
    assert stored(app, User) == 1
    for guess in ("", "None", "nobody has this password"):
        assert log_in(client, "bob@example.com", guess) == ""


BAD_FORMS: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "Enter a name."),
    ({"name": "   "}, "Enter a name."),
    ({"name": "Bob\x00"}, "Use one line of ordinary characters."),
    ({"name": "Bob\r\nBcc: all@example.org"}, "Use one line of ordinary characters."),
    ({"name": "Bob\u2028Bob"}, "Use one line of ordinary characters."),
    ({"name": "n" * 101}, "Field cannot be longer than 100 characters."),
    ({"email": ""}, "Enter an email address."),
    ({"email": "bob@"}, "Enter an email address like name@example.com."),
    ({"password": ""}, "Enter a password."),
    ({"password": "short"}, "Use at least 8 characters."),
    ({"password": "nul in it \x00"}, "Remove the characters that cannot be sent."),
]


@pytest.mark.parametrize(("change", "message"), BAD_FORMS)
def test_the_page_says_what_is_wrong_and_keeps_the_rest(
    client: FlaskClient, app: Flask, change: dict[str, str], message: str
):
    answer = client.post("/signup", data={"name": "Bo", "email": "bo@example.com"} | BOB | change)
    assert answer.status_code == 400
    assert message in answer.text
    assert ('value="Bob"' in answer.text) == ("name" not in change)
    assert BOB["password"] not in answer.text
    assert (stored(app, User), stored(app, OutboxEmail)) == (0, 0)


@pytest.mark.parametrize("domain", ["app.test", "app.localhost", "printer.local", "app.example"])
def test_in_development_any_made_up_address_can_sign_up(
    client: FlaskClient, outbox_emails: list[EmailMessage], domain: str
):
    assert client.post("/api/signup", json={**BOB, "email": f"bob@{domain}"}).status_code == 201
    assert_email_sent(outbox_emails, to=f"bob@{domain}", subject="Welcome, Bob")


def test_in_production_names_of_ones_own_machine_are_no_addresses(make_app: MakeApp):
    client = make_app(**PRODUCTION).test_client()
    answer = client.post("/api/signup", json={**BOB, "email": "bob@app.test"})
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["fields"] == {"email": "Enter an email address like name@example.com."}


@pytest.mark.parametrize("how", ["json", "data"])
def test_a_known_address_gets_the_same_answer_and_another_email(
    app: Flask, ann: User, outbox_emails: list[EmailMessage], how: str
):
    path = "/api/signup" if how == "json" else "/signup"
    known, new = (
        app.test_client().post(path, **{how: BOB | {"name": "Buy gold", "email": email}})
        for email in ("ANN@example.com", "new@example.com")
    )
    assert same_answer(known, new)
    message = assert_email_sent(outbox_emails, to="ann@example.com", subject="already have an")
    assert "Ann" in message.text
    assert "Buy gold" not in message.text, "a stranger chose words for somebody's inbox"
    assert log_in(app.test_client(), "ann@example.com", BOB["password"]) == ""


def test_two_sign_ups_at_once_are_one_account(any_app: Flask, outbox_emails: list[EmailMessage]):
    answers = at_once(2, lambda _: any_app.test_client().post("/api/signup", json=BOB))
    assert [each.status_code for each in answers] == [201, 201]
    assert stored(any_app, User) == 1
    assert {each.kind for each in outbox_emails} == {"welcome", "account-exists"}


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
        return client.post("/login", data=form, **options).headers["Set-Cookie"]

    assert cookie(client).startswith("session=")
    assert cookie(client).endswith("; HttpOnly; Path=/; SameSite=Lax")
    https = make_app(**PRODUCTION | {"APP_URL": "https://shop.example.com"})
    add_user(https, ann.email, ann.name)
    secure = cookie(https.test_client(), base_url="https://shop.example.com")
    assert secure.startswith("__Host-session=")
    assert secure.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")


def test_the_fourth_email_in_an_hour_to_one_address_is_kept_back(
    app: Flask, ann: User, outbox_emails: list[EmailMessage]
):
    client = app.test_client()
    paths = ("/api/signup", "/api/password-reset", "/api/signup", "/api/password-reset")
    address = {"name": "Ann", "email": "ann@example.com"}
    answers = [client.post(path, json=address) for path in paths]
    mine = [row.state for row in outbox_rows(app) if row.recipient == "ann@example.com"]
    assert mine == ["queued"] * 3 + ["suppressed"]
    assert len(outbox_emails) == 3
    assert same_answer(answers[1], answers[3])
    client.post("/api/signup", json={"name": "Bob", "email": "bob@example.com"})
    assert_email_sent(outbox_emails, to="bob@example.com")


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


def test_a_new_account_joins_the_subscribers_and_hears_from_us_in_three_days(
    any_app: Flask, outbox_emails: list[EmailMessage], scheduled_emails: list[EmailMessage]
):
    before = utc_now()
    any_app.test_client().post("/api/signup", json=BOB)
    [welcome], [later] = outbox_emails, scheduled_emails
    assert (welcome.kind, later.kind) == ("welcome", "onboarding-day-3")
    assert later.category == "marketing"
    assert later.send_at
    assert timedelta(0) <= later.send_at - before - timedelta(days=3) < timedelta(minutes=1)
    with any_app.app_context():
        [change] = outbox.reading.recent(db.session(), outbox.OutboxChange)
        assert (change.kind, change.recipient) == ("subscribe", "bob@example.com")
        assert change.message["first_name"] == BOB["name"]


def test_a_second_sign_up_begins_nothing_again(
    app: Flask, ann: User, scheduled_emails: list[EmailMessage]
):
    app.test_client().post("/api/signup", json={"name": "Ann", "email": "ann@example.com"})
    assert scheduled_emails == []
    with app.app_context():
        assert outbox.reading.recent(db.session(), outbox.OutboxChange) == []
