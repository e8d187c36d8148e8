"""The contact form: sent once, kept on error, and harmless to whoever reads it."""

import html

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from extensions import db
from message import EmailMessage
from outbox import OutboxEmail
from testing import assert_email_sent, assert_no_email_sent
from tests.blueprints.conftest import csrf_token, outbox_rows, stored
from tests.conftest import MakeApp

FORM = {"name": "Ann Lee", "email": "ann@example.com", "message": "Do you ship to Norway?"}
SENT = "Message sent! We&#39;ll get back to you soon."


def test_a_message_is_sent_with_the_visitor_in_reply_to_and_a_reload_sends_nothing(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    client = make_app(WTF_CSRF_ENABLED=True, CONTACT_EMAIL="desk@example.com").test_client()
    form = FORM | {"csrf_token": csrf_token(client, "/contact")}
    answer = client.post("/contact", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/contact")
    assert SENT in client.get("/contact").text
    assert SENT not in client.get("/contact").text
    message = assert_email_sent(outbox_emails, to="desk@example.com", contains=FORM["message"])
    assert [str(each) for each in message.reply_to] == ["Ann Lee <ann@example.com>"]
    assert message.from_email is None or "ann@" not in message.from_email.email


def test_what_was_typed_arrives_as_text_with_its_line_breaks(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    typed = "Hello,\r\n\r\n<script>alert(1)</script> {{ 7*7 }}\r\n</td>&amp;"
    client.post("/contact", data=FORM | {"message": typed, "name": "<b>Ann</b>"})
    message = outbox_emails[0]
    assert typed.replace("\r\n", "\n") in message.text
    assert "<script>" not in message.html
    assert "<b>Ann" not in message.html
    assert html.escape("{{ 7*7 }}") in message.html
    assert "Hello,<br>" in message.html.replace("<br/>", "<br>").replace("<br />", "<br>")


def test_a_name_like_a_link_is_no_reason_to_refuse_and_stands_in_no_header(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    answer = client.post("/contact", data=FORM | {"name": "you won: https://evil.example"})
    assert answer.status_code == 302
    [message] = outbox_emails
    assert message.subject == "New message"
    assert [str(each) for each in message.reply_to] == ["ann@example.com"]
    assert "evil" not in message.text
    assert "looks like a link" in message.text


MISSING = "All fields are required."
WRONG = "Please check the form."
ERRORS: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, MISSING),
    ({"email": ""}, MISSING),
    ({"message": ""}, MISSING),
    ({"message": " \r\n "}, MISSING),
    ({"name": "  "}, MISSING),
    ({"email": "ann@"}, WRONG),
    ({"email": "ann@example.com, all@example.com"}, WRONG),
    ({"name": "Ann\nBcc: all@example.com"}, WRONG),
    ({"name": "Ann\u202eeve"}, WRONG),
    ({"name": "Ann\x9b31m"}, WRONG),
    ({"name": "A" * 101}, WRONG),
    ({"message": "m" * 5001}, WRONG),
    ({"message": "nul \x00"}, WRONG),
]


@pytest.mark.parametrize(("change", "flash"), ERRORS)
def test_an_error_is_told_and_what_was_typed_is_kept(
    client: FlaskClient, app: Flask, change: dict[str, str], flash: str
):
    answer = client.post("/contact", data=FORM | change)
    assert answer.status_code == 400
    assert flash in answer.text
    for field in FORM.keys() - change.keys():
        assert FORM[field] in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert stored(app, OutboxEmail) == 0


def test_a_database_that_fails_is_told_and_what_was_typed_is_kept(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
):
    def fail() -> None:
        raise OperationalError("COMMIT", {}, Exception("database is locked"))

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(db.session, "commit", fail)
        answer = client.post("/contact", data=FORM)
    assert answer.status_code == 503
    assert "Something went wrong. Please try again." in answer.text
    assert FORM["message"] in answer.text
    assert stored(app, OutboxEmail) == 0


def test_a_program_that_fills_the_hidden_field_is_thanked_and_ignored(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    answer = client.post("/contact", data=FORM | {"website": "x"}, follow_redirects=True)
    assert SENT in answer.text
    assert_no_email_sent(outbox_emails)


def test_what_is_taken_is_delivered_whatever_strangers_sent_in_the_same_name(
    make_app: MakeApp,
):
    app = make_app(RATELIMIT_ENABLED=True, RATELIMIT_FORM="4/hour")

    def send(connection: str) -> int:
        address = {"REMOTE_ADDR": connection}
        return app.test_client().post("/contact", data=FORM, environ_overrides=address).status_code

    assert [send("192.0.2.1") for _ in range(6)] == [302] * 4 + [429] * 2
    assert send("192.0.2.2") == 302
    assert [row.state for row in outbox_rows(app)] == ["accepted"] * 5


@pytest.mark.parametrize("csrf", [True, False])
@pytest.mark.parametrize("body", [[1, 2], {"name": "Ann"}, None, "x"])
def test_json_posted_to_the_form_is_refused_with_a_page(
    make_app: MakeApp, csrf: bool, body: object
):
    answer = make_app(WTF_CSRF_ENABLED=csrf).test_client().post("/contact", json=body)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert ("This form has expired" if csrf else MISSING) in answer.text
