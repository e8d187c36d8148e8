"""Providers that are left alone for a while, and what the emails do meanwhile."""

import hashlib
from datetime import timedelta

import pytest
from attrs import evolve
from flask import Flask

import outbox
from database import db, transaction, utc_now
from email_service import EmailService
from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from extensions import email
from message import from_json
from outbox.breaker import (
    CallState,
    availability,
    begin_probe,
    call_statuses,
    load_states,
    record,
)
from outbox.delivery import finish
from outbox.reachability import THRESHOLD
from outbox.tables import ProviderState, State
from tests.outbox.rows import (
    answer,
    change,
    claim,
    ids_of,
    in_threads,
    open_attempt,
    queue,
    row,
    yes,
)

CHAIN = ("resend", "sendgrid")
DOWN = ProviderUnavailable("down")


def learn(*answers: EmailSendError | object, name: str = "resend") -> None:
    with transaction() as session:
        record(session, load_states(session), name, answers, utc_now())


def fail_a_probe(after: float) -> None:
    """Somebody takes the probe `after` seconds from now, and it fails."""
    moment = utc_now() + timedelta(seconds=after)
    with transaction() as session:
        assert begin_probe(session, "resend", moment)
        record(session, load_states(session), "resend", [DOWN], moment)


def usable(after: float = 0) -> tuple[tuple[str, ...], str | None]:
    with transaction() as session:
        found = availability(load_states(session), utc_now() + timedelta(seconds=after))
    return tuple(found.usable if found.first or found.probe else ()), found.probe


def test_a_new_provider_is_usable(app: Flask):
    assert usable() == (CHAIN, None)


def test_repeated_faults_open_the_breaker_and_a_success_in_between_does_not_count(app: Flask):
    learn(*[DOWN] * (THRESHOLD - 1), yes(), DOWN)
    assert usable() == (CHAIN, None)
    learn(*[DOWN] * THRESHOLD)
    assert usable() == (("sendgrid",), None)


def test_calls_that_began_before_it_opened_do_not_lengthen_the_wait(app: Flask):
    learn(*[DOWN] * (THRESHOLD + 20))
    assert usable(after=11) == (("sendgrid",), "resend")


def test_bad_addresses_open_nothing(app: Flask):
    learn(*[InvalidMessage("no such domain", 422)] * 50)
    assert usable() == (CHAIN, None)


@pytest.mark.parametrize("error", [AuthenticationFailed("401", 401), QuotaExceeded("spent", 429)])
def test_a_refused_key_and_a_spent_quota_pause_at_once(app: Flask, error: EmailSendError):
    learn(error)
    assert usable() == (("sendgrid",), None)
    assert usable(after=61) == (("sendgrid",), "resend")


def test_after_the_window_there_is_one_probe_among_all_processes(app: Flask):
    learn(*[DOWN] * THRESHOLD)
    later = utc_now() + timedelta(seconds=11)
    assert usable(after=11) == (("sendgrid",), "resend")
    won: list[bool] = []

    def probe() -> None:
        with transaction() as session:
            won.append(begin_probe(session, "resend", later))

    in_threads(8, probe, app)
    assert sorted(won) == [False] * 7 + [True]
    assert usable(after=11) == (("sendgrid",), None)


def test_a_probe_that_fails_doubles_the_wait_and_one_that_works_ends_it(app: Flask):
    learn(*[DOWN] * THRESHOLD)
    fail_a_probe(after=11)
    assert usable(after=11 + 19) == (("sendgrid",), None)
    assert usable(after=11 + 21) == (("sendgrid",), "resend")
    learn(yes())
    assert usable() == (CHAIN, None)


def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_not(app: Flask):
    learn(RateLimited("slow down", 429, retry_after=5))
    assert usable() == ((), None)
    learn(RateLimited("slow down", 429, retry_after=600))
    assert usable() == (("sendgrid",), None)
    assert usable(after=601) == (CHAIN, None)


def test_a_key_in_use_elsewhere_pauses_nobody(app: Flask):
    learn(RateLimited("concurrent_idempotent_requests", 409, retry_after=3))
    assert usable() == (CHAIN, None)


def test_unknown_outcomes_count(app: Flask):
    learn(*[OutcomeUnknown("cut")] * THRESHOLD)
    assert usable() == (("sendgrid",), None)


def test_while_the_only_provider_is_paused_rows_wait_unclaimed(app: Flask):
    ids = [queue() for _ in range(3)]
    for name in CHAIN:
        learn(AuthenticationFailed("401", 401), name=name)
    assert claim(5) == []
    assert {row(each).state for each in ids} == {State.QUEUED}
    assert {row(each).attempts for each in ids} == {0}


def test_a_bad_key_fails_no_email_and_one_probe_finds_out_that_it_is_mended(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    app.extensions["email"] = evolve(app.extensions["email"], chain=("resend",))
    ids = [queue() for _ in range(40)]
    called = answer(monkeypatch, *[AuthenticationFailed("401", 401)] * 40)
    for _ in range(40):
        finish(claim(1))
    assert len(called) == 1  # the first refusal paused everything
    assert {row(each).state for each in ids} == {State.QUEUED}
    answer(monkeypatch, *[yes()] * 40)
    with transaction() as session:
        session.get_one(ProviderState, "resend").open_until = utc_now() - timedelta(seconds=1)
    for each in ids:
        change(each, due_at=utc_now() - timedelta(seconds=1))
    assert len(claim(20)) == 1  # the probe, and nothing beside it


def test_the_probe_row_takes_the_first_provider_and_the_others_the_second(app: Flask):
    for _ in range(3):
        queue()
    learn(*[DOWN] * THRESHOLD)
    with transaction() as session:
        session.get_one(ProviderState, "resend").open_until = utc_now() - timedelta(seconds=1)
    assert sorted(each.provider for each in claim(3)) == ["resend", "sendgrid", "sendgrid"]


def test_a_bound_row_waits_for_its_own_provider(app: Flask):
    bound, free = queue(), queue()
    change(bound, pinned=True, provider="resend", only_provider="resend")
    learn(*[DOWN] * THRESHOLD)
    assert ids_of(claim(5)) == [free]


def test_a_bound_row_whose_provider_is_no_longer_configured_is_held(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    change(email_id, pinned=True, provider="sequenzy", only_provider="sequenzy")
    open_attempt(email_id, "sequenzy")
    called = answer(monkeypatch)
    outbox.deliver(email_id)
    assert called == []
    assert row(email_id).state == State.UNKNOWN


def test_a_bound_row_is_held_once_the_provider_has_forgotten_its_key(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    request = email.build("resend", from_json(row(email_id).message), email_id)
    open_attempt(
        email_id, "resend", started_at=utc_now() - timedelta(hours=25),
        wire_hash=hashlib.sha256(request.body).hexdigest(),
    )  # fmt: skip
    change(email_id, pinned=True, provider="resend", only_provider="resend")
    called = answer(monkeypatch)
    outbox.deliver(email_id)
    assert called == []
    assert row(email_id).state == State.UNKNOWN


def test_states_are_shown_in_words(app: Flask):
    learn(AuthenticationFailed("resend answered 401: API key is invalid", 401))
    with transaction() as session:
        statuses = call_statuses(session, CHAIN, utc_now())
    assert str(statuses["sendgrid"]) == "ok"
    assert statuses["resend"].state is CallState.PAUSED
    assert str(statuses["resend"]).startswith("paused until 20")
    assert "API key is invalid" in str(statuses["resend"])
    body = app.test_client().get("/deliveryz").get_json()
    assert body["providers"]["sendgrid"] == "ok"
    assert body["status"] == "ok"
    output = app.test_cli_runner().invoke(args=["email", "providers"]).output
    assert "paused until" in output
    db.session.remove()


def test_what_waits_for_a_paused_provider_is_not_late(app: Flask):
    client = app.test_client()
    change(queue(), due_at=utc_now() - timedelta(hours=1))
    assert client.get("/deliveryz").status_code == 503
    for name in CHAIN:
        learn(AuthenticationFailed("401", 401), name=name)
    assert client.get("/deliveryz").status_code == 200


def test_opening_is_logged_once_with_the_reason(app: Flask, caplog: pytest.LogCaptureFixture):
    learn(*[DOWN] * (THRESHOLD + 3))
    lines = [each.getMessage() for each in caplog.records if "left alone" in each.getMessage()]
    assert len(lines) == 1
    assert "provider_unavailable: down" in lines[0]


def test_an_email_that_cannot_be_built_says_nothing_about_the_provider(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    learn(*[DOWN] * (THRESHOLD - 1))
    email_id = queue()

    def build(*_: object) -> None:
        raise InvalidMessage("it was never called")

    with monkeypatch.context() as patched:
        patched.setattr(EmailService, "build", build)
        outbox.deliver(email_id)
    assert row(email_id).state == State.FAILED
    learn(DOWN)
    assert usable() == (("sendgrid",), None)
