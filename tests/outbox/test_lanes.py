"""Who goes first: a reset link never waits behind a newsletter."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from database import utc_now
from email_service import EmailService
from outbox import running
from outbox.jobs import Answer, Job, Kind
from outbox.senders import Senders
from outbox.tables import Lane, State
from providers import Receipt, WireRequest
from tests.conftest import MakeApp
from tests.outbox.conftest import KEYS, UNPACED
from tests.outbox.rows import change, claim, ids_of, queue, row, yes
from tools.processes import PATIENCE, wait_until

EARLIER = timedelta(hours=1)


class Provider:
    """Takes every email, in the order of `called`; those in `slow` only once `free` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[str] = []
        self.slow: set[str] = set()
        self.free = threading.Event()
        monkeypatch.setattr(EmailService, "post", lambda _service, _name, each: self._post(each))

    def _post(self, request: WireRequest) -> Receipt:
        email_id = request.headers["Idempotency-Key"]
        self.called.append(email_id)
        if email_id in self.slow:
            assert self.free.wait(PATIENCE)
        return yes()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider(monkeypatch)
    yield provider
    provider.free.set()


@pytest.fixture
def site(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app whose engine the test starts; it looks only when it is woken."""
    app = make_app(
        DATABASE_URL=database_url,
        EMAIL_PROVIDER="resend",
        EMAIL_DELIVERY="thread",
        EMAIL_THREADS="3",
        EMAIL_SWEEP="60",
        **KEYS,
        **UNPACED,
    )
    with app.app_context():
        yield app
        running.stop(app)


def newsletter(count: int) -> list[str]:
    """Marketing that has been due for an hour."""
    ids = [queue(category="marketing") for _ in range(count)]
    for each in ids:
        change(each, due_at=utc_now() - EARLIER)
    return ids


def all_accepted(ids: list[str]) -> None:
    wait_until(lambda: all(row(each).state == State.ACCEPTED for each in ids), "all to be accepted")


def test_transactional_goes_before_marketing_that_has_waited_longer(app: Flask):
    marketing = newsletter(3)
    reset = queue()
    assert ids_of(claim(1)) == [reset]
    assert ids_of(claim(3)) == marketing


def test_under_a_backlog_every_tenth_call_is_marketing(site: Flask, provider: Provider):
    marketing = newsletter(20)
    site.config["EMAIL_THREADS"] = 1
    others = [queue() for _ in range(60)]
    for each in others:
        change(each, due_at=utc_now() - EARLIER)
    running.start(site)
    all_accepted([*marketing, *others])
    backlog = provider.called[: max(provider.called.index(each) for each in others)]
    shares = len([each for each in backlog if each in marketing]) / len(backlog)
    assert 1 / 15 < shares < 1 / 8


def test_marketing_leaves_a_thread_for_a_reset_however_slow_it_is(site: Flask, provider: Provider):
    marketing = newsletter(30)
    provider.slow.update(marketing)
    running.start(site)
    wait_until(lambda: len(provider.called) == 2, "marketing to be called")
    reset = queue()
    running.wake([reset])
    wait_until(lambda: row(reset).state == State.ACCEPTED, "the reset to be accepted")
    assert provider.called[2:] == [reset]
    provider.free.set()
    all_accepted(marketing)


def test_a_single_thread_takes_marketing_too(make_app: MakeApp, provider: Provider):
    app = make_app(
        EMAIL_PROVIDER="resend", EMAIL_DELIVERY="thread", EMAIL_THREADS="1", **KEYS, **UNPACED
    )
    with app.app_context():
        marketing = newsletter(3)
        running.start(app)
        all_accepted(marketing)


def test_marketing_whose_turn_it_is_never_blocks_a_reset(app: Flask):
    """Its share of a backlog waits for a thread that marketing may use."""
    senders = SlowSenders(app, slots=2)
    senders.put("first", Lane.MARKETING)
    senders.wait_for("first")
    senders.put("its turn", Lane.MARKETING, urgent=True)
    senders.put("reset", Lane.TRANSACTIONAL, slow=False)
    senders.wait_for("reset")
    assert "its turn" not in senders.called
    senders.finish()
    assert senders.called == ["first", "reset", "its turn"]


class SlowSenders:
    """Senders whose calls last until `finish`, but for those that are not `slow`."""

    def __init__(self, app: Flask, slots: int) -> None:
        self.called: list[str] = []
        self._free = threading.Event()
        self._senders = Senders(app, slots, lambda _job: None)

    def put(self, name: str, lane: Lane, *, slow: bool = True, urgent: bool = False) -> None:
        job = Job(
            kind=_Call(name, self.called, self._free if slow else None),
            lane=lane,
            provider="resend",
            token="",
            lease_until=utc_now(),
            deadline=time.monotonic() + 3600,
            rows=[],
            urgent=urgent,
        )
        self._senders.put(job)

    def wait_for(self, *names: str) -> None:
        wait_until(lambda: set(names) <= set(self.called), f"calls of {names}")

    def finish(self) -> None:
        self._free.set()
        self._senders.close()


class _Call(Kind):
    task = "test"

    def __init__(self, name: str, called: list[str], free: threading.Event | None) -> None:
        self._name, self._called, self._free = name, called, free

    def prepare(self, job: Job) -> list[Job]:
        return [job]

    def call(self, job: Job) -> list[Answer]:
        self._called.append(self._name)
        if self._free:
            assert self._free.wait(PATIENCE)
        return []
