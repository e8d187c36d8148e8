"""The database goes away at the worst moments: what a provider answered is kept and recorded."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from attrs import define, field
from flask import Flask
from sqlalchemy.exc import OperationalError

import outbox
from database import db, utc_now
from errors import ProviderUnavailable
from outbox.engine import Engine
from outbox.jobs import Job
from outbox.selection import Room
from outbox.sweep import sweep
from outbox.tables import Attempt, State
from outbox.turn import Turn, prepare, take_turn
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings, wait_for, wait_for_row
from tests.outbox.rows import change, count, queue, row, story, yes
from tools.outages import away, exhausted
from tools.processes import PATIENCE, wait_until

OUTAGES = ("away", "all connections in use")
TRIES = 10  # turns that fail while the database is away


@pytest.fixture
def app(make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Of SendGrid, which knows no repeat: an answer that gets lost would be `unknown`."""
    monkeypatch.setattr("database.sqlite.BUSY_TIMEOUT", 20)
    monkeypatch.setattr("outbox.engine.PAUSE", 0.01)
    monkeypatch.setattr("outbox.delivery.PAUSE", 0.01)
    app = make_app(
        DATABASE_URL=database_url,
        **settings(EMAIL_PROVIDER="sendgrid", EMAIL_THREADS="8"),
        SQLALCHEMY_ENGINE_OPTIONS={"pool_timeout": 0.02},
    )
    with app.app_context():
        yield app


def outage(kind: str, url: str) -> AbstractContextManager[None]:
    return away(url) if kind == "away" else exhausted(db.engine)


@define
class Provider:
    """It answers once it is told to; `called` counts the calls so far."""

    answer: Callable[[], Receipt | Exception] = lambda: yes("sendgrid")
    called: int = 0
    go_on: threading.Event = field(factory=threading.Event)

    def post(self, _name: str, _body: str) -> Receipt | Exception:
        self.called += 1
        assert self.go_on.wait(PATIENCE)
        return self.answer()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider()
    posting(monkeypatch, provider.post)
    yield provider
    provider.go_on.set()


def complaints(caplog: pytest.LogCaptureFixture) -> int:
    return caplog.text.count("the engine cannot use the database")


@pytest.mark.parametrize("kind", OUTAGES)
def test_answers_that_come_while_the_database_is_away_are_recorded_once_it_is_back(
    app: Flask, database_url: str, provider: Provider, caplog: pytest.LogCaptureFixture, kind: str
):
    ids = [queue() for _ in range(8)]
    with delivering(app):
        wait_until(lambda: provider.called == 8, "8 calls")
        with outage(kind, database_url):
            provider.go_on.set()
            wait_until(lambda: complaints(caplog) > TRIES, "some turns to fail")
        for email_id in ids:
            wait_for(email_id, State.ACCEPTED)
    assert {row(each).provider_message_id for each in ids} == {"id-1"}
    assert provider.called == 8
    assert "worker_lost" not in str([story(each) for each in ids])


def test_an_answer_to_the_request_itself_is_recorded_once_the_database_is_back(
    app: Flask, database_url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    pauses = threading.Semaphore(0)
    monkeypatch.setattr("outbox.delivery.time.sleep", lambda _seconds: pauses.release())
    email_id = queue()

    def deliver() -> None:
        with app.app_context():
            outbox.deliver(email_id)

    thread = threading.Thread(target=deliver)
    thread.start()
    wait_until(lambda: provider.called == 1, "the call")
    with away(database_url):
        provider.go_on.set()
        assert all(pauses.acquire(timeout=PATIENCE) for _ in range(TRIES))
    thread.join()
    assert row(email_id).state == State.ACCEPTED


def test_a_process_that_stops_while_the_database_is_away_comes_to_an_end(
    app: Flask, database_url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    monkeypatch.setattr("outbox.engine.PAUSE", 0.5)
    app.config["EMAIL_TIMEOUT"] = 1
    email_id = queue()
    engine = Engine(app)
    engine.start()
    wait_until(lambda: provider.called == 1, "the call")
    stopping = threading.Thread(target=engine.stop, daemon=True)
    with away(database_url):
        provider.go_on.set()
        stopping.start()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
    assert "1 answers were not recorded" in caplog.text
    assert complaints(caplog) < 20  # it pauses between its tries
    assert row(email_id).state == State.SENDING


class Hook:
    """Takes the database away at one point of one turn, before or after its commit."""

    def __init__(self, phase: str, when: str, url: str) -> None:
        self.phase, self.when, self.url = phase, when, url
        self.done = False

    def turn(self, ended: Sequence[Job], built: Sequence[Job], room: Room | None) -> Turn:
        before = {"start": built, "record": ended}.get(self.phase, [])
        if self.when == "before" and before and not self.done:
            self.done = True
            with away(self.url):
                return take_turn(ended, built, room)
        turn = take_turn(ended, built, room)
        after = {"start": built, "record": ended, "claim": turn.claimed}.get(self.phase, [])
        if self.when == "after" and after and not self.done:
            self.done = True
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return turn

    def prepare(self, jobs: Sequence[Job]) -> list[Job]:
        if self.phase == "prepare" and not self.done:
            self.done = True
            with away(self.url):
                return prepare(jobs)
        return prepare(jobs)


@pytest.fixture(
    params=[("prepare", "before")]
    + [(phase, when) for phase in ("start", "record") for when in ("before", "after")],
    ids="-".join,
)
def hook(
    request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Hook:
    phase, when = request.param
    hook = Hook(phase, when, database_url)
    monkeypatch.setattr("outbox.halving.take_turn", hook.turn)
    monkeypatch.setattr("outbox.engine.prepare", hook.prepare)
    monkeypatch.setattr("outbox.delivery.prepare", hook.prepare)
    return hook


def test_a_turn_that_gets_lost_in_a_moment_of_outage_costs_neither_email_nor_call(
    app: Flask, provider: Provider, hook: Hook
):
    provider.go_on.set()
    email_id = queue()
    with delivering(app):
        wait_for(email_id, State.ACCEPTED)
    assert hook.done
    assert (provider.called, count(Attempt), row(email_id).attempts) == (1, 1, 1)
    assert [what for what, _ in story(email_id)] == ["enqueued", "attempt", "accepted"]


def test_a_turn_that_gets_lost_leaves_a_true_record_of_a_refusal(
    app: Flask, provider: Provider, hook: Hook
):
    provider.answer = lambda: ProviderUnavailable("sendgrid answered 503", 503)
    provider.go_on.set()
    email_id = queue()
    with delivering(app):
        wait_for_row(email_id, lambda found: bool(found.last_error), "to be refused")
    assert hook.done
    assert (row(email_id).state, row(email_id).attempts, count(Attempt)) == (State.QUEUED, 1, 1)
    [_, _, (what, detail)] = story(email_id)
    assert what == "provider_unavailable"
    assert "(again in" in detail


def test_a_claim_whose_answer_got_lost_is_given_back_and_is_no_death(
    app: Flask, provider: Provider, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    hook = Hook("claim", "after", database_url)
    monkeypatch.setattr("outbox.halving.take_turn", hook.turn)
    provider.go_on.set()
    email_id = queue()
    with delivering(app) as engine:
        wait_until(lambda: hook.done, "the claim")
        assert row(email_id).state == State.SENDING
        change(email_id, lease_until=utc_now() - timedelta(seconds=1))
        assert sweep() == 1
        assert not row(email_id).quarantined
        engine.wake()
        wait_for(email_id, State.ACCEPTED)
    assert provider.called == 1
    assert [what for what, _ in story(email_id)] == ["enqueued", "attempt", "accepted"]


def test_a_request_that_could_not_even_start_leaves_the_row_for_another_without_a_death(
    app: Flask, provider: Provider, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.delivery.PATIENCE", 0)
    hook = Hook("start", "before", database_url)
    monkeypatch.setattr("outbox.halving.take_turn", hook.turn)
    email_id = queue()
    with pytest.raises(OperationalError):
        outbox.deliver(email_id)
    assert provider.called == 0
    change(email_id, lease_until=utc_now() - timedelta(seconds=1))
    assert sweep() == 1
    assert (row(email_id).state, row(email_id).quarantined) == (State.QUEUED, False)
    assert [what for what, _ in story(email_id)] == ["enqueued"]
