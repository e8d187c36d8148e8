"""Emails as large as providers take: claims read no bodies, and small ones do not wait for them."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from database import db, transaction
from message import Attachment
from outbox.sweep import sweep
from outbox.tables import OUTBOX, State
from outbox.turn import prepare
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings, wait_for
from tests.outbox.rows import claim, queue, yes
from tools.processes import wait_until

LARGE = "x" * 1000
FILES = [Attachment(filename="large.txt", content=LARGE.encode())]


def too_large(stored: str | bytes) -> Any:
    """How a body is read for which there is no memory."""
    if "large.txt" in (stored if isinstance(stored, str) else stored.decode()):
        raise MemoryError
    return json.loads(stored)


def test_an_email_too_large_for_memory_waits_and_the_small_ones_behind_it_leave(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    app = make_app(
        DATABASE_URL=database_url,
        **settings(EMAIL_SWEEP="0.1"),
        SQLALCHEMY_ENGINE_OPTIONS={"json_deserializer": too_large},
    )
    posting(monkeypatch, lambda name, _body: yes(name))
    with app.app_context():
        large, *small = [queue(attachments=FILES), queue(), queue()]
        with delivering(app):
            for each in small:
                wait_for(each, State.ACCEPTED)
            wait_until(lambda: tried(large) == (State.QUEUED, 1), "the large one to be put off")


def tried(row_id: str) -> tuple[str, int]:
    """Its state and attempts; its body stays unread."""
    with transaction() as session:
        found = session.execute(select(OUTBOX.c.state, OUTBOX.c.attempts).filter_by(id=row_id))
        state, attempts = found.one()
    return state, attempts


def test_bodies_are_read_after_the_claim_and_only_some_at_a_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.turn.BYTES_AT_ONCE", 3 * len(LARGE))
    ids = [queue(attachments=FILES) for _ in range(6)]
    reads: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "outbox_bodies" in statement:
            reads.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    claimed = claim(6)
    sweep()
    assert (len(claimed), reads) == (len(ids), [])
    prepare(claimed)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(reads) == 3
