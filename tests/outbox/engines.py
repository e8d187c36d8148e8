"""An app whose engine runs in the test's own process, with a provider that answers as told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from email_service import EmailService
from outbox import running
from outbox.engine import Engine
from outbox.tables import OutboxEmail, State
from providers import Receipt, WireRequest
from tests.outbox.conftest import KEYS, UNPACED
from tests.outbox.rows import row
from tools.processes import wait_until

SELDOM = "600"
"""A sweep that no test lives to see: what is delivered was woken, not found."""

Post = Callable[[str, str], Receipt | Exception]
"""Called with the provider's name and the posted body."""


def settings(**overrides: Any) -> dict[str, Any]:
    """Of an app that delivers in threads, at full speed."""
    return {
        "EMAIL_DELIVERY": "thread",
        "EMAIL_PROVIDER": "resend,sendgrid",
        "EMAIL_SWEEP": SELDOM,
        "EMAIL_THREADS": "4",
        **KEYS,
        **UNPACED,
        **overrides,
    }


@contextmanager
def delivering(app: Flask) -> Iterator[Engine]:
    """The engine and the housekeeping of this process, for as long as the block lasts."""
    running.start(app)
    try:
        yield app.extensions["engine"]
    finally:
        running.stop(app)


def posting(monkeypatch: pytest.MonkeyPatch, post: Post) -> None:
    """Let each call to a provider answer what `post` returns, or raise what it returns."""

    def answered(_self: EmailService, name: str, request: WireRequest) -> Receipt:
        given = post(name, request.body.decode())
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(EmailService, "post", answered)


def wait_for(email_id: str, *states: State) -> None:
    """Wait until the row is in one of these states."""
    wait_for_row(email_id, lambda found: found.state in states, f"to be {states}")


def wait_for_row(email_id: str, condition: Callable[[OutboxEmail], bool], what: str) -> None:
    """Wait for something about the row; the database may be away meanwhile."""

    def holds() -> bool:
        with suppress(OperationalError):
            return condition(row(email_id))
        return False

    wait_until(holds, f"{email_id} {what}", patience=20)
