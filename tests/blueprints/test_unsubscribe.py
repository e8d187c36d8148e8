"""The way out of marketing: a link that only asks, and a POST that acts (RFC 8058)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import emails
import outbox
from background import send_in_background
from database import db, utc_now
from errors import InvalidMessage
from extensions import email
from message import EmailMessage
from outbox import State, Suppression
from tests.blueprints.conftest import PRODUCTION, outbox_rows, stored
from tests.conftest import MakeApp

ADDRESS = "Ann+x@example.com"


def link_path(app: Flask, address: str = ADDRESS) -> str:
    with app.app_context():
        return email.unsubscribe_links.url(address).removeprefix(app.config["APP_URL"])


def enqueue(app: Flask, message: EmailMessage) -> str:
    with app.app_context():
        row = send_in_background(message)
        state = row.state
        db.session.commit()
    return state


def newsletter(**fields: Any) -> EmailMessage:
    base = {"to": ADDRESS, "subject": "News", "html": "<p>News</p>", "category": "marketing"}
    return EmailMessage(**{**base, **fields})


def test_looking_at_the_link_changes_nothing_however_often(app: Flask, client: FlaskClient):
    path = link_path(app)
    for _ in range(10):
        page, head = client.get(path), client.head(path)
        assert (page.status_code, head.status_code) == (200, 200)
    assert "a***@example.com" in page.text
    assert '<form class="card" method="post">' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert stored(app, Suppression) == 0


@pytest.mark.parametrize("body", [{"List-Unsubscribe": "One-Click"}, {}], ids=["client", "page"])
def test_a_post_acts_at_once_without_cookies_tokens_or_redirects(make_app: MakeApp, body):
    app = make_app(WTF_CSRF_ENABLED=True)
    answer = app.test_client(use_cookies=False).post(link_path(app), data=body)
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert "Set-Cookie" not in answer.headers
    with app.app_context():
        [row] = db.session.query(Suppression).all()
        assert (row.address, row.scope, row.reason) == (
            ADDRESS.lower(), "marketing", "unsubscribed",
        )  # fmt: skip


def test_it_stops_marketing_and_lets_everything_else_through(app: Flask, client: FlaskClient):
    later = newsletter(send_at=utc_now() + timedelta(days=3))
    assert enqueue(app, later) == State.QUEUED
    client.post(link_path(app))
    [waiting] = outbox_rows(app)
    assert waiting.state == State.CANCELLED
    assert enqueue(app, newsletter()) == State.SUPPRESSED
    with app.app_context():
        reset = emails.password_reset(to=ADDRESS, reset_url="https://app.example.com/r")
    assert enqueue(app, reset) == State.QUEUED


def test_twice_is_fine_and_the_provider_is_told_once(any_app: Flask):
    client = any_app.test_client()
    path = link_path(any_app)
    assert [client.post(path).status_code for _ in range(3)] == [200] * 3
    with any_app.app_context():
        [change] = outbox.reading.recent(db.session(), outbox.OutboxChange)
        assert (change.kind, change.recipient) == ("unsubscribe", ADDRESS.lower())


def test_a_token_that_is_not_ours_is_404_and_changes_nothing(app: Flask, client: FlaskClient):
    path = link_path(app)
    token = path.rsplit("/", 1)[1]
    forged = [
        token[:-1],
        token + "A",
        "A" * len(token),
        "x",
        "%00",
        "ann@example.com",
        "é",
        "=" * 8,
        "A" * 5000,
        *(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(20)),
    ]
    statuses = {client.post(f"/unsubscribe/{each}").status_code for each in forged}
    statuses |= {client.get(f"/unsubscribe/{each}").status_code for each in forged}
    assert statuses == {404}
    assert stored(app, Suppression) == 0


def test_another_secret_key_knows_nothing_of_the_link(app: Flask, make_app: MakeApp):
    other = make_app(SECRET_KEY="another key")
    assert other.test_client().post(link_path(app)).status_code == 404


def test_the_link_is_the_same_each_time_and_tells_nothing_about_the_address(app: Flask):
    with app.app_context():
        links = {email.unsubscribe_links.url(each) for each in (ADDRESS, ADDRESS.lower(), ADDRESS)}
        assert len(links) == 1
        token = links.pop().rsplit("/", 1)[1]
        assert email.unsubscribe_links.address_of(token) == ADDRESS.lower()
    assert re.fullmatch(r"[\w-]+", token, re.ASCII)
    assert "ann" not in token.lower()


def test_marketing_carries_the_headers_and_the_link_and_nothing_else_does(
    app: Flask, outbox_emails: list[EmailMessage]
):
    with app.app_context():
        send_in_background(emails.onboarding_day_3(to=ADDRESS, name="Ann"))
        send_in_background(emails.welcome(to=ADDRESS, name="Ann"))
        db.session.commit()
        url = email.unsubscribe_links.url(ADDRESS)
    onboarding, welcome = outbox_emails
    assert onboarding.headers == {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert url in onboarding.html
    assert url in onboarding.text
    assert welcome.headers == {}
    assert "unsubscribe" not in (welcome.html + welcome.text).lower()


def test_marketing_goes_to_one_person_at_a_time(app: Flask):
    for several in ({"to": ["a@example.com", "b@example.com"]}, {"bcc": "b@example.com"}):
        with app.app_context(), pytest.raises(InvalidMessage, match="one address at a time"):
            email.complete(newsletter(**several))


def test_headers_of_your_own_stay(app: Flask):
    own = {"list-unsubscribe": "<https://lists.example.com/out>"}
    with app.app_context():
        assert email.complete(newsletter(headers=own)).headers == own


def test_in_production_the_link_leads_to_the_public_address(make_app: MakeApp):
    app = make_app(**PRODUCTION | {"APP_URL": "https://app.example.com"})
    with app.app_context():
        assert email.unsubscribe_links.url(ADDRESS).startswith(
            "https://app.example.com/unsubscribe/"
        )


def test_a_provider_without_subscribers_is_no_obstacle(make_app: MakeApp):
    app = make_app(SUBSCRIBERS_ENABLED="false")
    assert app.test_client().post(link_path(app)).status_code == 200
