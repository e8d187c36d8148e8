"""EMAIL_REDIRECT_TO and EMAIL_ALLOWED hold for what was queued before, too. On both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from database import transaction, utc_now
from outbox.delivery import finish
from outbox.tables import OutboxRow, State
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, settings, wait_for
from tests.outbox.rows import change, claim, open_attempt, queue, row, story
from tools.processes import Process
from tools.servers import Valkey
from tools.simulator_process import Simulator

QA = "qa@team.example.com"


@pytest.fixture
def plain(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    """The app as it was when the rows were queued."""
    app = an_app(make_app, database_url, simulator)
    with app.app_context():
        yield app


def an_app(make_app: MakeApp, url: str, simulator: Simulator, **own: str) -> Flask:
    common = settings(EMAIL_PROVIDER="resend", EMAIL_BATCH="true", EMAIL_SWEEP="0.2")
    return make_app(DATABASE_URL=url, RESEND_BASE_URL=simulator.url, **common, **own)


def test_every_email_goes_to_the_one_address_alone_whatever_was_queued_before(
    plain: Flask, make_app: MakeApp, database_url: str, simulator: Simulator
):
    alone = queue(to="Ann <ann@example.com>", cc="bob@example.com", bcc="cem@example.com")
    pair = [queue(to=f"{each}@example.com") for each in ("dan", "eve")]
    with (
        an_app(
            make_app,
            database_url,
            simulator,
            EMAIL_REDIRECT_TO=f"QA <{QA}>",
            EMAIL_ALLOWED="nobody.co",
        ).app_context() as context,
        delivering(context.app),
    ):
        for each in (alone, *pair):
            wait_for(each, State.ACCEPTED)
    records = simulator.accepted()
    assert {(*each["to"], *each["cc"], *each["bcc"]) for each in records} == {(QA,)}
    assert sorted(each["headers"]["X-Original-To"] for each in records) == [
        "ann@example.com, bob@example.com, cem@example.com", "dan@example.com", "eve@example.com",
    ]  # fmt: skip
    assert len({each["idempotency_key"] for each in records}) == 1  # they share a call as ever
    assert ("attempt", f"resend, to {QA} alone (EMAIL_REDIRECT_TO)") in story(alone)
    assert row(alone).recipient == "ann@example.com"


def test_a_repeat_that_may_have_reached_its_own_recipient_is_not_made(
    plain: Flask, make_app: MakeApp, database_url: str, simulator: Simulator
):
    ids = [queue(to=f"{each}@example.com") for each in ("drop-after-accept-1", "bob")]
    finish(claim(5))
    with transaction() as session:
        session.query(OutboxRow).update({"due_at": utc_now()})
    for own in ({"EMAIL_REDIRECT_TO": QA}, {"EMAIL_ALLOWED": "team.example.com"}):
        with an_app(make_app, database_url, simulator, **own).app_context():
            finish(claim(5))
    assert [row(each).state for each in ids] == [State.UNKNOWN] * 2
    assert len(simulator.accepted()) == 2


def test_whom_nobody_allowed_gets_nothing_and_the_record_says_why(
    plain: Flask, make_app: MakeApp, database_url: str, simulator: Simulator
):
    names = ("ann@team.example.com", "Bob@Partner.example.com", "eve@example.com")
    ids = [queue(to=each) for each in names]
    several = queue(to=["cem@team.example.com", "fay@example.com"], cc="gus@example.com")
    near = queue(to="ann@sub.team.example.com")
    pinned = queue(to="eve@example.com")
    change(pinned, pinned=True, provider="resend", only_provider="resend")
    open_attempt(pinned, "resend")
    allowed = "team.example.com, bob@partner.example.com"
    with an_app(make_app, database_url, simulator, EMAIL_ALLOWED=allowed).app_context() as context:
        later = [queue(to=each) for each in ("hal@example.com", "ida@team.example.com")]
        with delivering(context.app):
            for each in (*ids[:2], several, later[1]):
                wait_for(each, State.ACCEPTED)
            wait_for(pinned, State.UNKNOWN)
            wait_for(near, State.SUPPRESSED)
    assert sorted(each for record in simulator.accepted() for each in record["recipients"]) == [
        "Bob@partner.example.com", "ann@team.example.com", "cem@team.example.com",
        "ida@team.example.com",
    ]  # fmt: skip
    why = "e***@example.com: EMAIL_ALLOWED does not name it"
    for each, stored in ((ids[2], why), (later[0], why.replace("e***", "h***", 1))):
        assert (row(each).state, row(each).last_error) == (State.SUPPRESSED, stored)
        assert (State.SUPPRESSED, stored) in story(each)
    assert [text for what, text in story(several) if what == "left_out"] == [
        "f***@example.com: EMAIL_ALLOWED does not name it; "
        "g***@example.com: EMAIL_ALLOWED does not name it"
    ]


def test_a_celery_worker_redirects_what_was_queued_before_it_started(
    make_app: MakeApp, sqlite_url: str, valkey: Valkey, simulator: Simulator, tmp_path: Path
):
    celery = {"EMAIL_DELIVERY": "celery", "REDIS_URL": valkey.url}
    variables = {
        "FLASK_DEBUG": "1", "DATABASE_URL": sqlite_url, "EMAIL_PROVIDER": "resend",
        "RESEND_API_KEY": "re_x", "RESEND_BASE_URL": simulator.url, "EMAIL_SWEEP": "0.2",
        "EMAIL_REDIRECT_TO": QA, **celery,
    }  # fmt: skip
    with an_app(make_app, sqlite_url, simulator).app_context():
        ids = [queue(to=f"{each}@example.com") for each in ("ann", "bob")]
        command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
        with Process(command, variables, tmp_path / "log") as worker:
            for each in ids:
                wait_for(each, State.ACCEPTED)
            assert "Every email goes to q***@team.example.com (EMAIL_REDIRECT_TO)." in (
                worker.output()
            )
    assert [each["recipients"] for each in simulator.accepted()] == [[QA]] * 2
