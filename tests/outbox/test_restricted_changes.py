"""Where emails reach few people, no provider's list is changed for others. On both databases.

A provider may write to those on its lists.
"""

from uuid import uuid4

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


def an_app(make_app: MakeApp, url: str, simulator: Simulator, **own: str) -> Flask:
    return make_app(
        DATABASE_URL=url, RESEND_BASE_URL=simulator.url, **settings(EMAIL_PROVIDER="resend"), **own
    )


def two_people() -> tuple[str, str]:
    """Of whom the simulator has not heard in any test."""
    return f"ann@{uuid4().hex}.example.com", f"bob@{uuid4().hex}.example.com"


def queue_changes(*people: str) -> list[str]:
    ids = [subscribers.subscribe(each).id for each in people]
    db.session.commit()
    return ids


def outcomes(ids: list[str]) -> list[tuple[str, str | None]]:
    with transaction() as session:
        rows = [session.get_one(OutboxChange, each) for each in ids]
    return [(row.state, row.last_error) for row in rows]


def on_the_list(simulator: Simulator, *people: str) -> list[str]:
    contacts = simulator.subscribers("resend")["contacts"]
    return [each["email"] for each in contacts if each["email"] in people]


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("EMAIL_REDIRECT_TO", "EMAIL_REDIRECT_TO is set"),
        ("EMAIL_ALLOWED", "EMAIL_ALLOWED does not name it"),
    ],
)
def test_only_whom_emails_reach_joins_a_list_whenever_it_was_asked_for(
    make_app: MakeApp, database_url: str, simulator: Simulator, setting: str, why: str
):
    ann, bob = two_people()
    with an_app(make_app, database_url, simulator).app_context():
        ids = queue_changes(ann, bob)
    with an_app(make_app, database_url, simulator, **{setting: ann.upper()}).app_context():
        ids += queue_changes(ann, bob)
        finish(claim(5))
        refused = (State.SUPPRESSED, f"b***@{bob.partition('@')[2]}: {why}")
        assert outcomes(ids) == [(State.ACCEPTED, None), refused] * 2
    assert on_the_list(simulator, ann, bob) == [ann]


def test_what_another_host_asked_for_waits(
    make_app: MakeApp, database_url: str, simulator: Simulator
):
    people = two_people()
    with an_app(make_app, database_url, simulator, APP_URL="https://app.example.com").app_context():
        ids = queue_changes(*people)
    with an_app(make_app, database_url, simulator).app_context():
        finish(claim(5))
        assert outcomes(ids) == [(State.QUEUED, None)] * 2
    assert on_the_list(simulator, *people) == []
