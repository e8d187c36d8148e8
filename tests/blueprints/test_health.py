"""Alive, ready, and the numbers; each problem says what to do about it."""

import logging
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update

from background import send_in_background
from database import db, utc_now
from message import EmailMessage
from outbox import OutboxEmail
from tests.conftest import MakeApp
from tools.processes import free_port

UPGRADE = "flask db upgrade"


def queue_email(app: Flask, *, hours_ago: int = 0) -> None:
    with app.app_context():
        send_in_background(EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>"))
        db.session.execute(
            update(OutboxEmail).values(due_at=utc_now() - timedelta(hours=hours_ago))
        )
        db.session.commit()


def test_a_migrated_app_is_alive_and_ready(any_app: Flask):
    client = any_app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["status"] == "ok"
    assert ready.get_json()["parts"] == {"database": "ok", "outbox": "ok"}


UNREADY = {
    "no tables": ("DROP TABLE alembic_version", UPGRADE),
    "no revision": ("DELETE FROM alembic_version", UPGRADE),
}


@pytest.mark.parametrize("name", UNREADY)
def test_tables_that_are_missing_or_old_are_alive_but_not_ready(
    make_app: MakeApp, database_url: str, name: str
):
    app = make_app(DATABASE_URL=database_url)
    statement, hint = UNREADY[name]
    with app.app_context():
        db.session.execute(text(statement))
        db.session.commit()
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, hint in answer.get_json()["parts"]["database"]) == (503, True)


def test_a_database_that_cannot_be_reached_or_read_is_told_apart_from_one_without_tables(
    make_app: MakeApp, tmp_path: Path
):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 999)
    for url in (
        f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        f"sqlite:///{tmp_path}/no/such/folder.db",
        f"sqlite:///{tmp_path}/broken.db",
    ):
        answer = make_app(DATABASE_URL=url).test_client().get("/readyz")
        assert answer.status_code == 503
        said = "cannot be used; check DATABASE_URL, permissions and disk; see the log"
        assert answer.get_json()["parts"] == {"database": said}


def test_a_database_that_is_older_than_the_code_is_not_ready(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
):
    with app.app_context():
        applied = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    later = {"known": frozenset({applied, "of_tomorrow"}), "newest": frozenset({"of_tomorrow"})}
    monkeypatch.setattr("database.outages._revisions", lambda _migrate: SimpleNamespace(**later))
    answer = client.get("/readyz")
    assert (answer.status_code, UPGRADE in answer.get_json()["parts"]["database"]) == (503, True)


def test_a_database_that_is_newer_than_the_code_is_ready(client: FlaskClient, app: Flask):
    with app.app_context():  # a deployment migrates before the old processes go
        db.session.execute(text("UPDATE alembic_version SET version_num = 'of_tomorrow'"))
        db.session.commit()
    assert client.get("/readyz").status_code == 200


def test_an_email_that_waits_too_long_makes_it_unready(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage]
):
    queue_email(app)
    assert client.get("/readyz").status_code == 200
    queue_email(app, hours_ago=1)
    answer = client.get("/readyz")
    assert (answer.status_code, "check the workers" in answer.get_json()["parts"]["outbox"]) == (
        503,
        True,
    )


def test_metrics_count_the_outbox_by_state(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage]
):
    queue_email(app, hours_ago=1)
    client.post("/api/send", json={"email": "ann@example.com", "name": "Ann"})
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    samples = {
        (sample.name, sample.labels.get("state")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["outbox_emails", "queued"] == 2
    assert samples["outbox_emails", "accepted"] == 0
    assert samples["outbox_oldest_due_seconds", None] >= 3600


def test_without_tables_every_request_that_needs_them_is_503_and_the_log_names_the_command(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db").test_client()
    with client.session_transaction() as session:
        session["user"] = ["0198c5f0-0000-7000-8000-000000000000", "logged in before"]
    form = {"name": "Ann", "email": "ann@example.com", "password": "long enough"}
    with caplog.at_level(logging.ERROR):
        api, page = client.post("/api/signup", json=form), client.post("/signup", data=form)
        account = client.get("/account")
    assert (api.status_code, page.status_code, account.status_code) == (503, 503, 503)
    assert "error" in api.get_json()
    assert "Back in a moment" in page.text
    assert caplog.text.count(UPGRADE) == 3
    assert client.get("/").status_code == 200
    assert client.get("/nothing").status_code == 404
