"""The rate of a provider: how many calls may go out now, whoever asks."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from database import db, transaction, utc_now
from errors import RateLimited
from extensions import email
from outbox import pacing
from outbox.breaker import CallState, call_statuses
from outbox.delivery import finish
from outbox.selection import Room
from outbox.tables import Lane, OutboxRow, ProviderState, State
from outbox.turn import take_turn
from providers import PROVIDERS
from setting_types import JITTER, Rate, call_rate
from tests.conftest import MakeApp
from tests.outbox.engines import delivering
from tests.outbox.rows import answer, claim, count, in_threads, queue, yes
from tools.processes import wait_until
from tools.simulator import resend, sequenzy
from tools.simulator.rates import Rates, Window
from tools.simulator_process import Simulator

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FIVE_A_SECOND = Rate(5, 1)
SEQUENZY = Rate(95, 60, burst=5)
KEYS = {"RESEND_API_KEY": "re_x", "SEQUENZY_API_KEY": "sq_x", "SENDGRID_API_KEY": "SG.x"}


def later(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_a_burst_goes_out_at_once_and_then_one_call_an_interval():
    assert pacing.permits(SEQUENZY, None, BEGAN) == 5
    next_at = pacing.after_calls(SEQUENZY, None, BEGAN, 5)
    assert pacing.permits(SEQUENZY, next_at, BEGAN) == 0
    opens_at = pacing.opens_at(SEQUENZY, next_at)
    assert opens_at == later(SEQUENZY.interval)
    assert pacing.permits(SEQUENZY, next_at, opens_at - timedelta(milliseconds=1)) == 0
    for _ in range(20):
        assert pacing.permits(SEQUENZY, next_at, opens_at) == 1
        next_at = pacing.after_calls(SEQUENZY, next_at, opens_at, 1)
        opens_at += timedelta(seconds=SEQUENZY.interval)


def test_a_pause_saves_up_one_burst_and_no_more():
    next_at = pacing.after_calls(SEQUENZY, None, BEGAN, 5)
    assert pacing.permits(SEQUENZY, next_at, later(2 * SEQUENZY.interval)) == 2
    assert pacing.permits(SEQUENZY, next_at, later(3600)) == 5


def test_who_is_asked_to_wait_makes_one_call_then_and_no_burst():
    next_at = pacing.after_wait(SEQUENZY, None, later(10))
    assert pacing.permits(SEQUENZY, next_at, later(9.9)) == 0
    assert pacing.permits(SEQUENZY, next_at, later(10)) == 1
    assert pacing.opens_at(SEQUENZY, next_at) == later(10)


@pytest.mark.parametrize("rate", [None, FIVE_A_SECOND, SEQUENZY], ids=str)
def test_a_shorter_wait_never_shortens_a_longer_one(rate: Rate | None):
    next_at = pacing.after_wait(rate, None, later(10))
    assert pacing.after_wait(rate, next_at, later(1)) == next_at


def test_without_a_rate_only_a_wait_that_was_asked_for_counts():
    assert pacing.permits(None, None, BEGAN) == pacing.UNLIMITED
    next_at = pacing.after_wait(None, None, later(10))
    assert pacing.permits(None, next_at, later(9.9)) == 0
    assert pacing.permits(None, next_at, later(10)) == pacing.UNLIMITED


def default_rate(name: str) -> Rate:
    provider: Any = PROVIDERS[name]
    rate: Rate = call_rate(provider.burst)(provider.default_rate)
    return rate


@pytest.mark.parametrize(
    ("name", "windows", "most"),
    [("resend", (resend.RATE,), 5 * 120), ("sequenzy", sequenzy.RATES, 100 * 2)],
)
def test_who_calls_as_soon_as_it_may_is_never_refused_and_uses_nine_tenths_of_the_limit(
    name: str, windows: tuple[Window, ...], most: int
):
    """Two minutes of a backlog, on a clock of ours; the network delays each call a little."""
    rate = default_rate(name)
    clock = [0.0]
    vendor = Rates(enforced=True, clock=lambda: clock[0])
    chance = random.Random(1)  # noqa: S311  repeatable, nothing secret
    arrivals: list[float] = []
    next_at, moment = None, BEGAN
    while moment < later(120):
        calls = pacing.permits(rate, next_at, moment)
        delays = (chance.uniform(0, JITTER) for _ in range(calls))
        arrivals += [(moment - BEGAN).total_seconds() + delay for delay in delays]
        next_at = pacing.after_calls(rate, next_at, moment, calls)
        moment = pacing.opens_at(rate, next_at)
    for clock[0] in sorted(arrivals):
        assert vendor.take(name, "key", windows).wait == 0
    assert len(arrivals) >= 0.9 * most


def app_with(make_app: MakeApp, url: str, **settings: str) -> Flask:
    return make_app(DATABASE_URL=url, EMAIL_LEASE="40", EMAIL_BATCH="false", **KEYS, **settings)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this process asks the database for during the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("rate", "locks"), [("off", 0), ("5/second", 1)])
def test_a_provider_without_a_rate_costs_no_lock_and_no_row(
    make_app: MakeApp, database_url: str, rate: str, locks: int
):
    app = app_with(make_app, database_url, EMAIL_PROVIDER="resend", RESEND_RATE=rate)
    with app.app_context():
        queue()
        with statements() as seen:
            assert len(claim(5)) == 1
        locked = [each for each in seen if "provider_states" in each and "FOR UPDATE" in each]
        assert (len(locked), count(ProviderState)) == (locks, locks)


def test_the_pause_of_a_turn_ends_with_the_next_permit(make_app: MakeApp, database_url: str):
    app = app_with(make_app, database_url, EMAIL_PROVIDER="resend", RESEND_RATE="5/second")
    with app.app_context():
        for _ in range(3):
            queue()
        turn = take_turn([], [], Room(calls=dict.fromkeys(Lane, 5)))
        assert len(turn.claimed) == 1
        assert turn.pause == pytest.approx(FIVE_A_SECOND.interval, abs=0.001)


def test_processes_that_claim_at_once_share_one_burst(make_app: MakeApp, database_url: str):
    settings = {"EMAIL_PROVIDER": "sequenzy", "SEQUENZY_RATE": "5/hour"}
    app = app_with(make_app, database_url, **settings)
    with app.app_context():
        for _ in range(20):
            queue()
        jobs: list[object] = []
        in_threads(4, lambda: jobs.extend(claim(10)), app)
        assert len(jobs) == 5
        assert status("sequenzy") is CallState.OK  # our own pace is no news


def status(name: str) -> CallState:
    with transaction() as session:
        return call_statuses(session, (name,), utc_now())[name].state


def test_a_429_is_told_of_until_the_time_that_the_provider_named(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    app = app_with(make_app, database_url, EMAIL_PROVIDER="sequenzy", SEQUENZY_RATE="95/minute")
    with app.app_context():
        answer(monkeypatch, yes("sequenzy"), RateLimited("too fast", 429, retry_after=20))
        for _ in range(3):
            queue()
        finish(claim(1))
        assert status("sequenzy") is CallState.OK
        finish(claim(1))
        assert status("sequenzy") is CallState.RATE_LIMITED
        assert claim(5) == []
        with transaction() as session:
            found = call_statuses(session, ("sequenzy",), utc_now())["sequenzy"]
            state = session.get_one(ProviderState, "sequenzy")
            assert state.next_at is not None
            opens_at = pacing.opens_at(email.provider("sequenzy").rate, state.next_at)
            assert found.at == state.asked_until == opens_at


def test_two_processes_at_the_providers_limit_are_never_refused(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
):
    """Two engines that know of each other through the database only."""
    with Simulator(tmp_path / "log.jsonl", ["--rates"]) as vendor, ExitStack() as running:
        settings = {
            "EMAIL_PROVIDER": "resend", "RESEND_BASE_URL": vendor.url, "EMAIL_DELIVERY": "thread",
            "RESEND_RATE": "4/second",  # of the 5 that are taken: this machine may be busy
        }  # fmt: skip
        apps = [app_with(make_app, postgresql_url, **settings) for _ in range(2)]
        with apps[0].app_context():
            ids = [queue() for _ in range(12)]
            for app in apps:
                running.enter_context(delivering(app))
            wait_until(lambda: accepted() == len(ids), "all to be accepted")
            assert vendor.answers("resend") == {"200": len(ids)}


def accepted() -> int:
    with transaction() as session:
        return session.query(OutboxRow).filter_by(state=State.ACCEPTED).count()
