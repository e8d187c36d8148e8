"""The forms of a sign-up; nothing tells a stranger who has an account."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from message import EmailMessage
from models import Signup, User
from outbox import OutboxEmail
from testing import assert_email_sent
from tests.blueprints.conftest import (
    BOB,
    PRODUCTION,
    changes,
    link_in,
    opens,
    same_answer,
    stored,
)
from tests.conftest import MakeApp

NEW = {"password": "another password"}


def test_in_json_it_takes_a_name_and_an_address_and_the_link_asks_for_the_password(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    answer = client.post("/api/signup", json=BOB)
    assert (answer.status_code, answer.get_json()) == (201, {"message": "Account created"})
    message = assert_email_sent(outbox_emails, to="bob@example.com", subject="Welcome, Bob")
    link = link_in(message.text, "confirm")
    assert 'type="password"' in client.get(link).text
    assert client.post(link, data=NEW).headers["Location"] == "/account"
    assert opens(client, "BOB@example.COM", NEW["password"])
    assert not opens(client, "bob@example.com", BOB["password"])


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
    ({"password": "x" * 201}, "Use at least 8 characters."),
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
    assert (stored(app, Signup), stored(app, OutboxEmail)) == (0, 0)


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
    app: Flask,
    ann: User,
    outbox_emails: list[EmailMessage],
    scheduled_emails: list[EmailMessage],
    how: str,
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
    assert not opens(app.test_client(), "ann@example.com", BOB["password"])
    assert stored(app, Signup) == 1, "nothing waits for an address that has an account"
    assert (scheduled_emails, changes(app)) == ([], [])
