"""Steps that rooms above the outbox add to what each delivering process does at every sweep."""

import pytest
from flask import Flask
from sqlalchemy import text

import outbox
from database import transaction
from outbox import running
from tests.conftest import MakeApp
from tools.processes import wait_until


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
