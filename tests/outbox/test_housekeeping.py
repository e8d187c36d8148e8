"""Steps that rooms above the outbox add to what each delivering process does at every sweep."""

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

import outbox
from database import transaction, try_turn, utc_now
from outbox import running
from outbox.sweep import sweep
from outbox.tables import State
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings, wait_for
from tests.outbox.rows import change, queue, row, yes
from tools.processes import PATIENCE, wait_until


def test_a_step_that_fails_is_told_of_stops_no_other_and_runs_again(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
):
    app = make_app(EMAIL_DELIVERY="thread", EMAIL_SWEEP=0.1)
    runs: list[str] = []

    def break_down() -> None:
        runs.append("broken")
        raise ZeroDivisionError

    def miss_a_table() -> None:
        with transaction() as session:
            session.execute(text("SELECT 1 FROM nowhere"))

    def work() -> None:
        runs.append("works")

    for step in (break_down, miss_a_table, work):
        outbox.housekeeping.register_step(app, step)
    running.start(app)
    wait_until(lambda: runs.count("works") >= 2, "the last step to run twice")
    assert runs[:4] == ["broken", "works", "broken", "works"]
    assert "break_down failed" in caplog.text
    assert "miss_a_table failed" in caplog.text


def test_each_app_has_its_own_steps(make_app: MakeApp):
    runs: list[str] = []
    one, other = make_app(), make_app()
    outbox.housekeeping.register_step(one, lambda: runs.append("one"))
    for app in (one, other):
        with app.app_context():
            outbox.housekeeping.run_steps()
    assert runs == ["one"]


def test_the_sweep_goes_first_and_its_failure_stops_no_step(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    runs: list[str] = []

    def fail() -> None:
        runs.append("sweep")
        raise ZeroDivisionError

    monkeypatch.setattr("outbox.housekeeping._OWN", [outbox.housekeeping.Step(fail)])
    outbox.housekeeping.register_step(app, lambda: runs.append("step"))
    with app.app_context():
        outbox.housekeeping.run_steps()
    assert runs == ["sweep", "step"]


def test_no_transaction_stays_open_while_a_step_runs(make_app: MakeApp, postgresql_url: str):
    """A server ends one that is idle for a minute, and a pooler has few sessions."""
    open_ones: list[int] = []
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle in transaction'"
    )

    def look() -> None:
        with transaction() as session:
            open_ones.append(session.execute(idle).scalar_one())

    app = make_app(DATABASE_URL=postgresql_url)
    outbox.housekeeping.register_step(app, look)
    with app.app_context():
        outbox.housekeeping.run_steps()
    assert open_ones == [0]


def test_one_process_at_a_time_sweeps(make_app: MakeApp, postgresql_url: str):
    with make_app(DATABASE_URL=postgresql_url).app_context():
        email_id = queue()
        change(email_id, expires_at=utc_now() - timedelta(seconds=1))
        with transaction() as session:
            assert try_turn(session, "housekeeping")
            assert sweep() == 0
        assert sweep() == 1
        assert row(email_id).state == State.EXPIRED


def test_no_email_waits_for_a_step(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    """However long a step waits for a lock that somebody holds."""
    app = make_app(DATABASE_URL=database_url, **settings(EMAIL_SWEEP="0.1"))
    begun, go_on = threading.Event(), threading.Event()

    def wait_long() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    outbox.housekeeping.register_step(app, wait_long)
    posting(monkeypatch, lambda name, _body: yes(name))
    with app.app_context(), delivering(app) as engine:
        assert begun.wait(PATIENCE)
        email_id = queue()
        engine.wake()
        try:
            wait_for(email_id, State.ACCEPTED)
        finally:
            go_on.set()
