"""The same app, delivering in each mode on each database; the provider is the simulator."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import frozen
from flask import Flask
from sqlalchemy import delete, update

import outbox
from app import create_app
from background import send_in_background
from database import db, utc_now
from message import EmailMessage
from outbox import running
from outbox.tables import OutboxEmail, ProviderState, State
from testing import TEST_SETTINGS
from tests.conftest import MakeApp
from tools.processes import Process, wait_until
from tools.servers import PostgreSQL, Valkey
from tools.simulator_process import Simulator

MODES = ("sync", "thread", "celery")
DATABASES = ("sqlite", "postgresql")


@frozen
class Delivery:
    """An app whose emails are delivered in some mode, and the simulator that receives them."""

    app: Flask
    mode: str
    simulator: Simulator

    def send(self, message: EmailMessage) -> str:
        """Enqueue and commit; the id of the email."""
        with self.app.app_context():
            email_id = send_in_background(message).id
            db.session.commit()
        return email_id

    def row(self, email_id: str) -> OutboxEmail:
        with self.app.app_context():
            found = db.session.get(outbox.OutboxEmail, email_id)
            assert found is not None
            _ = found.tries
            db.session.expunge(found)
        return found

    def wait_for(self, email_id: str, *states: State) -> OutboxEmail:
        wait_until(lambda: self.row(email_id).state in states, f"{email_id} to be {states}")
        return self.row(email_id)

    def wait_for_attempts(self, email_id: str, count: int) -> OutboxEmail:
        wait_until(
            lambda: sum(1 for each in self.row(email_id).tries if each.ended_at) >= count,
            f"{count} attempts of {email_id}",
        )
        return self.row(email_id)

    def hasten(self, email_id: str) -> None:
        """Let the wait before the next attempt be over."""
        with self.app.app_context():
            db.session.execute(
                update(OutboxEmail)
                .where(OutboxEmail.id == email_id, OutboxEmail.state == State.QUEUED)
                .values(due_at=utc_now() - timedelta(hours=1))
            )
            db.session.execute(delete(ProviderState))
            db.session.commit()

    def give_up(self, email_id: str) -> None:
        """Cancel the email, and let the provider be trusted again."""
        with self.app.app_context():
            outbox.actions.cancel(db.session(), email_id)
            db.session.execute(delete(ProviderState))
            db.session.commit()

    def accepted(self, recipient: str) -> list[dict[str, object]]:
        return self.simulator.accepted(recipient)


@pytest.fixture(
    scope="module", params=[f"{mode}-{database}" for mode in MODES for database in DATABASES]
)
def delivery(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    simulator_process: Simulator,
) -> Iterator[Delivery]:
    """Each mode on each database, delivering."""
    mode, database = request.param.split("-")
    with ExitStack() as stack:
        url = _database_url(request, stack, database, tmp_path_factory)
        settings = {
            "FLASK_DEBUG": "1",
            "DATABASE_URL": url,
            "EMAIL_DELIVERY": mode,
            "EMAIL_PROVIDER": "resend",
            "RESEND_API_KEY": "re_test",
            "RESEND_BASE_URL": simulator_process.url,
            "EMAIL_SWEEP": "0.2",
        }
        if mode == "celery":
            valkey: Valkey = request.getfixturevalue("valkey")
            settings["REDIS_URL"] = valkey.url
            log = tmp_path_factory.mktemp("worker") / "log"
            command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
            worker = stack.enter_context(Process(command, settings, log))
            worker.wait_for_output("ready.")
        app = create_app({**TEST_SETTINGS, **settings})
        running.start(app)
        yield Delivery(app, mode, simulator_process)
        running.stop(app)
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def _database_url(
    request: pytest.FixtureRequest,
    stack: ExitStack,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    if database == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        return stack.enter_context(server.database())
    migrated: Path = request.getfixturevalue("migrated_sqlite")
    path = tmp_path_factory.mktemp("delivery") / "app.db"
    path.write_bytes(migrated.read_bytes())
    return f"sqlite:///{path}"


KEYS = {"RESEND_API_KEY": "re_x", "SENDGRID_API_KEY": "SG.x"}
UNPACED = {"EMAIL_BATCH": "false", "RESEND_RATE": "off"}
"""One email a call, as fast as they are asked for."""


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app on each database; rows are enqueued without waking anybody."""
    app = make_app(
        DATABASE_URL=database_url,
        EMAIL_PROVIDER="resend,sendgrid",
        EMAIL_LEASE="40",
        **KEYS,
        **UNPACED,
    )
    with app.app_context():
        yield app
