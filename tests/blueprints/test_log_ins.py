"""Guessing passwords: a count for each account that locks no owner out and tells nothing."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, update
from werkzeug.security import check_password_hash, generate_password_hash

import outbox
from blueprints import passwords
from database import db, limits, utc_now
from message import EmailMessage
from models import User
from tests.blueprints.conftest import PASSWORD, add_user, at_once, stored
from tests.blueprints.test_password_reset import NEW, ask_for_link
from tests.conftest import MakeApp

ANN, NOBODY = "ann@example.com", "nob@example.com"  # of the same length, for their answers
WRONG = "not the password"


def guess(client: FlaskClient, email: str = ANN, password: str = WRONG) -> bool:
    """Whether a log-in is let in."""
    answer = client.post("/login", data={"email": email, "password": password})
    assert answer.status_code in (302, 400)
    return answer.status_code == 302


def opens(client: FlaskClient, password: str = PASSWORD) -> bool:
    return guess(client, ANN, password)


@pytest.fixture
def guessed(any_app: Flask) -> Flask:
    """An app with Ann's account and a stranger who has guessed 20 times."""
    add_user(any_app, ANN, "Ann")
    assert not any(guess(any_app.test_client()) for _ in range(20))
    return any_app


def an_hour_later(app: Flask) -> None:
    with app.app_context():
        db.session.execute(update(limits.LimitUse).values(until=utc_now() - timedelta(seconds=1)))
        db.session.commit()


def test_after_20_failures_in_an_hour_no_password_opens_the_account(guessed: Flask):
    stranger = guessed.test_client()
    right = stranger.post("/login", data={"email": ANN, "password": PASSWORD})
    wrong = guessed.test_client().post("/login", data={"email": NOBODY, "password": PASSWORD})
    assert right.status_code == 400
    assert right.text.replace(ANN, "") == wrong.text.replace(NOBODY, "")
    add_user(guessed, "bob@example.com", "Bob")
    assert guess(stranger, "bob@example.com", PASSWORD)
    an_hour_later(guessed)
    assert opens(stranger)


def test_what_succeeds_is_not_counted(app: Flask, ann: User):
    client = app.test_client
    assert not any(guess(client()) for _ in range(19))
    assert all(opens(client()) for _ in range(5))
    assert opens(client())
    assert not guess(client())
    assert not opens(client())


def test_exactly_20_of_many_guesses_at_once_are_looked_at(
    any_app: Flask, caplog: pytest.LogCaptureFixture
):
    add_user(any_app, ANN, "Ann")
    caplog.set_level(logging.INFO)
    at_once(
        40, lambda _: any_app.test_client().post("/login", data={"email": ANN, "password": "x"})
    )
    assert stored(any_app, limits.LimitUse) == 20
    said = [record.__dict__.get("event") for record in caplog.records]
    assert (said.count("log_in_failed"), said.count("log_in_locked")) == (20, 20)


def test_a_browser_that_was_let_in_before_has_a_count_of_its_own(any_app: Flask):
    add_user(any_app, ANN, "Ann")
    home, stranger = any_app.test_client(), any_app.test_client()
    assert opens(home)
    home.post("/logout")
    assert not any(guess(stranger) for _ in range(25))
    assert opens(home), "a stranger locked the owner out"
    assert not any(guess(home) for _ in range(20))
    assert not opens(home)
    an_hour_later(any_app)
    assert not any(guess(home) for _ in range(20))
    assert opens(stranger), "the owner's typing errors count for others"


def test_a_browser_can_be_known_to_several_accounts_and_only_to_those(app: Flask, ann: User):
    add_user(app, "bob@example.com", "Bob")
    home = app.test_client()
    assert opens(home)
    assert guess(home, "bob@example.com", PASSWORD)
    eve = app.test_client()
    add_user(app, "eve@example.com", "Eve")
    assert guess(eve, "eve@example.com", PASSWORD)
    assert not any(guess(app.test_client()) for _ in range(20))
    assert not opens(eve), "a cookie of one's own account opened a new count for another's"
    assert opens(home)


@pytest.mark.parametrize("change", [lambda cookie: cookie.swapcase(), lambda _: "x", lambda _: ""])
def test_a_cookie_that_we_did_not_sign_makes_no_browser_known(
    app: Flask, ann: User, change: Callable[[str], str]
):
    home = app.test_client()
    assert opens(home)
    cookie = home.get_cookie("device")
    assert cookie
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Lax", "/")
    assert "ann" not in cookie.value
    stranger = app.test_client()
    stranger.set_cookie("device", change(cookie.value))
    assert not any(guess(stranger) for _ in range(20))
    assert not opens(app.test_client())
    assert opens(home)


def test_over_https_the_cookie_belongs_to_our_host_alone(make_app: MakeApp):
    app = make_app(APP_URL="https://shop.example.com")
    add_user(app, ANN, "Ann")
    form = {"email": ANN, "password": PASSWORD}
    answer = app.test_client().post("/login", data=form, base_url="https://shop.example.com")
    [cookie] = [each for each in answer.headers.getlist("Set-Cookie") if "device" in each]
    assert cookie.startswith("__Host-device=")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie


def test_who_resets_the_password_gets_in_whatever_strangers_do(
    guessed: Flask, outbox_emails: list[EmailMessage]
):
    owner = guessed.test_client()
    link = ask_for_link(owner, outbox_emails, ANN)
    assert owner.post(link, data=NEW).status_code == 302
    assert opens(owner, NEW["password"])
    assert not opens(guessed.test_client(), NEW["password"])


@contextmanager
def watched(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of the database, and each hashing with its method."""
    seen: list[str] = []
    check = check_password_hash

    def hashing(stored_hash: str, password: str) -> bool:
        seen.append(stored_hash.partition("$")[0])
        return check(stored_hash, password)

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(passwords, "check_password_hash", hashing)
        event.listen(db.engine, "before_cursor_execute", executed)
        yield seen
        event.remove(db.engine, "before_cursor_execute", executed)


@pytest.mark.parametrize("failures", [0, 20], ids=["free", "locked"])
def test_a_known_and_an_unknown_address_cost_the_same_and_look_the_same(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch, failures: int
):
    add_user(any_app, ANN, "Ann")
    add_user(any_app, "pat@example.com", "Pat", password_hash=None)
    for _ in range(2):  # as a process that has read the salt
        guess(any_app.test_client(), "first@example.com")
    answers, work = [], []
    for email in (ANN, NOBODY, "pat@example.com"):
        for _ in range(failures):
            guess(any_app.test_client(), email)
        with watched(any_app, monkeypatch) as seen:
            answer = any_app.test_client().post("/login", data={"email": email, "password": "x"})
        answers.append((answer.status_code, answer.text.replace(email, ""), dict(answer.headers)))
        work.append(seen)
    assert work[0] == work[1] == work[2]
    assert work[0].count(passwords.QUICK_METHOD) == 1
    assert answers[0] == answers[1] == answers[2]


def test_a_right_password_of_a_locked_account_does_what_a_wrong_one_does(
    guessed: Flask, monkeypatch: pytest.MonkeyPatch
):
    work = []
    for password in (PASSWORD, "wrong"):
        with watched(guessed, monkeypatch) as seen:
            guess(guessed.test_client(), ANN, password)
        work.append(seen)
    assert work[0] == work[1]


def test_old_failures_go_with_housekeeping(guessed: Flask):
    an_hour_later(guessed)
    assert not guess(guessed.test_client())
    with guessed.app_context():
        outbox.housekeeping.run_steps()
    assert stored(guessed, limits.LimitUse) == 1


def test_every_step_is_logged_and_no_line_holds_the_address(
    app: Flask, ann: User, caplog: pytest.LogCaptureFixture, outbox_emails: list[EmailMessage]
):
    caplog.set_level(logging.INFO)
    client = app.test_client()
    assert not guess(client)
    assert opens(client)
    client.post("/logout")
    link = ask_for_link(client, outbox_emails, ANN)
    client.post(link, data=NEW)
    told = {"log_in_failed", "logged_in", "logged_out", "reset_asked", "password_changed"}
    lines = [record for record in caplog.records if record.__dict__.get("event") in told]
    assert [record.__dict__["event"] for record in lines] == [
        "log_in_failed", "logged_in", "logged_out", "reset_asked", "password_changed",
    ]  # fmt: skip
    assert len({record.getMessage().partition("account=")[2] for record in lines}) == 1
    assert re.fullmatch("account log_in_failed account=[0-9a-f]{12}", lines[0].getMessage())
    assert ANN.partition("@")[0] not in "".join(record.getMessage() for record in lines)


def test_an_hash_of_lower_cost_is_made_anew_by_the_log_in(any_app: Flask):
    cheap = generate_password_hash(PASSWORD, "pbkdf2:sha256:2")
    user = add_user(any_app, ANN, "Ann", cheap)

    def kept() -> str | None:
        with any_app.app_context():
            return db.session.get_one(User, user.id).password_hash

    client = any_app.test_client()
    assert not guess(client)
    assert kept() == cheap
    assert opens(client)
    renewed = kept()
    assert renewed
    assert renewed.startswith(f"{passwords.QUICK_METHOD}$")
    assert client.get("/account").status_code == 200
    assert opens(client)
    assert kept() == renewed
