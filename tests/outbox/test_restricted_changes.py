"""Where emails reach few people, no provider's list is changed for others. On both databases.

A provider may write to those on its lists.
"""

import pytest
from flask import Flask

import subscribers
from database import db, transaction
from outbox.delivery import finish
from outbox.tables import OutboxChange, State
from tests.conftest import MakeApp
from tests.outbox.engines import settings
from tests.outbox.rows import claim
from tools.simulator_process import Simulator

ANN, BOB = "ann@example.com", "bob@example.com"


def an_app(make_app: MakeApp, url: str, simulator: Simulator, **own: str) -> Flask:
    return make_app(
        DATABASE_URL=url, RESEND_BASE_URL=simulator.url, **settings(EMAIL_PROVIDER="resend"), **own
    )


def queue_changes() -> list[str]:
    ids = [subscribers.subscribe(each).id for each in (ANN, BOB)]
    db.session.commit()
    return ids


def outcomes(ids: list[str]) -> list[tuple[str, str | None]]:
    with transaction() as session:
        rows = [session.get_one(OutboxChange, each) for each in ids]
    return [(row.state, row.last_error) for row in rows]


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("EMAIL_REDIRECT_TO", "Ann <Ann@Example.com>", "EMAIL_REDIRECT_TO is set"),
        ("EMAIL_ALLOWED", ANN, "EMAIL_ALLOWED does not name it"),
    ],
)
def test_only_whom_emails_reach_joins_a_list_whenever_it_was_asked_for(
    make_app: MakeApp, database_url: str, simulator: Simulator, setting: str, value: str, why: str
):
    with an_app(make_app, database_url, simulator).app_context():
        ids = queue_changes()
    with an_app(make_app, database_url, simulator, **{setting: value}).app_context():
        ids += queue_changes()
        finish(claim(5))
        assert (
            outcomes(ids)
            == [(State.ACCEPTED, None), (State.SUPPRESSED, f"b***@example.com: {why}")] * 2
        )
    assert [each["email"] for each in simulator.subscribers("resend")["contacts"]] == [ANN]


def test_what_another_host_asked_for_waits(
    make_app: MakeApp, database_url: str, simulator: Simulator
):
    with an_app(make_app, database_url, simulator, APP_URL="https://app.example.com").app_context():
        ids = queue_changes()
    with an_app(make_app, database_url, simulator).app_context():
        finish(claim(5))
        assert outcomes(ids) == [(State.QUEUED, None)] * 2
    assert simulator.subscribers("resend")["contacts"] == []
