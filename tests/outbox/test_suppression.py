"""Addresses that must not be written to, tested in the claim itself. On both databases."""

import pytest
from flask import Flask

from database import transaction
from outbox.delivery import finish
from outbox.suppression import addresses_of, lift, suppressed
from outbox.tables import State
from tests.outbox.conftest import app as app
from tests.outbox.rows import answer, claim, queue, row, stop, story, yes


def test_an_address_suppressed_after_the_email_was_queued_gets_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(to="Ann@Example.com")
    assert stop("ann@example.com")
    called = answer(monkeypatch, yes())
    finish(claim(5))
    assert called == []
    assert row(email_id).state == State.SUPPRESSED
    assert row(email_id).last_error == "a***@example.com: hard bounce"


@pytest.mark.parametrize(
    ("category", "expected"),
    [("marketing", State.SUPPRESSED), ("transactional", State.ACCEPTED)],
)
def test_marketing_alone_can_be_stopped(
    app: Flask, monkeypatch: pytest.MonkeyPatch, category: str, expected: State
):
    email_id = queue(category=category)
    stop("ann@example.com", "marketing")
    answer(monkeypatch, yes())
    finish(claim(5))
    assert row(email_id).state == expected


def test_one_of_several_recipients_is_left_out_and_noted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(to=["ann@example.com", "bob@example.com"], bcc="eve@example.com")
    stop("ann@example.com")
    stop("eve@example.com")
    claim(5)
    stored = row(email_id).message
    assert [each["email"] for each in stored["to"]] == ["bob@example.com"]
    assert stored["bcc"] == []
    assert ("left_out", "a***@example.com: hard bounce; e***@example.com: hard bounce") in story(
        email_id
    )


def test_suppressing_twice_is_once_and_lifting_allows_again(app: Flask):
    assert (stop("ann@example.com"), stop("ANN@example.com")) == (True, False)
    with transaction() as session:
        both = {"to": [{"email": "Ann@example.com"}, {"email": "b@example.com"}]}
        left, who = suppressed(session, addresses_of(both)).filter(both, "transactional")
        assert left["to"] == [{"email": "b@example.com"}]
        assert who == "A***@example.com: hard bounce"
        assert (lift(session, "Ann@example.com"), lift(session, "ann@example.com")) == (True, False)
