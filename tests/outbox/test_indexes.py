"""The cost of an email does not grow with the table: every statement of the engine names its index.

The statements are those that a run really executes, collected as they go by, so none is forgotten.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, field
from flask import Flask
from sqlalchemy import Engine, event, insert, text

from database import Limit, db, transaction, utc_now
from email_service import EmailService
from errors import AuthenticationFailed, EmailSendError, OutcomeUnknown, ProviderUnavailable
from message import new_id
from outbox.enqueue import enqueue
from outbox.hosts import adopt
from outbox.suppression import suppress
from outbox.tables import (
    ATTEMPTS,
    BODIES,
    OUTBOX,
    OutboxBatch,
    OutboxBody,
    OutboxEmail,
    ProviderState,
    State,
    own_host,
)
from providers import PROVIDERS, Receipt, WireRequest
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, settings, wait_for, wait_for_row
from tests.outbox.reports import HARD, accepted, reported
from tests.outbox.rows import change, message, open_attempt, queue, yes

EXPECTED = {
    **dict.fromkeys(("several", "claimed", "called", "twice", "batched"), State.ACCEPTED),
    **dict.fromkeys(("resent", "reported"), State.ACCEPTED),
    **dict.fromkeys(("lost", "mute", "dead", "dead too"), State.UNKNOWN),
    "gone": State.SUPPRESSED,
    "late": State.EXPIRED,
}
OTHER_HOST = "app.example.com"
SMALL_TABLES = ("CONSTANT", "anon_1", "provider_states", "lane_states")
"""No table at all, what a statement found by itself, a row a provider, and a row a lane."""
SMALL_INDEXES = (
    "ix_outbox_quarantined", "ix_outbox_leased", "ix_outbox_unknown", "ix_email_events_bad",
    "ix_limit_uses_until",
)  # fmt: skip
"""Of rows that are few at any time."""


@define
class Statements:
    """What was executed, each once, with parameters it had."""

    seen: dict[str, Any] = field(factory=dict)

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self, _c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool
    ) -> None:
        self.seen.setdefault(statement, parameters[0] if many else parameters)


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    app = make_app(
        DATABASE_URL=database_url,
        **settings(EMAIL_BATCH="true", RESEND_RATE="1000/second", EMAIL_SWEEP="0.1"),
    )
    with app.app_context():
        yield app


def post(_self: EmailService, name: str, request: WireRequest) -> Receipt:
    body = request.body.decode()
    for word, error in {
        "unavailable@": ProviderUnavailable("answered 503", 503),
        "refused@": AuthenticationFailed("answered 403", 403),
        "lost@": OutcomeUnknown("no answer", retryable=False),
    }.items():
        if word in body:
            raise error
    return yes(name)


def post_batch(
    _self: EmailService, name: str, request: WireRequest, count: int
) -> list[Receipt | EmailSendError]:
    if b"twice@" in request.body and not pretended:
        pretended.append(request.body)
        raise OutcomeUnknown("no answer", retryable=True)
    return [yes(name)] * count


LIMIT = Limit("letters", "ann@example.com", 3)
pretended: list[bytes] = []


def prepare_rows(app: Flask) -> dict[str, str]:
    """All that the engine and housekeeping can meet."""
    past = utc_now() - timedelta(hours=1)
    names = (
        "unavailable", "refused", "lost", "gone", "late", "claimed", "called", "mute", "twice",
        "resent", "reported", "dead",
    )  # fmt: skip
    ids = {name: queue(to=f"{name}@example.com", sensitive=True) for name in names}
    ids["several"] = queue(to=["ann@example.com", "gone@example.com"])
    ids["batched"], ids["dead too"] = queue(to="twice@example.com"), queue()
    with transaction() as session:
        suppress(session, "gone@example.com", "all", reason="test", source="test")
        enqueue(session, message(intent_key="key"), limited_by=[LIMIT])
        enqueue(session, message(intent_key="key"), limited_by=[LIMIT])
    lost = {"state": State.SENDING, "lease_until": past}
    changes: dict[str, dict[str, Any]] = {
        "unavailable": {"single": True},
        "refused": {"single": True, "only_provider": "resend"},
        "lost": {"single": True},
        "late": {"expires_at": past, "quarantined": True},
        "claimed": lost,
        "called": lost | {"calling_since": past, "provider": "resend"},
        "mute": lost | {"calling_since": past, "provider": "sendgrid"},
        "resent": {"state": State.UNKNOWN, "unknown_since": past, "if_unknown": "resend"},
        "reported": {"delivery_status": "delivered"},
    }
    for name, values in changes.items():
        change(ids[name], **values)
    refusal = {"outcome": "authentication_failed", "ended_at": past}
    open_attempt(ids["refused"], "resend", **refusal)
    open_attempt(ids["late"], "resend", outcome="accepted")  # so it takes others
    with transaction() as session:
        session.add(ProviderState(name="sendgrid", failures=5, open_until=past))
    return ids


def fill() -> None:
    """Many emails that are done, and many that wait for their day: so a planner knows the table."""
    now = utc_now()
    rows = [
        {
            "id": new_id(), "task": "email", "kind": "x", "category": "transactional",
            "lane": number % 3, "recipient": f"{number}@example.com", "subject": "x",
            "if_unknown": "hold", "sensitive": False, "due_at": now + timedelta(days=number),
            "created_at": now, "attempts": 0, "quarantined": False, "crashes": 0, "pinned": False,
            "host": own_host(),
            "single": False, "size": 1, "marks": [], "expires_at": now + timedelta(days=2 * number),
            "state": State.QUEUED if number % 4 == 1 else State.ACCEPTED,
        }
        for number in range(1, 4000)
    ]  # fmt: skip
    # As many that another host made, all of them due.
    rows += [
        row | {"id": new_id(), "host": OTHER_HOST, "due_at": now, "expires_at": None}
        for row in rows
        if row["state"] == State.QUEUED
    ]
    bodies = [{"id": row["id"], "message": {}} for row in rows]
    attempts = [
        {
            "id": new_id(), "email_id": row["id"], "provider": "resend", "wire_hash": "0",
            "started_at": now, "ended_at": now, "outcome": "accepted",
        }
        for row in rows
    ]  # fmt: skip
    with transaction() as session:
        session.execute(insert(OUTBOX), rows)
        session.execute(insert(BODIES), bodies)
        session.execute(insert(ATTEMPTS), attempts)
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ANALYZE"))  # which it does by itself, in time


def be_dead(first: str, second: str) -> None:
    """A batch with which a process died alone for the third time."""
    past = utc_now() - timedelta(hours=1)
    batch_id = new_id()
    lost: dict[str, Any] = {"state": State.SENDING, "lease_until": past, "calling_since": past}
    with transaction() as session:
        session.add(
            OutboxBatch(
                id=batch_id, kind="batch", category="transactional", recipient="", subject="",
                if_unknown="hold", sensitive=False, due_at=past, created_at=past, crashes=2,
                quarantined=True, provider="resend", only_provider="resend", **lost,
                body=OutboxBody(message={"hash": "0"}),
            )
        )  # fmt: skip
    for position, email_id in enumerate((first, second)):
        change(email_id, batch_id=batch_id, batch_position=position, **lost)


@pytest.fixture
def statements(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Of a run in which everything happened."""
    pretended.clear()
    monkeypatch.setattr(EmailService, "post", post)
    monkeypatch.setattr(EmailService, "post_batch", post_batch)
    well = SimpleNamespace(error=None)
    monkeypatch.setattr(PROVIDERS["sendgrid"], "check_key", lambda _self: well)
    monkeypatch.setattr("outbox.outcomes.backoff", lambda _attempt: 600.0)
    ids = prepare_rows(app)
    be_dead(ids["dead"], ids["dead too"])
    fill()
    reported(accepted(200)[:5], HARD)  # so many that they are counted
    statements = Statements()
    statements.listen(db.engine)
    with delivering(app) as engine:
        wait_for_row(ids["twice"], lambda found: found.pinned, "to wait with its batch")
        with transaction() as session:
            batch_id = session.get_one(OutboxEmail, ids["twice"]).batch_id
            session.get_one(OutboxBatch, batch_id).due_at = utc_now() - timedelta(hours=1)
        engine.wake()
        for name, state in EXPECTED.items():
            wait_for(ids[name], state)
        wait_for_row(ids["refused"], lambda found: found.attempts > 0, "to be refused alone")
    assert pretended
    with transaction() as session:
        enqueue(session, message(), limited_by=[LIMIT])
    return statements


def plan(statement: str, parameters: Any) -> list[str]:
    """How the database finds the rows that the statement is about."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row.detail for row in rows]
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return [row[0].strip() for row in rows]


def without_index(lines: list[str]) -> list[str]:
    """The lines of a plan that read a whole table, or a whole index that may be large."""
    found: list[str] = []
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        table = re.search(r"SCAN (\w+)|Seq Scan on (\w+)", line)
        index = re.search(r"SEARCH \w+ USING (?:COVERING )?INDEX (\w+)$|Scan using (\w+)", line)
        if table and (table[1] or table[2]) not in SMALL_TABLES:
            found.append(line)
        elif index and (index[1] or index[2]) not in SMALL_INDEXES:
            is_first_of_all = "Limit" in before and "Filter" not in after
            if "Index Cond" not in after and not is_first_of_all:
                found.append(line)
    return found


def passes_over_other_hosts(statement: str, parameters: Any) -> bool:
    """Whether nothing that another host queued is looked at, though it is due and many."""
    lines = plan(statement, parameters)
    return all(
        "host" in line + after  # PostgreSQL's condition has a line of its own
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if "ix_outbox_due" in line
    )


def test_every_statement_of_the_engine_names_its_index(statements: Statements):
    asked = {
        each: parameters
        for each, parameters in statements.seen.items()
        if each.startswith(("SELECT", "UPDATE", "DELETE"))
    }
    found = {each: without_index(plan(each, parameters)) for each, parameters in asked.items()}
    assert {each: lines for each, lines in found.items() if lines} == {}
    everything = " ".join(asked)
    for table in ("outbox", "outbox_bodies", "attempts", "suppressions", "received_events"):
        assert f"FROM {table}" in everything
    assert "outbox.accepted_at >= " in everything
    assert "limit_uses.limit_key = " in everything
    assert len(asked) > 50  # what a run executes; far fewer would mean that it was not one
    assert [each for each in asked if not passes_over_other_hosts(each, asked[each])] == []
    with transaction() as session:
        assert sum(adopt(session, OTHER_HOST, by="in a test")) == 1000
    selects = (each for each in statements.seen if each.startswith("SELECT") and each not in asked)
    [adopting] = [each for each in selects if "state = 'queued'" in each]
    assert passes_over_other_hosts(adopting, statements.seen[adopting])
