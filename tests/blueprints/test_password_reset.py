"""The reset link: looking uses nothing up, changing works once, and no answer tells of accounts."""

import re
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner

from message import EmailMessage
from models import User
from outbox import OutboxEmail
from testing import assert_email_sent
from tests.blueprints.conftest import (
    HASH,
    PASSWORD,
    PRODUCTION,
    add_user,
    at_once,
    csrf_token,
    link_in,
    logged_in,
    opens,
    same_answer,
    stored,
)
from tests.conftest import MakeApp

NEW = {"password": "a new password"}


def ask_for_link(client: FlaskClient, sent: list[EmailMessage], email: str) -> str:
    """The path and query of the link in the newest email."""
    client.post("/api/password-reset", json={"email": email})
    assert [address.email for address in sent[-1].to] == [email]
    return link_in(sent[-1].text, "reset-password")


@pytest.fixture
def link(client: FlaskClient, ann: User, outbox_emails: list[EmailMessage]) -> str:
    return ask_for_link(client, outbox_emails, ann.email)


def test_looking_at_the_link_uses_nothing_up_and_the_form_works_once(
    client: FlaskClient, ann: User, link: str
):
    for _ in range(10):
        assert client.head(link).status_code == 200
        assert client.get(link).status_code == 200
    assert client.post(link, data=NEW).headers["Location"] == "/login"
    assert client.post(link, data=NEW).status_code == 400
    assert client.get(link).status_code == 400
    assert opens(client, ann.email, NEW["password"])
    assert not opens(client, ann.email, PASSWORD)


def test_a_password_that_is_too_short_leaves_the_link_usable(
    client: FlaskClient, ann: User, link: str
):
    answer = client.post(link, data={"password": "short"})
    assert (answer.status_code, "Use at least 8 characters." in answer.text) == (400, True)
    assert opens(client, ann.email, PASSWORD)
    assert client.post(link, data=NEW).status_code == 302


def test_password_managers_learn_whose_password_it_is_and_nobody_can_say_otherwise(
    client: FlaskClient, ann: User, link: str
):
    [field] = re.findall(r"<input [^>]*autocomplete=\"username\"[^>]*>", client.get(link).text)
    assert f'value="{ann.email}"' in field
    assert field.endswith(" readonly hidden>")
    assert client.post(link, data=NEW | {"username": "eve@example.com"}).status_code == 302
    assert opens(client, ann.email, NEW["password"])


def test_the_page_keeps_its_token_to_itself(client: FlaskClient, link: str):
    for answer in (client.get(link), client.post(link, data={}), client.get(f"{link}x")):
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)


def test_links_lead_to_app_url_whatever_host_was_asked(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    app = make_app(APP_URL="https://shop.example.com")
    add_user(app, "ann@example.com", "Ann")
    headers = {"Host": "localhost:99", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    app.test_client().post(
        "/api/password-reset", json={"email": "ann@example.com"}, headers=headers
    )
    message = outbox_emails[0]
    assert "https://shop.example.com/reset-password?token=" in message.text
    assert "evil" not in message.text + message.html
    assert "localhost" not in message.text + message.html
    assert message.expires_at is not None
    assert 3500 < message.expires_at.timestamp() - time.time() <= 3600
    assert message.sensitive


@pytest.mark.parametrize(("age", "status"), [(3500, 200), (3610, 400)])
def test_a_link_is_good_for_an_hour(
    client: FlaskClient,
    ann: User,
    outbox_emails: list[EmailMessage],
    monkeypatch: pytest.MonkeyPatch,
    age: int,
    status: int,
):
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - age)
        link = ask_for_link(client, outbox_emails, ann.email)
    assert client.get(link).status_code == status


def test_every_useless_token_gets_the_same_page_and_changes_nothing(
    client: FlaskClient, app: Flask, ann: User, outbox_emails: list[EmailMessage], link: str
):
    add_user(app, "eve@example.com", "Eve")
    eves = ask_for_link(client, outbox_emails, "eve@example.com").partition("token=")[2]
    token = link.partition("token=")[2]
    payload, stamp, signature = token.rsplit(".", 2)
    eve_payload, eve_stamp, eve_signature = eves.rsplit(".", 2)
    flipped = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        for at in range(0, len(token) - 1, 7)
    ]
    useless = [
        "", "x", "a.b.c", ".", "%00", "%ff", "é", "." * 5000, token[:-2], token + "A", token * 2,
        f"{payload}.{eve_stamp}.{eve_signature}", f"{payload}.{stamp}.{eve_signature}",
        f"{eve_payload}.{stamp}.{signature}", *flipped,
    ]  # fmt: skip
    pages = {client.get("/reset-password").text}
    for each in useless:
        for answer in (
            client.get(f"/reset-password?token={each}"),
            client.post(f"/reset-password?token={each}", data=NEW),
        ):
            assert (each, answer.status_code) == (each, 400)
            pages.add(answer.text)
    assert len(pages) == 1
    assert opens(client, ann.email, PASSWORD)
    assert opens(client, "eve@example.com", PASSWORD)


def test_a_changed_password_ends_older_links_and_sessions(
    app: Flask, ann: User, outbox_emails: list[EmailMessage], link: str
):
    client = app.test_client()
    other = ask_for_link(client, outbox_emails, ann.email)
    with logged_in(app.test_client(), ann) as elsewhere:
        assert client.post(other, data=NEW).status_code == 302
        assert elsewhere.get("/account").status_code == 302
    assert client.post(link, data={"password": "yet another one"}).status_code == 400
    assert opens(client, ann.email, NEW["password"])


def test_ones_link_changes_nobody_elses_password(client: FlaskClient, app: Flask, link: str):
    add_user(app, "eve@example.com", "Eve")
    client.post(f"{link}&email=eve@example.com&user=eve", data=NEW | {"email": "eve@example.com"})
    assert opens(client, "eve@example.com", PASSWORD)


def test_an_account_without_a_password_opens_through_the_link(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage]
):
    add_user(app, "open@example.com", "Open", password_hash=None)
    link = ask_for_link(client, outbox_emails, "open@example.com")
    assert client.post(link, data=NEW).status_code == 302
    assert client.post(link, data=NEW).status_code == 400
    assert opens(client, "open@example.com", NEW["password"])


@pytest.mark.parametrize("before", [HASH, None], ids=["with a password", "without one"])
def test_a_link_used_several_times_at_once_works_once(
    any_app: Flask, outbox_emails: list[EmailMessage], before: str | None
):
    add_user(any_app, "ann@example.com", "Ann", password_hash=before)
    link = ask_for_link(any_app.test_client(), outbox_emails, "ann@example.com")
    answers = at_once(
        3, lambda n: any_app.test_client().post(link, data={"password": f"{n} is mine"})
    )
    assert sorted(each.status_code for each in answers) == [302, 400, 400]


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [("/api/password-reset", "json", 202), ("/forgot-password", "data", 302)],
)
def test_known_and_unknown_addresses_get_the_same_answer(
    app: Flask, ann: User, outbox_emails: list[EmailMessage], path: str, how: str, status: int
):
    known, unknown = (
        app.test_client().post(path, **{how: {"email": email}})
        for email in ("ann@example.com", "nobody@example.com")
    )
    assert known.status_code == status
    assert same_answer(known, unknown)
    assert_email_sent(outbox_emails, to="ann@example.com", subject="Reset your")
    assert stored(app, OutboxEmail) == 1


def test_the_page_works_over_https_with_its_csrf_token_and_its_referrer(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    url = "https://shop.example.com"
    app = make_app(**PRODUCTION | {"APP_URL": url, "WTF_CSRF_ENABLED": True})
    add_user(app, "ann@example.com", "Ann")
    app.config["PREFERRED_URL_SCHEME"] = "https"
    client = app.test_client()
    client.post("/api/password-reset", json={"email": "ann@example.com"})
    link = link_in(outbox_emails[0].text, "reset-password")
    page = client.get(link, base_url=url).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    form = NEW | {"csrf_token": token[1]}
    elsewhere = {"Referer": "https://evil.example/"}
    assert client.post(link, base_url=url, data=form, headers=elsewhere).status_code == 400
    assert client.post(link, base_url=url, data=NEW, headers={"Referer": url}).status_code == 400
    here = {"Referer": url + link}
    assert client.post(link, base_url=url, data=form, headers=here).status_code == 302


def test_the_page_that_asks_for_the_link_needs_its_csrf_token(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    app = make_app(WTF_CSRF_ENABLED=True)
    add_user(app, "ann@example.com", "Ann")
    client = app.test_client()
    form = {"email": "ann@example.com", "csrf_token": csrf_token(client, "/forgot-password")}
    answer = client.post("/forgot-password", data=form, follow_redirects=True)
    assert "a link is on its way" in answer.text
    assert_email_sent(outbox_emails, to="ann@example.com", subject="Reset your")
