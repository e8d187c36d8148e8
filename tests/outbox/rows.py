"""Rows made and looked at directly, and providers that answer as told."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

import outbox
from database import db, transaction, utc_now
from email_service import EmailService
from message import EmailMessage
from outbox.enqueue import enqueue
from outbox.jobs import Job, Postponed
from outbox.selection import Room
from outbox.suppression import Reason, Scope, suppress
from outbox.tables import Attempt, Lane, OutboxBody, OutboxEmail
from outbox.turn import take_turn
from providers import Receipt


def message(**fields: Any) -> EmailMessage:
    return EmailMessage(**{"to": "ann@example.com", "subject": "Hi", "html": "<p>Hi</p>", **fields})


def queue(**fields: Any) -> str:
    with transaction() as session:
        return enqueue(session, message(**fields)).id


def row(email_id: str) -> OutboxEmail:
    with transaction() as session:
        found = session.get_one(OutboxEmail, email_id)
        _ = found.body
        return found


def count(table: type) -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def story(email_id: str) -> list[tuple[str, str]]:
    """The timeline without its times."""
    with transaction() as session:
        return [
            (each.type, each.detail)
            for each in outbox.timeline.moments(session.get_one(OutboxEmail, email_id))
        ]


def claim(limit: int = 1, **room: Any) -> list[Job]:
    """Lease due rows, so many of each lane at most."""
    return take_turn([], [], Room(calls=dict.fromkeys(Lane, limit), **room)).claimed


def ids_of(jobs: list[Job]) -> list[str]:
    return [row.id for job in jobs for row in job.rows]


def release(jobs: list[Job]) -> None:
    """Give claimed rows back."""
    for job in jobs:
        job.answer_all(Postponed("given back"))
    take_turn(jobs, [], None)


def change_body(email_id: str, message: dict[str, Any]) -> None:
    with transaction() as session:
        session.execute(update(OutboxBody).where(OutboxBody.id == email_id).values(message=message))


def change(email_id: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(OutboxEmail).where(OutboxEmail.id == email_id).values(values))


def open_attempt(email_id: str, provider: str, **fields: Any) -> None:
    """A call to `provider` of which nobody knows the outcome. Its bytes are those of no message."""
    values = {"wire_hash": "0", "started_at": utc_now(), "outcome": "outcome_unknown", **fields}
    with transaction() as session:
        session.add(Attempt(email_id=email_id, provider=provider, **values))


def answer(monkeypatch: pytest.MonkeyPatch, *answers: Receipt | Exception) -> list[str]:
    """Let the providers give these answers in turn; the list collects who was called."""
    called: list[str] = []
    waiting = iter(answers)

    def post(_self: EmailService, name: str, _request: object) -> Receipt:
        called.append(name)
        given = next(waiting)
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(EmailService, "post", post)
    return called


def yes(provider: str = "resend") -> Receipt:
    return Receipt(provider=provider, message_id="id-1", status=200)


def stop(address: str, scope: Scope = "all") -> bool:
    """Suppress the address; False if that was so already."""
    with transaction() as session:
        return suppress(session, address, scope, reason=Reason.HARD_BOUNCE, source="test")


def in_threads(count: int, work: Callable[[], None], app: Flask) -> None:
    def run() -> None:
        with app.app_context():
            work()
            db.session.remove()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
