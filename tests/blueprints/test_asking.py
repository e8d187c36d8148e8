"""What is asked by typing an address: the request does the same for all, delivery the rest."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update
from werkzeug.test import TestResponse

import outbox
from database import db, utc_now
from models import Signup, User
from outbox import OutboxRow, OutboxStep, suppression
from tests.blueprints.conftest import add_user, link_in, outbox_rows, same_answer, stored

ADDRESSES = {
    "known": "ann@example.com",
    "known without a password": "new@example.com",
    "waiting to be confirmed": "wai@example.com",
    "suppressed": "sup@example.com",
    "unknown": "unk@example.com",
}
WAYS: dict[str, Callable[[FlaskClient, str], TestResponse]] = {
    "sign-up page": lambda client, email: client.post("/signup", data=form(email)),
    "sign-up in JSON": lambda client, email: client.post("/api/signup", json=form(email)),
    "reset page": lambda client, email: client.post("/forgot-password", data={"email": email}),
    "reset in JSON": lambda client, email: client.post("/api/password-reset", json=form(email)),
    "log-in": lambda client, email: client.post("/login", data=form(email)),
}


def form(email: str) -> dict[str, str]:
    return {"name": "Eve", "email": email, "password": "a strangers guess"}


@pytest.fixture
def threads(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The app as with threads, of which none runs; somebody is behind each of the addresses."""
    monkeypatch.setitem(any_app.config, "EMAIL_DELIVERY", "thread")
    add_user(any_app, ADDRESSES["known"], "Ann")
    add_user(any_app, ADDRESSES["known without a password"], "New", password_hash=None)
    with any_app.app_context():
        db.session.add(Signup(email=ADDRESSES["waiting to be confirmed"], name="Wai"))
        suppression.suppress(
            db.session(), ADDRESSES["suppressed"], "all", reason="test", source="test"
        )
        db.session.commit()
    return any_app


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What the block says to the database, without the values."""
    said: list[str] = []

    def note(*arguments: Any) -> None:
        said.append(str(arguments[2]) if len(arguments) > 2 else "end")

    with app.app_context():
        engine = db.engine
    heard = ("before_cursor_execute", "commit", "rollback")
    for name in heard:
        event.listen(engine, name, note)
    try:
        yield said
    finally:
        for name in heard:
            event.remove(engine, name, note)


@pytest.mark.parametrize("way", WAYS)
def test_the_request_does_and_says_the_same_whoever_has_the_address(threads: Flask, way: str):
    answers: dict[str, TestResponse] = {}
    done: dict[str, list[str]] = {}
    for email in ("first@example.com", "second@example.com"):  # a new process asks more
        WAYS[way](threads.test_client(), email)
    for who, email in ADDRESSES.items():
        with statements(threads) as done[who]:
            answers[who] = WAYS[way](threads.test_client(), email)
    assert done["unknown"]
    for who, email in ADDRESSES.items():
        assert done[who] == done["unknown"], who
        answers[who].text = answers[who].text.replace(email, "unk@example.com")
        assert same_answer(answers[who], answers["unknown"]), who
    assert outbox_rows(threads) == []


def answer_now(app: Flask) -> None:
    """Let the time of what was asked come, and do it."""
    with app.app_context():
        db.session.execute(update(OutboxRow).values(due_at=utc_now()))
        ids = db.session.scalars(select(OutboxStep.id)).all()
        db.session.commit()
        assert outbox.deliver(*ids) == len(ids)


@pytest.mark.parametrize(
    ("way", "emails"),
    [
        ("sign-up page", {"ann": "account-exists", "new": "account-exists", "wai": "welcome",
                          "sup": "welcome", "unk": "welcome"}),
        ("reset in JSON", {"ann": "password-reset", "new": "password-reset", "wai": "welcome"}),
    ],
)  # fmt: skip
def test_delivery_finds_out_who_it_is_and_answers_once(
    threads: Flask, way: str, emails: dict[str, str]
):
    for email in ADDRESSES.values():
        WAYS[way](threads.test_client(), email)
    assert stored(threads, OutboxStep) == len(ADDRESSES)
    answer_now(threads)
    assert stored(threads, OutboxStep) == 0
    rows = outbox_rows(threads)
    assert {row.recipient[:3]: row.kind for row in rows} == emails
    assert len(rows) == len(emails)
    origin = "accounts.signup" if way == "sign-up page" else "api.password_reset"
    assert {row.origin for row in rows} == {origin}
    assert {row.recipient: row.state for row in rows if row.state != "queued"} == (
        {"sup@example.com": "suppressed"} if "sup" in emails else {}
    )


def test_a_sign_up_that_was_answered_later_is_confirmed_like_any(threads: Flask):
    client = threads.test_client()
    for email in (ADDRESSES["unknown"], ADDRESSES["known"]):
        assert WAYS["sign-up page"](client, email).status_code == 302
    answer_now(threads)
    assert stored(threads, Signup) == 2, "for the account there is none, and nothing waits"
    [welcome] = [row for row in outbox_rows(threads) if row.kind == "welcome"]
    with threads.app_context():
        text = db.session.merge(welcome).message["text"]
    link = link_in(text, "confirm")
    assert client.post(link, data={"password": "a new password"}).headers["Location"] == "/account"
    assert stored(threads, User) == 3


def test_what_was_asked_of_somebody_who_was_forgotten_is_not_answered(threads: Flask):
    WAYS["sign-up page"](threads.test_client(), ADDRESSES["unknown"])
    with threads.app_context():
        db.session.query(Signup).delete()
        db.session.commit()
    answer_now(threads)
    assert outbox_rows(threads) == []


def test_the_moment_of_the_answer_is_not_to_be_foreseen(
    threads: Flask, monkeypatch: pytest.MonkeyPatch
):
    enqueue_step, waits = outbox.enqueue_step, []

    def noted(*arguments: Any, wait: float, **more: Any) -> OutboxStep:
        waits.append(wait)
        return enqueue_step(*arguments, wait=wait, **more)

    monkeypatch.setattr(outbox, "enqueue_step", noted)
    for _ in range(9):
        WAYS["reset in JSON"](threads.test_client(), ADDRESSES["known"])
    assert len({*waits}) == 9
    assert 0.2 <= min(waits) < max(waits) <= 0.7
