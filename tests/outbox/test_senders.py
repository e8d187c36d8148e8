"""The threads that call: a slot for transactional emails, and no call after all was called off."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from database import utc_now
from outbox.jobs import Answer, Job, Kind
from outbox.senders import Senders
from outbox.tables import Lane
from tests.outbox.rows import yes
from tools.processes import PATIENCE, wait_until


class Slow(Kind):
    """Its calls go on until they are told to end."""

    task = "slow"

    def __init__(self) -> None:
        self.called: list[str] = []
        self.go_on = threading.Event()

    def prepare(self, job: Job) -> list[Job]:
        return [job]

    def call(self, job: Job) -> list[Answer]:
        self.called.append(job.token)
        assert self.go_on.wait(PATIENCE)
        return [yes()]


@pytest.fixture
def slow(app: Flask) -> Iterator[Slow]:
    kind = Slow()
    yield kind
    kind.go_on.set()


def job(kind: Kind, name: str, lane: Lane, **fields: Any) -> Job:
    until = utc_now() + timedelta(hours=1)
    return Job(kind, lane, "resend", name, until, float("inf"), [], **fields)


def test_changes_and_marketing_together_leave_a_slot_for_transactional_emails(
    app: Flask, slow: Slow
):
    senders = Senders(app, 3, lambda _job: None)
    for number in range(3):
        senders.put(job(slow, f"change {number}", Lane.CHANGES))
        senders.put(job(slow, f"marketing {number}", Lane.MARKETING))
    wait_until(lambda: len(slow.called) == 2, "two calls")
    senders.put(job(slow, "reset", Lane.TRANSACTIONAL))
    wait_until(lambda: "reset" in slow.called, "the reset", patience=10)
    assert len(slow.called) == 3
    slow.go_on.set()
    senders.close()
    assert len(slow.called) == 7


def test_marketing_whose_turn_it_is_stands_in_nobodys_way(app: Flask, slow: Slow):
    senders = Senders(app, 2, lambda _job: None)
    senders.put(job(slow, "marketing", Lane.MARKETING))
    wait_until(lambda: slow.called == ["marketing"], "the first call")
    senders.put(job(slow, "owed", Lane.MARKETING, urgent=True))
    senders.put(job(slow, "reset", Lane.TRANSACTIONAL))
    wait_until(lambda: "reset" in slow.called, "the reset", patience=10)
    slow.go_on.set()
    senders.close()
    assert slow.called == ["marketing", "reset", "owed"]


def test_what_no_thread_was_found_for_is_never_called(app: Flask, slow: Slow):
    ended: list[str] = []
    senders = Senders(app, 1, lambda each: ended.append(each.token))
    senders.put(job(slow, "first", Lane.TRANSACTIONAL))
    wait_until(lambda: slow.called == ["first"], "the first call")
    senders._pool.shutdown(wait=False)  # as the interpreter does when it goes down
    with pytest.raises(RuntimeError):
        senders.put(job(slow, "late", Lane.TRANSACTIONAL))
    slow.go_on.set()
    senders.close()
    assert (slow.called, ended) == (["first"], ["first"])
