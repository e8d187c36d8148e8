"""Bounces and complaints pause marketing, and marketing alone. On both databases."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import outbox
from database import transaction, utc_now
from outbox import lanes, running
from outbox.reputation import COMPLAINTS, HARD_BOUNCES, Limit, guard
from outbox.tables import Lane, OutboxEmail, State
from tests.conftest import MakeApp
from tests.outbox.conftest import app as app
from tests.outbox.engines import delivering, posting, settings, wait_for
from tests.outbox.reports import COMPLAINT, HARD, SOFT, accepted, reported
from tests.outbox.rows import answer, change, claim, ids_of, in_threads, queue, row, yes
from tools.processes import wait_until


def pause() -> lanes.Pause | None:
    """Why marketing waits."""
    with transaction() as session:
        return lanes.paused(session).get(Lane.MARKETING)


def resume() -> bool:
    with transaction() as session:
        return lanes.resume(session, Lane.MARKETING, utc_now())


def notices() -> list[OutboxEmail]:
    """What the owner was told."""
    with transaction() as session:
        told = select(OutboxEmail).where(OutboxEmail.kind == "marketing-paused")
        return list(session.scalars(told))


def bad_day(count: int = 1000, bounced: int = 50, complained: int = 0) -> None:
    ids = accepted(count)
    if bounced:
        reported(ids[:bounced], HARD)
    if complained:
        reported(ids[-complained:], COMPLAINT)


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["email", "providers", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("limit", "bad", "most"),
    [
        (HARD_BOUNCES, 4, 0), (HARD_BOUNCES, 5, 100), (HARD_BOUNCES, 50, 1000),
        (COMPLAINTS, 2, 0), (COMPLAINTS, 3, 1000), (COMPLAINTS, 30, 10_000),
    ],
)  # fmt: skip
def test_so_many_are_too_many_of_so_many_accepted_emails(limit: Limit, bad: int, most: int):
    assert limit.most(bad) == most


@pytest.mark.parametrize(
    ("count", "bounced", "complained", "reason"),
    [
        (1000, 50, 0, "Z bounced hard: 5.0 %, where 5 % is too much"),
        (1000, 0, 3, "Z were called spam: 0.3 %, where 0.3 % is too much"),
        (1000, 49, 2, None),
        (99, 50, 50, None),
        (10, 2, 0, None),
    ],
)
def test_marketing_pauses_where_bounces_or_complaints_reach_their_share(
    app: Flask, count: int, bounced: int, complained: int, reason: str | None
):
    bad_day(count, bounced, complained)
    guard()
    marketing, reset = queue(category="marketing"), queue()
    claimed = {*ids_of(claim(5))} - {each.id for each in notices()}
    if reason:
        assert reason in str(pause())
        assert claimed == {reset}
        assert row(marketing).state == State.QUEUED
    else:
        assert pause() is None
        assert claimed == {reset, marketing}


def test_a_bad_hour_of_a_good_day_is_enough(app: Flask):
    accepted(2000, hours_ago=3)
    bad_day(200, bounced=10)
    guard()
    assert "10 of the 200 emails" in str(pause())


def test_so_is_a_bad_day_whose_hours_have_too_few_to_tell(app: Flask):
    for hours in (2, 6, 12, 20):
        reported(accepted(90, hours_ago=hours)[:6], HARD, hours_ago=hours - 1)
    guard()
    assert "24 of the 360 emails" in str(pause())


def test_counted_is_each_email_of_the_day_once_whatever_comes_late(app: Flask):
    """The few emails of today are not to blame for the newsletter of yesterday."""
    email_id, *others = accepted(400)
    reported([email_id] * 5, COMPLAINT)
    reported(others[:25], SOFT)
    newsletter = accepted(1000, hours_ago=25)
    reported(newsletter[:25], HARD)
    reported(newsletter[-5:], COMPLAINT)
    guard()
    assert pause() is None


@pytest.fixture
def site(make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An app that delivers, and takes every email."""
    posting(monkeypatch, lambda name, _body: yes(name))
    app = make_app(DATABASE_URL=database_url, **settings(EMAIL_SWEEP="0.1"))
    with app.app_context():
        yield app


def test_resets_go_on_the_owner_is_told_once_and_a_command_lets_marketing_go_on(
    site: Flask, make_app: MakeApp
):
    bad_day(bounced=60)
    with delivering(site):
        wait_until(lambda: pause() is not None, "marketing to be paused")
        marketing, reset = queue(category="marketing"), queue()
        wait_for(reset, State.ACCEPTED)
        wait_until(lambda: [each.state for each in notices()] == ["accepted"], "a notice")
        assert notices()[0].recipient == site.config["CONTACT_EMAIL"].email
        assert notices()[0].category == "transactional"
    with delivering(site):  # it restarts
        wait_for(queue(), State.ACCEPTED)
        assert (row(marketing).state, row(marketing).attempts) == (State.QUEUED, 0)
        assert "marketing  ok" in run(site, "--resume-marketing")
        wait_for(marketing, State.ACCEPTED)
    guard()
    assert pause() is None
    assert len(notices()) == 1
    refused = site.test_cli_runner().invoke(args=["email", "providers", "--resume-marketing"])
    assert (refused.exit_code, "marketing is not paused" in refused.output) == (1, True)


def test_a_celery_task_does_not_wait_for_what_waits_for_a_person(site: Flask):
    bad_day()
    guard()
    with delivering(site):
        assert running.deliver_soon([queue(category="marketing")]) == "1 waiting"


def test_what_comes_after_the_resume_is_counted_anew_and_told_again(app: Flask):
    bad_day()
    guard()
    assert resume()
    assert not resume()
    reported(accepted(99)[:6], HARD)  # of which there are too few
    guard()
    assert pause() is None
    accepted(1)
    guard()
    assert "6 of the 100 emails" in str(pause())
    assert len(notices()) == 2


def test_processes_that_look_at_once_tell_of_one_pause(app: Flask):
    bad_day()
    in_threads(4, guard, app)
    assert len(notices()) == 1


def test_a_notice_that_cannot_be_composed_leaves_the_pause_and_comes_later(app: Flask):
    compose = app.extensions["pause_notice"]
    app.extensions["pause_notice"] = None
    bad_day()
    with pytest.raises(TypeError):
        guard()
    assert pause()
    app.extensions["pause_notice"] = compose
    guard()
    guard()
    assert len(notices()) == 1


def test_paused_marketing_holds_up_nobody_and_is_not_late(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    """Nor is it called in the request, or alone because a worker died with it."""
    called = answer(monkeypatch)
    bad_day()
    guard()
    marketing, dangerous = queue(category="marketing"), queue(category="marketing")
    for each in notices():
        change(each.id, state=State.ACCEPTED)
    change(marketing, due_at=utc_now() - timedelta(hours=1))
    change(dangerous, due_at=utc_now() - timedelta(hours=1), quarantined=True, pinned=True)
    assert outbox.deliver(marketing) == 0
    assert not outbox.delivery.deliver_quarantined()
    with transaction() as session:
        found = outbox.due.look(session)
        assert not found.rows
        assert outbox.selection.quarantined_wait(session, utc_now()) is None
    assert called == []
    told = app.test_client().get("/deliveryz")
    assert (told.status_code, told.get_json()["status"]) == (200, "ok")
    assert told.get_json()["marketing"].startswith("paused since 20")
    assert "50 of the 1,000 emails" in told.get_json()["marketing"]
    assert "marketing  paused since 20" in run(app)
    resume()
    assert app.test_client().get("/deliveryz").status_code == 503
