"""How a provider that was left alone is found well again, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

import outbox
from database import transaction, utc_now
from errors import (
    AuthenticationFailed,
    EmailSendError,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
)
from outbox import running
from outbox.breaker import CallState, availability, call_statuses, load_states, record
from outbox.delivery import finish
from outbox.housekeeping import check_paused
from outbox.outcomes import MAX_ATTEMPTS
from outbox.reachability import THRESHOLD
from outbox.tables import ProviderState, State
from providers import Subscribe
from tests.conftest import MakeApp
from tests.outbox.rows import answer, change, claim, queue, row, yes
from tools.processes import wait_until
from tools.simulator_process import Simulator

DOWN = ProviderUnavailable("down", 503)


@pytest.fixture
def app(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    """A site with one provider, whose keys nobody repeats; nothing is running."""
    app = make_app(
        DATABASE_URL=database_url,
        EMAIL_PROVIDER="sendgrid",
        EMAIL_DELIVERY="thread",
        EMAIL_SWEEP="0.1",
        SENDGRID_API_KEY="SG.x",
        SENDGRID_BASE_URL=simulator.url,
    )
    with app.app_context():
        yield app


@pytest.fixture
def resend(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """A site whose provider recognises a repeat."""
    settings = {"RESEND_API_KEY": "re_x", "RESEND_RATE": "off", "EMAIL_BATCH": "false"}
    app = make_app(DATABASE_URL=database_url, EMAIL_PROVIDER="resend", **settings)
    with app.app_context():
        yield app


def learn(name: str, *answers: object, probe: bool = False) -> None:
    with transaction() as session:
        record(session, load_states(session), name, answers, utc_now(), probe=probe)


def let_time_pass(name: str) -> None:
    """The window in which nobody calls the provider is over."""
    past = {"open_until": utc_now() - timedelta(seconds=1)}
    with transaction() as session:
        session.execute(update(ProviderState).where(ProviderState.name == name).values(past))


def status(name: str) -> CallState:
    with transaction() as session:
        return call_statuses(session, (name,), utc_now())[name].state


def state(name: str) -> ProviderState:
    with transaction() as session:
        return session.get_one(ProviderState, name)


def first() -> str | None:
    with transaction() as session:
        return availability(load_states(session), utc_now()).first


def checks(monkeypatch: pytest.MonkeyPatch, *errors: EmailSendError | None) -> list[str]:
    """Let the checks of the key give these answers in turn; the list collects who was asked."""
    asked: list[str] = []
    waiting = iter(errors)

    def ask(name: str) -> EmailSendError | None:
        asked.append(name)
        return next(waiting)

    monkeypatch.setattr("outbox.housekeeping._key_error", ask)
    return asked


def test_on_a_quiet_site_housekeeping_finds_the_provider_well_again(
    app: Flask, simulator: Simulator
):
    learn("sendgrid", AuthenticationFailed("401", 401))
    let_time_pass("sendgrid")
    assert status("sendgrid") is CallState.PROBING
    running.start(app)
    wait_until(lambda: status("sendgrid") is CallState.OK, "the provider to be trusted again")
    assert simulator.accepted() == []  # no email was risked


def test_a_change_of_a_subscriber_goes_out_on_a_quiet_site_after_an_outage(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    learn("sendgrid", *[DOWN] * THRESHOLD)
    with transaction() as session:
        outbox.enqueue_change(session, Subscribe(email="ann@example.com"))
    let_time_pass("sendgrid")
    assert claim(1) == []  # a change is no probe
    checks(monkeypatch, None)
    check_paused()
    assert len(claim(1)) == 1


def test_no_email_is_the_probe_of_a_provider_that_recognises_no_repeat(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    learn("sendgrid", *[OutcomeUnknown("cut")] * THRESHOLD)
    let_time_pass("sendgrid")
    assert claim(5) == []
    checks(monkeypatch, None)
    check_paused()
    answer(monkeypatch, yes("sendgrid"))
    finish(claim(5))
    assert row(email_id).state == State.ACCEPTED


def test_the_key_is_asked_once_a_window_and_each_refusal_lengthens_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    learn("sendgrid", *[DOWN] * THRESHOLD)
    asked = checks(monkeypatch, DOWN, None)
    check_paused()
    assert asked == []  # not before the window is over
    let_time_pass("sendgrid")
    check_paused()
    check_paused()
    assert asked == ["sendgrid"]
    wait = state("sendgrid").open_until
    assert wait is not None
    assert wait > utc_now() + timedelta(seconds=15)  # it was 10
    let_time_pass("sendgrid")
    check_paused()
    assert status("sendgrid") is CallState.OK


def test_a_key_that_answers_while_sending_does_not_costs_few_emails(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """The key may be well while sending is not: one email shows it, and closes the provider."""
    ids = [queue() for _ in range(8)]
    learn("sendgrid", *[OutcomeUnknown("cut")] * THRESHOLD)
    let_time_pass("sendgrid")
    checks(monkeypatch, None)
    check_paused()
    called = answer(monkeypatch, OutcomeUnknown("cut"))
    finish(claim(8))
    assert claim(8) == []
    assert called == ["sendgrid"]
    assert sorted(row(each).state for each in ids) == [State.QUEUED] * 7 + [State.UNKNOWN]
    assert state("sendgrid").failures == THRESHOLD + 1  # so the next wait is longer


def test_a_provider_that_recognises_a_repeat_is_probed_with_one_email(
    resend: Flask, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        queue()
    learn("resend", *[DOWN] * THRESHOLD)
    let_time_pass("resend")
    asked = checks(monkeypatch)
    check_paused()
    assert asked == []
    [probe] = claim(3)
    assert probe.probes
    assert claim(3) == []
    answer(monkeypatch, yes())
    finish([probe])
    assert len(claim(3)) == 2


@pytest.mark.parametrize(
    "told_to_wait",
    [
        RateLimited("slow down", 429, retry_after=1),
        RateLimited("concurrent_idempotent_requests", 409, retry_after=3),
    ],
)
def test_a_probe_that_is_told_to_wait_has_found_the_provider_well(
    resend: Flask, monkeypatch: pytest.MonkeyPatch, told_to_wait: RateLimited
):
    queue()
    learn("resend", *[DOWN] * THRESHOLD)
    let_time_pass("resend")
    answer(monkeypatch, told_to_wait)
    finish(claim(1))
    assert (state("resend").open_until, state("resend").probe_until) == (None, None)


@pytest.mark.parametrize("broken", [False, True])
def test_a_probe_that_was_not_called_leaves_the_window_to_the_next(
    resend: Flask, monkeypatch: pytest.MonkeyPatch, broken: bool
):
    """Its email could not be built, or its process does not reach the provider."""
    email_id = queue()
    other = queue()
    learn("resend", *[DOWN] * THRESHOLD)
    let_time_pass("resend")
    if broken:
        answer(monkeypatch, ProviderUnavailable("no route", reached=False))
    else:
        resend.config["EMAIL_TIMEOUT"] = 3600  # longer than any lease: it cannot be called
    finish(claim(1))
    resend.config["EMAIL_TIMEOUT"] = 15
    assert {row(each).state for each in (email_id, other)} == {State.QUEUED}
    answer(monkeypatch, yes())
    finish(claim(1))
    assert (state("resend").open_until, state("resend").probe_until) == (None, None)


def test_a_later_short_wait_never_shortens_a_longer_one(resend: Flask):
    learn("resend", RateLimited("slow down", 429, retry_after=600))
    learn("resend", RateLimited("slow down", 429, retry_after=1))
    with transaction() as session:
        later = utc_now() + timedelta(seconds=595)
        assert not availability(load_states(session), later).usable
        assert availability(load_states(session), later + timedelta(seconds=10)).usable


def test_a_key_that_stays_in_use_elsewhere_is_asked_20_times_and_no_more(
    resend: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    locked = RateLimited("resource_locked", 409, retry_after=3)
    called = answer(monkeypatch, *[locked] * (MAX_ATTEMPTS + 5))
    for _ in range(MAX_ATTEMPTS + 5):
        change(email_id, due_at=utc_now() - timedelta(seconds=1))
        outbox.deliver(email_id)
    assert len(called) == MAX_ATTEMPTS
    assert (row(email_id).state, row(email_id).attempts) == (State.FAILED, MAX_ATTEMPTS)


def test_a_repeat_whose_key_stays_in_use_ends_as_unknown(
    resend: Flask, monkeypatch: pytest.MonkeyPatch
):
    """An earlier call of it may have been accepted."""
    email_id = queue()
    locked = RateLimited("concurrent_idempotent_requests", 409, retry_after=3)
    called = answer(monkeypatch, OutcomeUnknown("cut", retryable=True), *[locked] * MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS + 5):
        change(email_id, due_at=utc_now() - timedelta(seconds=1))
        outbox.deliver(email_id)
    assert len(called) == MAX_ATTEMPTS
    assert row(email_id).state == State.UNKNOWN


def test_an_email_waits_at_least_as_long_as_it_is_told(
    resend: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    answer(monkeypatch, RateLimited("resource_locked", 409, retry_after=30))
    outbox.deliver(email_id)
    assert row(email_id).due_at > utc_now() + timedelta(seconds=25)
    assert first() == "resend"  # nobody else waits
