"""The link of a sign-up: who confirms the address has the account, and nobody else."""

import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from database import utc_now
from message import EmailMessage
from models import Signup, User
from outbox import OutboxEmail
from testing import assert_email_sent
from tests.blueprints.conftest import (
    BOB,
    add_user,
    at_once,
    changes,
    csrf_token,
    link_in,
    opens,
    stored,
)
from tests.conftest import MakeApp

NEW = {"password": "another password"}
SignUp = Callable[[FlaskClient], str]


@pytest.fixture
def sign_up(outbox_emails: list[EmailMessage]) -> SignUp:
    """`sign_up(client)` does it on the page; the path of the link in the email."""

    def sign_up(client: FlaskClient) -> str:
        page = client.post("/signup", data=BOB, follow_redirects=True)
        assert page.request.path == "/login"
        return link_in(outbox_emails[-1].text, "confirm")

    return sign_up


def where(answer: TestResponse) -> str | None:
    return answer.headers.get("Location")


def test_the_page_leads_to_the_log_in_and_the_link_opens_the_account_in_the_same_browser(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    client = make_app(WTF_CSRF_ENABLED=True).test_client()
    form = BOB | {"csrf_token": csrf_token(client, "/signup")}
    answer = client.post("/signup", data=form, follow_redirects=True)
    assert answer.request.path == "/login"
    assert "We sent you an email" in answer.text
    assert "Just signed up?" in client.get("/login").text, "and not only until the next page"
    message = assert_email_sent(outbox_emails, to="bob@example.com", subject="Welcome, Bob")
    link = link_in(message.text, "confirm")
    page = client.get(link)
    assert 'type="password"' not in page.text
    assert "confirm.js" in page.text
    confirmed = client.post(link, data={"csrf_token": csrf_token(client, link)})
    assert where(confirmed) == "/account"
    account = client.get("/account")
    assert "Your address is confirmed" in account.text
    assert "bob@example.com" in account.text
    again = client.get(link)
    assert 'href="/account">' in again.text.split("This link no longer works")[-1]
    client.post("/logout", data={"csrf_token": csrf_token(client, "/account")})
    assert "Just signed up?" not in client.get("/login").text


def test_whoever_signs_up_with_somebody_elses_address_does_not_get_in_when_the_owner_confirms(
    app: Flask, sign_up: SignUp
):
    attacker, owner = app.test_client(), app.test_client()
    link = sign_up(attacker)
    assert not opens(attacker, "bob@example.com", BOB["password"])
    page = owner.get(link)
    assert 'type="password"' in page.text
    assert "confirm.js" not in page.text
    assert "in another browser" in page.text, "why it asks for a password once more"
    assert owner.post(link, data={}).status_code == 400
    assert stored(app, User) == 0
    assert where(owner.post(link, data=NEW)) == "/account"
    assert attacker.get("/account").status_code == 302
    assert not opens(attacker, "bob@example.com", BOB["password"])
    assert opens(owner, "bob@example.com", NEW["password"])


def test_another_sign_up_of_ones_own_is_not_the_one_that_is_confirmed(app: Flask, sign_up: SignUp):
    attacker, owner = app.test_client(), app.test_client()
    link = sign_up(owner)
    sign_up(attacker)
    assert attacker.post(link, data={}).status_code == 400, "a password of a browser's own"
    assert where(owner.post(link)) == "/account"
    assert stored(app, Signup) == 0, "the attacker's is gone as well"
    assert not opens(attacker, "bob@example.com", NEW["password"])


def test_looking_at_the_link_changes_nothing_in_any_browser_and_posting_works_once(
    app: Flask, client: FlaskClient, sign_up: SignUp
):
    link = sign_up(client)
    before = [stored(app, table) for table in (Signup, User, OutboxEmail)]
    for browser in (client, app.test_client()):
        for _ in range(3):
            assert browser.head(link).status_code == 200
            assert browser.get(link).status_code == 200
    assert [stored(app, table) for table in (Signup, User, OutboxEmail)] == before
    assert where(client.post(link)) == "/account"
    for browser in (client, app.test_client()):
        used = (browser.get(link), browser.post(link, data=NEW))
        assert {each.status_code for each in used} == {400}
    assert opens(client, "bob@example.com", BOB["password"])


def test_before_the_address_is_confirmed_nobody_gets_in_and_marketing_knows_nothing(
    any_app: Flask,
    sign_up: SignUp,
    outbox_emails: list[EmailMessage],
    scheduled_emails: list[EmailMessage],
):
    client = any_app.test_client()
    link = sign_up(client)
    waiting, unknown = (
        client.post("/login", data={"email": each, "password": BOB["password"]})
        for each in ("bob@example.com", "nob@example.com")
    )
    assert waiting.status_code == 400
    assert waiting.text.replace("bob@", "") == unknown.text.replace("nob@", "")
    assert stored(any_app, User) == 0
    assert (changes(any_app), scheduled_emails) == ([], [])

    before = utc_now()
    assert where(client.post(link)) == "/account"
    [later] = scheduled_emails
    assert (later.kind, later.category) == ("onboarding-day-3", "marketing")
    assert later.send_at
    assert timedelta(0) <= later.send_at - before - timedelta(days=3) < timedelta(minutes=1)
    assert changes(any_app) == [("subscribe", "bob@example.com", "Bob")]
    assert [each.kind for each in outbox_emails] == ["welcome"]


@pytest.mark.parametrize(("age", "status"), [(86_000, 200), (86_410, 400)])
def test_a_link_is_good_for_a_day(
    client: FlaskClient, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch, age: int, status: int
):
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - age)
        link = sign_up(client)
    assert client.get(link).status_code == status


def test_every_useless_token_gets_the_same_page_and_changes_nothing(
    app: Flask, client: FlaskClient, sign_up: SignUp, outbox_emails: list[EmailMessage]
):
    link = sign_up(client)
    user = add_user(app, "ann@example.com", "Ann")
    client.post("/api/password-reset", json={"email": user.email})
    other = link_in(outbox_emails[-1].text, "reset-password").partition("token=")[2]
    token = link.removeprefix("/confirm/")
    payload, stamp, signature = token.rsplit(".", 2)
    useless = [
        "x", "a.b.c", ".", "%00", "%ff", "é", "a" * 5000, token[:-2], token + "A", token * 2, other,
        f"{payload}.{signature}.{stamp}", f".{stamp}.{signature}", token.swapcase(),
    ]  # fmt: skip
    pages = set()
    for each in useless:
        for answer in (client.get(f"/confirm/{each}"), client.post(f"/confirm/{each}", data=NEW)):
            assert (each, answer.status_code) == (each, 400)
            pages.add(answer.text)
    assert len(pages) == 1
    assert where(client.post(link)) == "/account"


def test_a_link_used_several_times_at_once_works_once(any_app: Flask, sign_up: SignUp):
    link = sign_up(any_app.test_client())
    answers = at_once(
        3, lambda n: any_app.test_client().post(link, data={"password": f"{n} is mine"})
    )
    assert stored(any_app, User) == 1
    # The others find the link used, or the account there.
    assert [where(each) for each in answers].count("/account") == 1
    assert {each.status_code for each in answers if where(each) is None} <= {400}


def test_two_sign_ups_for_one_address_confirmed_at_once_are_one_account(
    any_app: Flask, sign_up: SignUp
):
    browsers = [any_app.test_client() for _ in range(2)]
    links = [sign_up(each) for each in browsers]
    answers = at_once(2, lambda n: browsers[n].post(links[n]))
    assert [where(each) for each in answers].count("/account") == 1
    assert (stored(any_app, User), stored(any_app, Signup)) == (1, 0)


def test_an_address_that_has_an_account_meanwhile_leads_to_the_log_in(
    app: Flask, client: FlaskClient, sign_up: SignUp, scheduled_emails: list[EmailMessage]
):
    link = sign_up(client)
    add_user(app, "bob@example.com", "The owner")
    answer = client.post(link, follow_redirects=True)
    assert answer.request.path == "/login"
    assert "has an account already" in answer.text
    assert (stored(app, User), stored(app, Signup), scheduled_emails) == (1, 0, [])


@pytest.mark.parametrize("path", ["/api/password-reset", "/api/signup"])
def test_who_has_lost_the_link_gets_another(
    client: FlaskClient, sign_up: SignUp, outbox_emails: list[EmailMessage], path: str
):
    first = sign_up(client)
    client.post(path, json={"email": "bob@example.com", "name": "Bob"})
    assert [each.kind for each in outbox_emails] == ["welcome"] * 2
    second = link_in(outbox_emails[1].text, "confirm")
    for link in (first, second):
        assert client.get(link).status_code == 200
    assert where(client.post(second, data=NEW)) == "/account"
    assert client.get(first).status_code == 400


def test_the_page_keeps_its_token_to_itself(client: FlaskClient, sign_up: SignUp):
    link = sign_up(client)
    for answer in (client.get(link), client.post(f"{link}x"), client.get(f"{link}x")):
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r'(src|href)="(https?:)?//', answer.text)


def test_the_link_leads_to_app_url_is_secret_and_ends_with_its_email(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    client = make_app(APP_URL="https://shop.example.com").test_client()
    headers = {"Host": "localhost:99", "X-Forwarded-Host": "evil.example"}
    client.post("/api/signup", json=BOB, headers=headers)
    [message] = outbox_emails
    assert "https://shop.example.com/confirm/" in message.text
    assert "evil" not in message.text + message.html
    assert message.sensitive
    assert message.expires_at
    assert timedelta(hours=23) < message.expires_at - utc_now() <= timedelta(hours=24)
