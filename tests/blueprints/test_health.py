"""Alive, ready, and the numbers; each problem says what to do about it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, text, update

from background import send_in_background
from database import db, utc_now
from message import EmailMessage, new_id
from outbox import OutboxEmail
from tests.conftest import MakeApp
from tools.outages import locked
from tools.processes import free_port, wait_until

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
    assert ready.get_json() == {"status": "ok", "parts": {"database": "ok"}}
    flow = client.get("/deliveryz")
    assert flow.status_code == 200
    assert flow.get_json() == {
        "status": "ok",
        "problem": None,
        "due": {"transactional": 0, "changes": 0, "marketing": 0, "steps": 0},
        "other_hosts": {},
        "oldest_due_seconds": 0,
        "providers": {"inbox": "ok"},
        "marketing": "ok",
    }


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


@contextmanager
def unwritable(url: str) -> Iterator[None]:
    """Somebody holds the lock that every write needs, and does not come to an end."""
    if url.startswith("sqlite"):
        with locked(url):
            yield
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE alembic_version")
            yield


def test_a_database_that_takes_no_writes_is_not_ready_and_soon_said_to_be_so(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.readiness.PATIENCE", 0.2)  # while whoever writes waits for 10 s
    client = make_app(DATABASE_URL=database_url).test_client()
    with unwritable(database_url):
        for path in ("/readyz", "/deliveryz"):
            answer = client.get(path)
            assert (answer.status_code, answer.get_json()["status"]) == (503, "unavailable")
        assert "takes no write within 0.2 s" in client.get("/readyz").text
        assert client.get("/healthz").status_code == 200
    wait_until(lambda: client.get("/readyz").status_code == 200, "it to be ready again")


def test_a_database_that_may_only_be_read_is_not_ready(make_app: MakeApp, postgresql_url: str):
    read_only = f"{postgresql_url}&options=-c%20default_transaction_read_only%3Don"
    app = make_app(DATABASE_URL=read_only)
    assert app.test_client().get("/readyz").status_code == 503


def test_the_probe_of_a_database_changes_nothing_and_waits_for_no_migration(
    make_app: MakeApp, postgresql_url: str
):
    client = make_app(DATABASE_URL=postgresql_url).test_client()
    with psycopg.connect(postgresql_url) as deployment:
        deployment.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
        assert client.get("/readyz").status_code == 200
        deployment.rollback()
        assert deployment.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_emails_that_are_late_are_told_to_whoever_watches_delivery_and_not_to_the_balancer(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    client = any_app.test_client()
    queue_email(any_app)
    assert client.get("/deliveryz").status_code == 200
    queue_email(any_app, hours_ago=1)
    answer = client.get("/deliveryz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "late")
    assert "check the workers" in answer.get_json()["problem"]
    assert answer.get_json()["due"]["transactional"] == 2
    assert answer.get_json()["oldest_due_seconds"] >= 3600
    assert client.get("/readyz").status_code == 200


def test_what_another_host_made_is_counted_apart_and_wakes_nobody(
    make_app: MakeApp, database_url: str, outbox_emails: list[EmailMessage]
):
    queue_email(make_app(DATABASE_URL=database_url, APP_URL="https://app.example.com"), hours_ago=1)
    client = make_app(DATABASE_URL=database_url).test_client()
    answer = client.get("/deliveryz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")
    assert answer.get_json()["due"]["transactional"] == answer.get_json()["oldest_due_seconds"] == 0
    assert answer.get_json()["other_hosts"] == {"app.example.com": 1}
    assert 'outbox_other_hosts{host="app.example.com"} 1.0' in client.get("/metrics").text


def test_a_backlog_at_the_pace_of_its_provider_is_late_all_the_time(make_app: MakeApp):
    app = make_app(EMAIL_PROVIDER="resend", RESEND_API_KEY="re_test", EMAIL_DELIVERY="thread")
    queue_email(app, hours_ago=1)
    with app.app_context():  # the next call is allowed in a moment
        soon = utc_now() + timedelta(seconds=3)
        db.session.execute(
            text("INSERT INTO provider_states (name, failures, next_at) VALUES ('resend', 0, :at)"),
            {"at": soon.replace(tzinfo=None)},
        )
        db.session.commit()
    assert app.test_client().get("/deliveryz").status_code == 503


@pytest.mark.parametrize("path", ["/readyz", "/deliveryz", "/metrics"])
def test_one_connection_is_enough(make_app: MakeApp, database_url: str, path: str):
    """Behind a pooler with few sessions, whoever holds one and waits for another waits for ever."""
    single = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    app = make_app(DATABASE_URL=database_url, SQLALCHEMY_ENGINE_OPTIONS=single)
    assert app.test_client().get(path).status_code == 200


def test_metrics_count_the_outbox_by_state(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage]
):
    queue_email(app, hours_ago=1)
    sent = client.post("/api/send", json={"email": "ann@example.com", "name": "Ann"})
    assert sent.status_code == 202, sent.text
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


TOKEN = "a token for the numbers"
STRANGER = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.mark.parametrize("given", ["", TOKEN[:-1], "the token of the API", "\xff"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_strangers_get_a_status_and_no_words(make_app: MakeApp, token: str | None, given: str):
    client = make_app(METRICS_TOKEN=token, API_TOKEN="the token of the API").test_client()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {given}"}
    for caller in (STRANGER, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"HTTP_FORWARDED": "for=x"}):
        for path in ("/readyz", "/deliveryz", "/healthz"):
            answer = client.get(path, environ_overrides=caller | headers)
            assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})
        assert client.get("/metrics", environ_overrides=caller | headers).status_code == 401


def test_a_stranger_is_told_of_no_reason(make_app: MakeApp, tmp_path: Path):
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db").test_client()
    for path in ("/readyz", "/deliveryz"):
        answer = client.get(path, environ_overrides=STRANGER)
        assert (answer.status_code, answer.get_json()) == (503, {"status": "unavailable"})


def test_a_stranger_cannot_have_the_whole_queue_counted(app: Flask):
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement.lower())

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
    for caller, counts in (({}, True), (STRANGER, False)):
        asked.clear()
        assert app.test_client().get("/deliveryz", environ_overrides=caller).status_code == 200
        assert asked
        assert any("count(" in each for each in asked) is counts


def test_the_bearer_of_the_token_reads_all_from_anywhere(make_app: MakeApp):
    client = make_app(METRICS_TOKEN=TOKEN).test_client()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert "parts" in client.get("/readyz", environ_overrides=STRANGER, headers=bearer).get_json()
    assert "due" in client.get("/deliveryz", environ_overrides=STRANGER, headers=bearer).get_json()
    metrics = client.get("/metrics", environ_overrides=STRANGER, headers=bearer)
    assert (metrics.status_code, "outbox_emails" in metrics.text) == (200, True)


def test_without_tables_every_request_that_needs_them_is_503_and_the_log_names_the_command(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    client = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db").test_client()
    with client.session_transaction() as session:
        session["user"] = {"id": new_id(), "since": time.time(), "seen": time.time()}
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
