"""What strangers can make us send to somebody else: little, and never at the owner's expense."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from database import db, limits
from message import EmailMessage
from models import Signup, User
from outbox import OutboxEmail
from tests.blueprints.conftest import add_user, at_once, outbox_rows, same_answer, stored
from tests.conftest import MakeApp


def sign_up(app: Flask, email: str, name: str = "Ann") -> TestResponse:
    return app.test_client().post("/api/signup", json={"email": email, "name": name})


def states(app: Flask, kind: str) -> list[str]:
    """What became of the emails of a kind, oldest first."""
    return [row.state for row in outbox_rows(app) if row.kind == kind]


def pass_time(app: Flask, time: timedelta) -> None:
    """Let what counts towards limits be so much older."""
    with app.app_context():
        for use in db.session.scalars(select(limits.LimitUse)):
            use.until -= time
        db.session.commit()


def test_strangers_who_sign_up_with_an_address_leave_its_owner_the_reset_links(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    add_user(any_app, "ann@example.com", "Ann")
    for _ in range(5):
        sign_up(any_app, "ann@example.com")
    client = any_app.test_client()
    answers = [
        client.post("/api/password-reset", json={"email": "ann@example.com"}) for _ in range(4)
    ]
    assert states(any_app, "password-reset") == ["queued"] * 3 + ["suppressed"]
    assert same_answer(answers[0], answers[3])


def test_an_owner_is_told_once_a_day_of_the_account(
    app: Flask, ann: User, outbox_emails: list[EmailMessage]
):
    for _ in range(3):
        assert sign_up(app, "ann@example.com").status_code == 201
    assert states(app, "account-exists") == ["queued"] + ["suppressed"] * 2
    pass_time(app, limits.DAY)
    sign_up(app, "ann@example.com")
    assert states(app, "account-exists")[3:] == ["queued"]


def test_other_spellings_of_a_mailbox_count_as_that_mailbox(
    app: Flask, outbox_emails: list[EmailMessage]
):
    for address in ("ann@gmail.com", "a.n.n@gmail.com", "ann+1@googlemail.com", "Ann+2@gmail.com"):
        sign_up(app, address)
    sign_up(app, "anna@gmail.com")
    assert states(app, "welcome") == ["queued"] * 3 + ["suppressed", "queued"]


def test_nobody_without_an_account_gets_more_than_six_emails_a_day_from_strangers(
    app: Flask, outbox_emails: list[EmailMessage]
):
    for _ in range(4):
        for _ in range(4):
            sign_up(app, "ann@example.com")
        pass_time(app, limits.HOUR)
    assert states(app, "welcome").count("queued") == 6
    pass_time(app, limits.DAY)
    sign_up(app, "ann@example.com")
    assert states(app, "welcome")[-1] == "queued"


def test_a_domain_gets_so_many_sign_ups_an_hour_and_no_answer_tells_who_has_an_account(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    app = make_app(SIGNUPS_PER_DOMAIN=2)
    add_user(app, "ann@acme.example.com", "Ann")
    taken = [sign_up(app, f"{name}@acme.example.com").status_code for name in ("ann", "x")]
    refused = [sign_up(app, f"{name}@acme.example.com") for name in ("ann", "new")]
    assert taken == [201, 201]
    assert [each.status_code for each in refused] == [429, 429]
    assert same_answer(*refused)
    assert refused[0].headers["Retry-After"] == "3600"
    assert "acme.example.com" in refused[0].get_json()["error"]
    assert stored(app, Signup) == 1
    assert sign_up(app, "ann@other.example.com").status_code == 201
    for name in ("ann", "bob", "eve"):
        assert sign_up(app, f"{name}@gmail.com").status_code == 201
        assert sign_up(app, f"{name}@yahoo.co.uk").status_code == 201
    pass_time(app, limits.DAY)
    assert sign_up(app, "new@acme.example.com").status_code == 201


def test_the_sign_up_page_says_that_a_domain_has_had_enough(make_app: MakeApp):
    app = make_app(SIGNUPS_PER_DOMAIN=1)
    sign_up(app, "ann@acme.example.com")
    form = {"name": "Bob", "email": "bob@acme.example.com", "password": "long enough"}
    page = app.test_client().post("/signup", data=form)
    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert "try again later" in page.text


def test_of_many_at_once_exactly_as_many_get_through_as_the_limits_allow(
    any_app: Flask, outbox_emails: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(any_app.config, "SIGNUPS_PER_DOMAIN", 5)
    add_user(any_app, "ann@example.com", "Ann")

    def reset(_: int) -> TestResponse:
        body = {"email": "ann@example.com"}
        return any_app.test_client().post("/api/password-reset", json=body)

    at_once(16, reset)
    signed_up = at_once(16, lambda number: sign_up(any_app, f"{number}@acme.example.com"))
    assert sorted(states(any_app, "password-reset")) == ["queued"] * 3 + ["suppressed"] * 13
    assert sorted(each.status_code for each in signed_up) == [201] * 5 + [429] * 11
    assert stored(any_app, OutboxEmail) == 16 + 5


TURNS = ("\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069")


@pytest.mark.parametrize("character", [*TURNS, "\x80", "\x9b", "\x9f"])
def test_a_name_that_turns_the_text_or_controls_a_terminal_is_refused_by_name(
    app: Flask, character: str
):
    fields = {"name": f"Ann{character}eve", "email": "ann@example.com", "password": "long enough"}
    refused = app.test_client().post("/api/signup", json=fields)
    assert (refused.status_code, set(refused.get_json()["fields"])) == (422, {"name"})
    page = app.test_client().post("/signup", data=fields)
    assert page.status_code == 400
    assert refused.get_json()["fields"]["name"] in page.text
    assert (stored(app, Signup), stored(app, OutboxEmail)) == (0, 0)
