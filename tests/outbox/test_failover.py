"""Which provider takes an email when the first cannot, on both databases."""

from collections.abc import Iterator

import pytest
from attrs import evolve
from flask import Flask

import outbox
from database import transaction, utc_now
from errors import AuthenticationFailed, ProviderUnavailable
from message import Attachment
from outbox import running
from outbox.breaker import load_states, record
from outbox.due import look
from outbox.tables import Lane, State
from outbox.turn import Turn, take_turn
from providers import PROVIDERS, Subscribe
from tests.conftest import MakeApp
from tests.outbox.rows import answer, change, claim, queue, row, story, yes
from tools.processes import wait_until
from tools.simulator_process import Simulator

FILES = [Attachment(filename=f"{number}.txt", content=b"x") for number in range(11)]
"""One more than Sequenzy takes."""

KEYS = {"SENDGRID_API_KEY": "SG.x", "SEQUENZY_API_KEY": "seq_x", "RESEND_API_KEY": "re_x"}


@pytest.fixture
def app(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    """A chain whose second provider takes 10 attachments at most; nothing is running."""
    app = make_app(
        DATABASE_URL=database_url,
        EMAIL_PROVIDER="sendgrid,sequenzy",
        EMAIL_DELIVERY="thread",
        EMAIL_SWEEP="0.1",
        SENDGRID_BASE_URL=simulator.url,
        SEQUENZY_BASE_URL=f"{simulator.url}/api/v1",
        RESEND_RATE="off",
        SEQUENZY_RATE="off",
        **KEYS,
    )
    with app.app_context():
        yield app


def chain(app: Flask, *names: str) -> None:
    """Ask these providers in this order from now on."""
    wiring = app.extensions["email"]
    providers = {name: PROVIDERS[name].from_settings(app.config) for name in names}
    app.extensions["email"] = evolve(wiring, chain=names, providers=providers)


def learn(name: str, *answers: object) -> None:
    with transaction() as session:
        record(session, load_states(session), name, answers, utc_now())


def deliver(email_id: str, times: int) -> None:
    """So many looks at an email that is due."""
    for _ in range(times):
        change(email_id, due_at=utc_now())
        outbox.deliver(email_id)


def test_an_email_that_only_the_first_can_express_survives_its_503(
    app: Flask, simulator: Simulator
):
    email_id = queue(to="503-1@example.com", attachments=FILES)
    running.start(app)
    wait_until(lambda: row(email_id).state == State.ACCEPTED, "the email to be accepted")
    assert row(email_id).provider == "sendgrid"
    assert [each["provider"] for each in simulator.accepted()] == ["sendgrid"]


def test_an_email_waits_for_the_one_provider_that_can_express_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(attachments=FILES)
    called = answer(monkeypatch, *[ProviderUnavailable("down", 503)] * 3, yes("sendgrid"))
    deliver(email_id, 12)
    assert called == ["sendgrid"] * 4
    assert (row(email_id).state, row(email_id).provider) == (State.ACCEPTED, "sendgrid")


def test_the_timeline_says_who_could_not_express_the_email(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(attachments=FILES)
    answer(monkeypatch, ProviderUnavailable("down", 503))
    deliver(email_id, 2)
    [(_, detail)] = [each for each in story(email_id) if each[0] == "unsupported_feature"]
    assert "sequenzy takes at most 10 attachments" in detail
    assert "sendgrid is tried next" in detail


def test_while_the_able_provider_is_paused_the_email_costs_one_claim_and_no_attempt(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    learn("sendgrid", AuthenticationFailed("401", 401))
    email_id = queue(attachments=FILES)
    claimed: list[str] = []
    looks: list[bool] = []

    def turn(*args: object) -> Turn:
        taken = take_turn(*args)  # type: ignore[arg-type]
        claimed.extend(each.id for job in taken.claimed for each in job.rows)
        return taken

    def look_and_count(*args: object) -> object:
        looks.append(True)
        return look(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("outbox.halving.take_turn", turn)
    monkeypatch.setattr("outbox.engine.due.look", look_and_count)
    running.start(app)
    wait_until(lambda: len(looks) > 10, "10 sweeps")
    running.stop(app)
    assert claimed == [email_id]  # to find out that the second cannot express it
    assert (row(email_id).state, row(email_id).attempts) == (State.QUEUED, 0)


def test_what_nobody_can_express_fails_and_says_why(app: Flask, monkeypatch: pytest.MonkeyPatch):
    chain(app, "sequenzy")
    email_id = queue(attachments=FILES)
    assert answer(monkeypatch) == []
    deliver(email_id, 1)
    assert row(email_id).state == State.FAILED
    assert "at most 10 attachments" in str(row(email_id).last_error)


def test_a_provider_that_cannot_express_the_email_is_passed_over_for_the_next(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    chain(app, "resend", "sequenzy", "sendgrid")
    email_id = queue(attachments=FILES)
    called = answer(monkeypatch, ProviderUnavailable("down", 503), yes("sendgrid"))
    deliver(email_id, 3)
    assert called == ["resend", "sendgrid"]
    assert row(email_id).state == State.ACCEPTED


def test_of_two_that_can_express_the_email_the_one_that_may_be_called_gets_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    chain(app, "sequenzy", "resend", "sendgrid")
    learn("resend", AuthenticationFailed("401", 401))
    email_id = queue(attachments=FILES)
    called = answer(monkeypatch, yes("sendgrid"))
    deliver(email_id, 2)
    assert called == ["sendgrid"]


def test_of_two_that_can_express_the_email_the_second_gets_it_when_the_first_fails(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    chain(app, "sequenzy", "resend", "sendgrid")
    email_id = queue(attachments=FILES)
    refusal = AuthenticationFailed("401", 401)
    called = answer(monkeypatch, refusal, yes("sendgrid"))
    deliver(email_id, 4)
    assert called == ["resend", "sendgrid"]


def test_an_unverified_domain_at_the_next_provider_fails_no_email(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    chain(app, "sendgrid", "resend")
    ids = [queue() for _ in range(3)]
    refusal = AuthenticationFailed("403: the domain is not verified", 403)
    answer(monkeypatch, ProviderUnavailable("down", 503), refusal, yes("sendgrid"))
    deliver(ids[0], 3)
    assert row(ids[0]).state == State.ACCEPTED
    assert {row(each).state for each in ids[1:]} == {State.QUEUED}


def test_a_change_of_a_subscriber_stays_with_the_provider_that_has_the_list(app: Flask):
    learn("sendgrid", AuthenticationFailed("401", 401))
    with transaction() as session:
        outbox.enqueue_change(session, Subscribe(email="ann@example.com"))
    assert [job for job in claim(5) if job.lane is Lane.CHANGES] == []
