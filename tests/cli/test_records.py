"""`flask email` about the records: suppressions, totals, subscribers, what is not kept."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import event

import outbox
import subscribers
from background import send_in_background
from database import db, transaction, utc_now
from extensions import email
from message import EmailMessage
from models import Signup, User
from outbox import OutboxEmail, State, suppression
from tests.conftest import MakeApp


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app in which nobody delivers by itself."""
    return make_app(EMAIL_DELIVERY="thread")


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def run(runner: FlaskCliRunner, *args: str, code: int = 0) -> str:
    result = runner.invoke(args=["email", *args])
    assert result.exit_code == code, result.output
    return str(result.output)


def enqueue(app: Flask, **changes: object) -> str:
    with app.app_context():
        row = send_in_background(
            EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>", kind="welcome")
        )
        row_id = row.id
        for name, value in changes.items():
            setattr(row, name, value)
        db.session.commit()
    return row_id


def state_of(app: Flask, row_id: str) -> str:
    with app.app_context():
        row = db.session.get(outbox.OutboxRow, row_id)
        return row.state if row else "gone"


def test_suppressions_are_added_listed_and_removed(app: Flask, runner: FlaskCliRunner):
    assert run(runner, "suppressions", "list") == "nobody is suppressed\n"
    run(runner, "suppressions", "add", "Ann@Example.com", "--reason", "asked on the phone")
    run(runner, "suppressions", "add", "ben@example.com", "--scope", "marketing")
    assert "as before" in run(runner, "suppressions", "add", "ann@example.com")
    listed = run(runner, "suppressions", "list")
    assert "marketing  ben@example.com  added by hand" in listed
    assert "all        ann@example.com  asked on the phone" in listed
    assert state_of(app, enqueue(app)) == State.SUPPRESSED
    assert "may be written to again" in run(runner, "suppressions", "remove", "ann@example.com")
    assert state_of(app, enqueue(app)) == State.QUEUED
    assert "not suppressed" in run(runner, "suppressions", "remove", "ann@example.com", code=1)


def test_removing_one_scope_leaves_the_other(app: Flask, runner: FlaskCliRunner):
    for scope in ("all", "marketing"):
        run(runner, "suppressions", "add", "ann@example.com", "--scope", scope)
    run(runner, "suppressions", "remove", "ann@example.com", "--scope", "all")
    assert "marketing  ann@example.com" in run(runner, "suppressions", "list")


def test_bad_addresses_and_scopes_are_refused(runner: FlaskCliRunner):
    run(runner, "suppressions", "add", "not an address", code=2)
    run(runner, "suppressions", "add", "ann@example.com", "--scope", "some", code=2)
    run(runner, "forget", "not an address", "--yes", code=2)


def test_an_export_can_be_imported_elsewhere(
    app: Flask, runner: FlaskCliRunner, make_app: MakeApp, tmp_path: Path
):
    run(runner, "suppressions", "add", "ann@example.com", "--reason", 'said "stop", twice')
    run(runner, "suppressions", "add", "ben@example.com", "--scope", "marketing")
    with app.app_context():
        suppression.forget(db.session(), "ann@example.com")
        db.session.commit()
    exported = run(runner, "suppressions", "export")
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [row["scope"] for row in rows] == ["all", "marketing"]
    run(runner, "suppressions", "remove", "ann@example.com")
    run(runner, "suppressions", "remove", "ben@example.com")
    file = tmp_path / "suppressions.csv"
    file.write_text(exported)
    assert run(runner, "suppressions", "import", str(file)) == "2 added\n"
    assert run(runner, "suppressions", "import", str(file)) == "0 added\n"
    with app.app_context():
        both = {"to": [{"email": "ann@example.com"}, {"email": "ben@example.com"}]}
        addresses = [each["email"] for each in both["to"]]
        stopped = outbox.suppression.suppressed(db.session(), addresses)
        left, who = stopped.filter(both, "transactional")
        assert left["to"] == [{"email": "ben@example.com"}]
        assert who == 'a***@example.com: said "stop", twice'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("email\nann@example.com\n", "no column named address"),
        ("", "no column named address"),
        ("address\nann@example.com\nnot an address\n", "line 3: not an email address"),
        ("address,scope\nann@example.com,some\n", "line 2: scope must be all or marketing"),
    ],
)
def test_a_file_with_a_mistake_adds_nothing(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path, text: str, words: str
):
    file = tmp_path / "list.csv"
    file.write_text(text)
    assert words in run(runner, "suppressions", "import", str(file), code=1)
    with app.app_context():
        assert suppression.every_suppression(db.session()) == []


def test_a_plain_list_of_another_system_is_imported_with_its_byte_order_mark(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
):
    file = tmp_path / "list.csv"
    file.write_bytes("\ufeffname,address\r\nAnn, ann@example.com \r\n".encode())
    assert run(runner, "suppressions", "import", str(file)) == "1 added\n"
    with app.app_context():
        [row] = suppression.every_suppression(db.session())
        assert (row.address, row.scope, row.source) == (
            "ann@example.com", "all", "import of list.csv",
        )  # fmt: skip


def test_a_long_list_is_imported_500_at_a_time(app: Flask, runner: FlaskCliRunner, tmp_path: Path):
    file = tmp_path / "list.csv"
    people = [f"user{number % 1100}@example.com" for number in range(1200)]
    file.write_text("\n".join(["address", *people]))
    added: list[int] = []

    def count(_session: object) -> None:
        with transaction() as other:
            added.append(len(suppression.every_suppression(other)))

    event.listen(db.session, "after_commit", count)
    try:
        assert run(runner, "suppressions", "import", str(file)) == "1100 added\n"
    finally:
        event.remove(db.session, "after_commit", count)
    assert added == [500, 1000, 1100]


def test_stats_count_the_emails_of_each_name(app: Flask, runner: FlaskCliRunner):
    assert "no emails in this time" in run(runner, "stats")
    now = utc_now()
    for status, marks in (
        ("delivered", []),
        ("clicked", ["unsubscribed"]),
        ("sent", ["bounced"]),
        ("opened", ["complained"]),
        (None, []),
    ):
        enqueue(app, state="accepted", accepted_at=now, delivery_status=status, marks=marks)
    enqueue(app, created_at=now - timedelta(days=8), accepted_at=now)
    assert run(runner, "stats", "--since", "7d").splitlines()[1].split() == [
        "welcome", "5", "3", "2", "1", "1", "1", "1",
    ]  # fmt: skip
    assert run(runner, "stats", "--since", "2w").splitlines()[1].split()[1] == "6"
    assert run(runner, "stats").split()[:8] == [
        "kind", "accepted", "delivered", "opened", "clicked", "bounced", "complained",
        "unsubscribed",
    ]  # fmt: skip


@pytest.mark.parametrize("span", ["7", "d", "-1d", "7y", "99999d", "7 d"])
def test_stats_want_a_span_they_understand(runner: FlaskCliRunner, span: str):
    assert "must be like 24h, 30d or 4w" in run(runner, "stats", "--since", span, code=2)


def test_changes_of_subscribers_are_listed_shown_and_tried_again(
    app: Flask, runner: FlaskCliRunner
):
    assert run(runner, "subscribers") == "no changes\n"
    with app.app_context():
        row = subscribers.add_tag("ann@example.com", "customer")
        row_id, row.state = row.id, State.FAILED
        db.session.commit()
    assert "no emails" in run(runner, "list")
    assert f"{row_id}  failed      add-tag" in run(runner, "subscribers", "--state", "failed")
    assert "kind:        add-tag" in run(runner, "show", row_id)
    run(runner, "retry", row_id)
    assert state_of(app, row_id) == State.QUEUED
    assert "retried" in run(runner, "show", row_id)
    run(runner, "cancel", row_id)
    assert state_of(app, row_id) == State.CANCELLED


def test_show_and_list_say_what_became_of_an_email_and_who_decided(
    app: Flask, runner: FlaskCliRunner
):
    row_id = enqueue(app, delivery_status="delivered", marks=["complained"])
    assert "delivered complained" in run(runner, "list")
    assert "delivery:    delivered complained" in run(runner, "show", row_id)
    run(runner, "cancel", row_id)
    shown = run(runner, "show", row_id)
    assert "cancelled" in shown
    assert "by hand (" in shown


def test_purge_removes_bodies_first_and_rows_later(app: Flask, runner: FlaskCliRunner):
    for days in (1, 15, 91):
        enqueue(app, state=State.ACCEPTED, created_at=utc_now() - timedelta(days=days))
    assert run(runner, "purge") == "2 bodies, 1 emails and 0 sign-ups removed\n"
    said = run(runner, "purge", "--bodies", "0", "--rows", "1")
    assert said == "1 bodies, 2 emails and 0 sign-ups removed\n"
    assert "--rows must not be less" in run(
        runner, "purge", "--bodies", "30", "--rows", "7", code=2
    )


def test_purge_removes_sign_ups_that_nobody_confirmed_in_30_days(
    app: Flask, runner: FlaskCliRunner
):
    with app.app_context():
        for days in (29, 31, 90):
            at = utc_now() - timedelta(days=days)
            db.session.add(Signup(email=f"{days}@example.com", name="Ann", created_at=at))
        db.session.commit()
    assert run(runner, "purge") == "0 bodies, 0 emails and 2 sign-ups removed\n"
    with app.app_context():
        assert [each.email for each in db.session.query(Signup)] == ["29@example.com"]


def test_forget_asks_first_and_says_what_it_removed(app: Flask, runner: FlaskCliRunner):
    enqueue(app)
    with app.app_context():
        db.session.add(User(email="ann@example.com", name="Ann"))
        for email in ("ann@example.com", "ann@example.com", "ben@example.com"):
            db.session.add(Signup(email=email, name="Anybody"))
        db.session.commit()
    declined = runner.invoke(args=["email", "forget", "ann@example.com"], input="n\n")
    assert declined.exit_code == 1
    with app.app_context():
        assert db.session.query(OutboxEmail).count() == 1
    said = run(runner, "forget", "Ann@example.com", "--yes")
    assert said.startswith("1 emails, 0 events, 1 accounts and 2 sign-ups removed")
    with app.app_context():
        assert db.session.query(OutboxEmail).count() == db.session.query(User).count() == 0
        assert [each.email for each in db.session.query(Signup)] == ["ben@example.com"]


def test_nobody_is_forgotten_while_being_written_to(app: Flask, runner: FlaskCliRunner):
    enqueue(app, state=State.SENDING)
    assert "being sent now" in run(runner, "forget", "ann@example.com", "--yes", code=1)


def test_the_record_says_which_command_asked(app: Flask, runner: FlaskCliRunner):
    run(runner, "send-test", "ann@example.com")
    with app.app_context():
        [row] = outbox.reading.recent(db.session(), outbox.OutboxEmail)
        assert row.origin
        assert row.origin.endswith("email send-test")


def test_a_test_of_a_marketing_email_has_the_way_out_for_its_own_recipient(
    app: Flask, runner: FlaskCliRunner
):
    run(runner, "send-test", "cem@example.com", "--email", "onboarding-day-3")
    with app.app_context():
        [row] = outbox.reading.recent(db.session(), outbox.OutboxEmail)
        assert email.unsubscribe_links.url("cem@example.com") in row.message["text"]


def test_without_tables_a_command_says_in_one_line_what_to_do(make_app: MakeApp, tmp_path: Path):
    empty = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db").test_cli_runner()
    said = run(empty, "list", code=1)
    assert said == ("Error: the database refused (no such table: outbox; run: flask db upgrade)\n")


def test_a_test_email_to_a_suppressed_address_says_why(app: Flask, runner: FlaskCliRunner):
    run(runner, "suppressions", "add", "ann@example.com", "--reason", "asked to")
    assert "not sent: a***@example.com: asked to" in run(
        runner, "send-test", "ann@example.com", code=1
    )
