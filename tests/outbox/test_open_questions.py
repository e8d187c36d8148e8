"""What may have been accepted is never called expired, cancelled or failed; a late yes settles."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

import outbox
from database import transaction, utc_now
from email_service import EmailService
from errors import EmailSendError, InvalidMessage, OutcomeUnknown, ProviderUnavailable
from outbox.delivery import finish
from outbox.sweep import sweep
from outbox.tables import State
from providers import Receipt
from tests.outbox.rows import answer, change, claim, queue, row, story, yes


def during_the_call(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], given: Receipt | Exception
) -> list[str]:
    """Something happens while the provider is called, before it answers."""
    called: list[str] = []

    def post(_self: EmailService, name: str, _request: object) -> Receipt:
        called.append(name)
        happens()
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(EmailService, "post", post)
    return called


def lose_the_lease(email_id: str) -> None:
    change(email_id, lease_until=utc_now() - timedelta(seconds=1))
    assert sweep() == 1


def test_a_late_yes_to_a_row_that_was_queued_again_settles_it_and_it_is_not_sent_twice(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    called = during_the_call(monkeypatch, lambda: lose_the_lease(email_id), yes())
    finish(claim(1))
    settled = row(email_id)
    assert (settled.state, settled.provider_message_id) == (State.ACCEPTED, "id-1")
    assert (settled.quarantined, settled.pinned) == (False, False)
    assert claim(5) == []
    assert called == ["resend"]
    assert [what for what, _ in story(email_id)] == ["enqueued", "attempt", "accepted"]


def test_a_late_yes_to_a_row_that_its_provider_cannot_repeat_answers_the_question(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    change(email_id, provider="sendgrid")
    states: list[str] = []

    def freeze() -> None:
        lose_the_lease(email_id)
        states.append(row(email_id).state)

    during_the_call(monkeypatch, freeze, yes("sendgrid"))
    finish(claim(1))
    assert (states, row(email_id).state) == ([State.UNKNOWN], State.ACCEPTED)
    assert row(email_id).unknown_since is None


@pytest.mark.parametrize("state", [State.QUEUED, State.UNKNOWN, State.FAILED, State.EXPIRED])
def test_a_late_yes_settles_whatever_became_of_the_row(
    app: Flask, monkeypatch: pytest.MonkeyPatch, state: State
):
    email_id = queue()
    during_the_call(monkeypatch, lambda: change(email_id, state=state, lease_token=None), yes())
    finish(claim(1))
    assert (row(email_id).state, row(email_id).provider_message_id) == (State.ACCEPTED, "id-1")


def test_a_late_yes_to_one_that_a_person_took_back_meanwhile_settles_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()

    def take_back() -> None:
        lose_the_lease(email_id)
        with transaction() as session:
            assert outbox.actions.cancel(session, email_id)
        assert row(email_id).state == State.UNKNOWN  # it may be on its way

    during_the_call(monkeypatch, take_back, yes())
    finish(claim(1))
    assert row(email_id).state == State.ACCEPTED


def test_a_late_no_changes_nothing_but_its_own_attempt(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    no = InvalidMessage("resend answered 422", 422)
    during_the_call(monkeypatch, lambda: lose_the_lease(email_id), no)
    finish(claim(1))
    assert row(email_id).state == State.QUEUED
    assert [what for what, _ in story(email_id)] == ["enqueued", "attempt", "invalid_message"]


@pytest.fixture
def pinned(app: Flask) -> str:
    """A row of which an earlier call may have been accepted."""
    email_id = queue()
    change(email_id, pinned=True, provider="resend", only_provider="resend")
    return email_id


def be_late(email_id: str) -> None:
    change(email_id, expires_at=utc_now() - timedelta(seconds=1))


def expires_in_housekeeping(email_id: str, _: pytest.MonkeyPatch) -> None:
    be_late(email_id)
    assert sweep() == 1


def expires_at_the_claim(email_id: str, _: pytest.MonkeyPatch) -> None:
    be_late(email_id)
    assert claim(1) == []


def is_cancelled(email_id: str, _: pytest.MonkeyPatch) -> None:
    with transaction() as session:
        assert outbox.actions.cancel(session, email_id)


def crashes_three_times(email_id: str, _: pytest.MonkeyPatch) -> None:
    for _death in range(4):  # the first in company, the others alone
        past = utc_now() - timedelta(seconds=1)
        change(email_id, state=State.SENDING, lease_until=past, calling_since=past)
        sweep()


def meets_other_bytes(email_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, InvalidMessage("resend answered 409: other bytes", 409))
    outbox.deliver(email_id)


@pytest.mark.parametrize(
    "happens",
    [
        expires_in_housekeeping,
        expires_at_the_claim,
        is_cancelled,
        crashes_three_times,
        meets_other_bytes,
    ],
)
def test_what_may_have_been_sent_is_unknown_whatever_ends_it(
    pinned: str,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[str, pytest.MonkeyPatch], None],
):
    happens(pinned, monkeypatch)
    assert row(pinned).state == State.UNKNOWN
    assert row(pinned).unknown_since is not None
    assert claim(1) == []


@pytest.mark.parametrize("expire", [expires_in_housekeeping, expires_at_the_claim])
def test_what_was_reported_as_delivered_does_not_expire(
    app: Flask, monkeypatch: pytest.MonkeyPatch, expire: Callable[..., None]
):
    email_id = queue()
    change(email_id, delivery_status="delivered", pinned=True, provider="sendgrid")
    expire(email_id, monkeypatch)
    assert row(email_id).state == State.ACCEPTED
    assert "expired" not in str(story(email_id))


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown("resend did not answer", retryable=True),
        ProviderUnavailable("resend answered 503", 503),
        InvalidMessage("resend answered 409: other bytes", 409),
    ],
)
def test_an_event_during_a_call_outweighs_the_error_that_the_call_ends_with(
    app: Flask, monkeypatch: pytest.MonkeyPatch, error: EmailSendError
):
    email_id = queue()

    def report() -> None:
        change(email_id, delivery_status="sent", provider_message_id="from the event")

    during_the_call(monkeypatch, report, error)
    finish(claim(1))
    settled = row(email_id)
    assert (settled.state, settled.provider_message_id) == (State.ACCEPTED, "from the event")
    assert settled.last_error is None


def test_a_yes_without_an_id_does_not_erase_the_one_that_an_event_brought(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    nameless = Receipt(provider="resend", message_id=None, status=200)
    during_the_call(
        monkeypatch,
        lambda: change(email_id, delivery_status="sent", provider_message_id="from the event"),
        nameless,
    )
    finish(claim(1))
    settled = row(email_id)
    assert (settled.state, settled.provider_message_id) == (State.ACCEPTED, "from the event")
