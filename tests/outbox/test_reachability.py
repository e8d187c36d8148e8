"""A host that reaches no provider closes them to itself, and leaves the others alone."""

from collections.abc import Iterator

import pytest
from attrs import frozen
from flask import Flask

from database import transaction, utc_now
from errors import ProviderUnavailable
from outbox import running
from outbox.breaker import availability, load_states
from outbox.delivery import finish
from outbox.reachability import THRESHOLD, reachability
from outbox.tables import ProviderState, State
from tests.conftest import MakeApp
from tests.outbox.rows import answer, change, claim, count, queue, row, yes
from tools.processes import free_port, wait_until
from tools.simulator_process import Simulator

NO_ROUTE = ProviderUnavailable("no route", reached=False)


@frozen
class Hosts:
    """Two machines of one site, on one database: `sick` reaches nobody."""

    well: Flask
    sick: Flask


@pytest.fixture
def hosts(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Hosts]:
    settings = {
        "DATABASE_URL": database_url,
        "EMAIL_PROVIDER": "resend",
        "EMAIL_DELIVERY": "thread",
        "EMAIL_SWEEP": "0.1",
        "RESEND_API_KEY": "re_x",
        "RESEND_RATE": "off",
        "EMAIL_BATCH": "false",
    }
    closed = f"http://127.0.0.1:{free_port()}"
    well = make_app(RESEND_BASE_URL=simulator.url, **settings)
    sick = make_app(RESEND_BASE_URL=closed, **settings)
    with well.app_context():
        yield Hosts(well, sick)


def may_call(app: Flask) -> bool:
    with app.app_context(), transaction() as session:
        return bool(availability(load_states(session), utc_now()).usable)


def miss(app: Flask, times: int = THRESHOLD) -> None:
    with app.app_context():
        for _ in range(times):
            reachability().missed("resend", NO_ROUTE)


def test_one_sick_host_delays_no_email_of_the_others(hosts: Hosts, simulator: Simulator):
    running.start(hosts.sick)
    with hosts.sick.app_context():
        first = [queue(to=f"first-{number}@example.com") for number in range(THRESHOLD)]
        running.wake([])
        wait_until(lambda: not may_call(hosts.sick), "the sick host to notice")
    later = [queue(to=f"later-{number}@example.com") for number in range(40)]
    running.start(hosts.well)
    wait_until(lambda: all(row(each).state == State.ACCEPTED for each in later), "the others")
    assert may_call(hosts.well)
    assert not may_call(hosts.sick)
    for each in first:  # the few with which it noticed were put back
        change(each, due_at=utc_now())
    with hosts.well.app_context():
        running.wake([])
    wait_until(lambda: all(row(each).state == State.ACCEPTED for each in first), "the first")
    assert len(simulator.accepted()) == 45


def test_what_was_not_reached_is_known_to_this_process_only(hosts: Hosts):
    miss(hosts.sick)
    assert not may_call(hosts.sick)
    assert may_call(hosts.well)


def test_what_a_provider_answered_is_known_to_all(hosts: Hosts, monkeypatch: pytest.MonkeyPatch):
    for _ in range(THRESHOLD):
        queue()
    answer(monkeypatch, *[ProviderUnavailable("down", 503)] * THRESHOLD)
    finish(claim(THRESHOLD))
    assert not may_call(hosts.well)
    assert not may_call(hosts.sick)


def test_a_host_that_cannot_reach_a_provider_moves_on_along_the_chain(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    called = answer(monkeypatch, NO_ROUTE, yes("sendgrid"))
    for _ in range(2):
        finish(claim(1))
    assert called == ["resend", "sendgrid"]
    assert row(email_id).attempts == 1


def test_a_sick_host_tries_again_with_one_call_and_trusts_an_answer(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(5):
        queue()
    clock = [0.0]
    monkeypatch.setattr("outbox.reachability.time.monotonic", lambda: clock[0])
    for name in ("resend", "sendgrid"):
        for _ in range(THRESHOLD):
            reachability().missed(name, NO_ROUTE)
    assert claim(5) == []
    clock[0] += 11
    assert sorted(each.provider for each in claim(5)) == ["resend", "sendgrid"]
    reachability().reached("resend")
    assert [each.provider for each in claim(5)] == ["resend"] * 3


def test_while_a_sick_host_tries_the_first_provider_the_others_go_to_the_second(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(5):
        queue()
    clock = [0.0]
    monkeypatch.setattr("outbox.reachability.time.monotonic", lambda: clock[0])
    for _ in range(THRESHOLD):
        reachability().missed("resend", NO_ROUTE)
    clock[0] += 11
    assert sorted(each.provider for each in claim(5)) == ["resend", *["sendgrid"] * 4]


def test_a_sick_host_waits_longer_each_time_but_no_more_than_a_minute(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.reachability.time.monotonic", lambda: 0.0)
    waits = []
    for _ in range(THRESHOLD + 4):
        reachability().missed("resend", NO_ROUTE)
        waits.append(reachability().closed_for("resend"))
    assert waits[THRESHOLD - 2 :] == [0, 10, 20, 40, 60, 60]


def test_the_misses_of_a_sick_host_leave_nothing_in_the_database(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(THRESHOLD):
        queue()
    answer(monkeypatch, *[NO_ROUTE] * THRESHOLD)
    finish(claim(THRESHOLD))
    assert count(ProviderState) == 0
