"""A refused key pauses the provider for all; a refusal that one email alone gets is its own."""

from datetime import timedelta

import pytest
from attrs import evolve
from flask import Flask
from sqlalchemy import update

import outbox
from database import transaction, utc_now
from email_service import EmailService
from errors import AuthenticationFailed, EmailSendError, InvalidMessage
from outbox.breaker import availability, load_states
from outbox.delivery import finish
from outbox.outcomes import MAX_ATTEMPTS
from outbox.tables import ProviderState, State
from providers import Receipt
from tests.outbox.rows import answer, change, claim, queue, row, story, yes

SENDER = AuthenticationFailed("403: the from address is not verified", 403)


def only(app: Flask, provider: str) -> None:
    app.extensions["email"] = evolve(app.extensions["email"], chain=(provider,))


def paused(name: str = "sendgrid") -> bool:
    with transaction() as session:
        state = load_states(session).get(name)
    return bool(state and state.open_until)


def found_well(name: str = "sendgrid") -> None:
    """Somebody found out that the provider takes emails again."""
    with transaction() as session:
        values = {"open_until": None, "probe_until": None, "failures": 0}
        session.execute(update(ProviderState).where(ProviderState.name == name).values(values))


def deliver(email_id: str) -> None:
    change(email_id, due_at=utc_now() - timedelta(seconds=1))
    outbox.deliver(email_id)


def test_one_emails_own_refusal_pauses_the_provider_once_and_not_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    only(app, "sendgrid")
    refused = queue()
    answer(monkeypatch, SENDER)
    deliver(refused)
    assert paused()  # it may have been the key
    found_well()
    for _ in range(5):
        answer(monkeypatch, yes("sendgrid"), SENDER)
        deliver(queue())
        deliver(refused)
        assert not paused()
    assert (row(refused).state, row(refused).attempts) == (State.QUEUED, 5)


def test_an_email_that_is_refused_alone_fails_in_the_end_with_the_providers_words(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    only(app, "sendgrid")
    refused = queue()
    answer(monkeypatch, SENDER, yes("sendgrid"), SENDER)
    deliver(refused)
    found_well()
    deliver(queue())
    change(refused, attempts=MAX_ATTEMPTS - 1)
    deliver(refused)
    assert row(refused).state == State.FAILED
    assert "from address is not verified" in str(row(refused).last_error)


def test_a_key_that_is_refused_again_after_it_worked_pauses_the_provider(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """Another email that was never refused before is the one that notices."""
    only(app, "sendgrid")
    answer(monkeypatch, SENDER, yes("sendgrid"), SENDER)
    deliver(queue())
    found_well()
    deliver(queue())
    deliver(queue())
    assert paused()


def test_while_a_key_is_refused_no_email_loses_an_attempt(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    only(app, "sendgrid")
    email_id = queue()
    answer(monkeypatch, *[SENDER] * 30)
    for _ in range(30):
        deliver(email_id)
        found_well()
    assert (row(email_id).state, row(email_id).attempts) == (State.QUEUED, 0)


def test_an_unverified_domain_in_a_batch_costs_that_email_only(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """Resend answers for each email of a batch; that it took others shows that the key is good."""
    app.config["EMAIL_BATCH"] = True
    only(app, "resend")
    bad, good = queue(), queue()
    for number in range(3):
        if number:
            change(bad, due_at=utc_now() - timedelta(seconds=1))
            good = queue()
        batch_answers(monkeypatch, SENDER, yes())
        finish(claim(1))
        assert row(good).state == State.ACCEPTED
        assert not paused("resend")
    assert (row(bad).state, row(bad).attempts) == (State.QUEUED, 3)
    assert "authentication_failed" in {kind for kind, _ in story(bad)}


def test_a_whole_batch_from_an_unverified_domain_pauses_the_provider_once_and_not_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    app.config["EMAIL_BATCH"] = True
    only(app, "resend")
    batch = [queue() for _ in range(3)]
    for number in range(3):
        batch_answers(monkeypatch, *(AuthenticationFailed(f"{each}", 403) for each in batch))
        finish(claim(1))
        assert paused("resend") == (number == 0)
        found_well("resend")
        answer(monkeypatch, yes())
        good = queue()
        change(good, single=True, due_at=utc_now() - timedelta(hours=1))
        finish(claim(1))
        assert row(good).state == State.ACCEPTED
        for each in batch:
            change(each, due_at=utc_now() - timedelta(seconds=1))
    assert {row(each).state for each in batch} == {State.QUEUED}
    assert {row(each).attempts for each in batch} == {2}


def test_a_bad_email_first_in_a_batch_says_nothing_against_the_provider(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    app.config["EMAIL_BATCH"] = True
    only(app, "resend")
    bad, good = queue(), queue()
    batch_answers(monkeypatch, InvalidMessage("no such domain", 422), yes())
    finish(claim(1))
    assert (row(bad).state, row(good).state) == (State.FAILED, State.ACCEPTED)
    with transaction() as session:
        assert availability(load_states(session), utc_now()).first == "resend"


def batch_answers(monkeypatch: pytest.MonkeyPatch, *answers: Receipt | EmailSendError) -> None:
    """Let the next batches get these answers, one for each email."""
    monkeypatch.setattr(EmailService, "post_batch", lambda *_: list(answers))
