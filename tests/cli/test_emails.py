"""`flask email ...` as a person types it."""

from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import event, update

import outbox
from background import send_in_background
from database import db, transaction, utc_now
from emails import all_emails
from message import EmailMessage, new_id
from outbox import OutboxEmail, State
from tests.conftest import MakeApp
from tools.simulator_process import Simulator


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def stored(app: Flask) -> list[OutboxEmail]:
    with app.app_context():
        return list(outbox.reading.recent(db.session(), outbox.OutboxEmail))


def fail_one(app: Flask) -> str:
    with app.app_context():
        message = EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>")
        row = send_in_background(message)
        db.session.commit()
        row.state, row.last_error = State.FAILED, "invalid_message: no"
        db.session.commit()
    return message.id


def test_send_test_sends_the_welcome_email_and_says_what_became_of_it(
    runner: FlaskCliRunner, app: Flask
):
    result = runner.invoke(args=["email", "send-test", "ann@example.com"])
    [row] = stored(app)
    assert result.exit_code == 0, result.output
    assert f"{row.id} is accepted (provider inbox: inbox-{row.id})" in result.output
    assert (row.recipient, row.kind) == ("ann@example.com", "welcome")


def test_send_test_takes_any_email_and_attaches_files(
    make_app: MakeApp, simulator: Simulator, tmp_path: Path
):
    file = tmp_path / "terms.pdf"
    file.write_bytes(b"%PDF-1.7")
    app = make_app(EMAIL_PROVIDER="resend", RESEND_API_KEY="re_x", RESEND_BASE_URL=simulator.url)
    args = ["email", "send-test", "ann@example.com", "--email", "receipt", "--attach", str(file)]
    assert app.test_cli_runner().invoke(args=args).exit_code == 0
    [record] = simulator.accepted("ann@example.com")
    assert record["attachments"] == ["terms.pdf"]
    assert record["subject"].startswith("Receipt")


def test_send_test_fails_with_the_providers_words(make_app: MakeApp, simulator: Simulator):
    app = make_app(EMAIL_PROVIDER="resend", RESEND_API_KEY="re_x", RESEND_BASE_URL=simulator.url)
    result = app.test_cli_runner().invoke(args=["email", "send-test", "422@example.com"])
    assert result.exit_code == 1
    assert "validation_error" in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nobody"], "not a usable email address"),
        (["ann@example.com", "--email", "nope"], "there are: "),
        (["ann@example.com", "--sample", "nope"], "welcome has the samples: "),
    ],
)
def test_send_test_explains_a_wrong_argument(
    runner: FlaskCliRunner, app: Flask, args: list[str], words: str
):
    result = runner.invoke(args=["email", "send-test", *args])
    assert (result.exit_code, words in result.output) == (2, True), result.output
    assert stored(app) == []


def test_list_shows_the_newest_first_and_filters_by_state(runner: FlaskCliRunner, app: Flask):
    assert "no emails" in runner.invoke(args=["email", "list"]).output
    runner.invoke(args=["email", "send-test", "ann@example.com"])
    failed = fail_one(app)
    lines = runner.invoke(args=["email", "list"]).output.splitlines()
    assert [failed in lines[0], "ann@example.com" in lines[1]] == [True, True]
    only = runner.invoke(args=["email", "list", "--state", "failed"]).output.splitlines()
    assert len(only) == 1


def test_list_finds_what_one_person_was_sent(runner: FlaskCliRunner):
    for to in ("Ann.Lee@example.com", "joann.lee@example.com", "bob@example.com"):
        runner.invoke(args=["email", "send-test", to])
    [line] = runner.invoke(
        args=["email", "list", "--to", "ann.LEE@example.com"]
    ).output.splitlines()
    assert "  ann.lee@example.com" in line
    assert runner.invoke(args=["email", "list", "--to", "ann"]).output == "no emails\n"


def test_show_says_that_marketing_is_paused(runner: FlaskCliRunner, app: Flask):
    with app.app_context():
        message = all_emails()["onboarding-day-3"].compose(to="ann@example.com", name="Ann")
        send_in_background(message)
        outbox.lanes.pause(db.session(), outbox.Lane.MARKETING, "too many bounces", utc_now())
        db.session.commit()
        db.session.get_one(OutboxEmail, message.id).due_at = utc_now()
        db.session.commit()
    output = runner.invoke(args=["email", "show", message.id]).output
    assert "waits for:   marketing, which is paused since" in output
    assert "too many bounces (flask email providers --resume-marketing)" in output


def test_show_prints_the_facts_and_the_timeline(runner: FlaskCliRunner, app: Flask):
    runner.invoke(args=["email", "send-test", "ann@example.com"])
    [row] = stored(app)
    output = runner.invoke(args=["email", "show", row.id.upper()]).output
    for words in ("state:       accepted", "provider:    inbox", "enqueued", "attempt"):
        assert words in output


def test_show_and_retry_say_that_an_id_is_unknown(runner: FlaskCliRunner):
    for command in ("show", "retry"):
        result = runner.invoke(args=["email", command, new_id()])
        assert result.exit_code == 1
        assert "there is no email" in result.output


def test_retry_queues_one_failed_email_or_all(runner: FlaskCliRunner, app: Flask):
    first, second, third = fail_one(app), fail_one(app), fail_one(app)
    assert runner.invoke(args=["email", "retry", first]).exit_code == 0
    result = runner.invoke(args=["email", "retry", "--failed"])
    assert "2 queued again" in result.output
    assert {row.id: row.state for row in stored(app)} == dict.fromkeys(
        (first, second, third), State.QUEUED
    )


def test_retry_takes_each_failed_email_once_though_it_fails_again_meanwhile(
    runner: FlaskCliRunner, app: Flask
):
    emails = {fail_one(app) for _ in range(3)}
    commits: list[object] = []

    def fail_again(session: object) -> None:  # as the running app does with a wrong address
        commits.append(session)
        assert len(commits) < 5, "it goes on for ever"
        with transaction() as other:
            other.execute(update(OutboxEmail).values(state=State.FAILED))

    event.listen(db.session, "after_commit", fail_again)
    try:
        result = runner.invoke(args=["email", "retry", "--failed"])
    finally:
        event.remove(db.session, "after_commit", fail_again)
    assert f"{len(emails)} queued again" in result.output, result.output


def test_retry_refuses_what_has_not_failed_and_unclear_requests(runner: FlaskCliRunner, app: Flask):
    runner.invoke(args=["email", "send-test", "ann@example.com"])
    [row] = stored(app)
    assert "only failed emails" in runner.invoke(args=["email", "retry", row.id]).output
    assert runner.invoke(args=["email", "retry"]).exit_code == 2
    assert runner.invoke(args=["email", "retry", row.id, "--failed"]).exit_code == 2


def stand_still(app: Flask, state: State) -> str:
    with app.app_context():
        message = EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>")
        row = send_in_background(message)
        db.session.commit()
        row.state, row.pinned, row.provider = state, state == State.UNKNOWN, "inbox"
        row.due_at = utc_now() + timedelta(hours=1)
        db.session.commit()
    return message.id


@pytest.mark.parametrize(
    ("state", "args", "becomes"),
    [
        (State.UNKNOWN, ["resolve", "--sent"], State.ACCEPTED),
        (State.UNKNOWN, ["resolve", "--resend"], State.QUEUED),
        (State.QUEUED, ["cancel"], State.CANCELLED),
    ],
)
def test_a_person_decides(
    runner: FlaskCliRunner, app: Flask, state: State, args: list[str], becomes: State
):
    email_id = stand_still(app, state)
    result = runner.invoke(args=["email", *args, email_id])
    assert result.exit_code == 0, result.output
    [row] = stored(app)
    assert (row.state, row.pinned) == (becomes, False)


@pytest.mark.parametrize(
    ("state", "args"),
    [
        (State.ACCEPTED, ["resolve", "--sent"]),
        (State.QUEUED, ["resolve", "--resend"]),
        (State.SENDING, ["cancel"]),
        (State.ACCEPTED, ["cancel"]),
    ],
)
def test_a_decision_that_comes_too_late_changes_nothing_and_says_so(
    runner: FlaskCliRunner, app: Flask, state: State, args: list[str]
):
    email_id = stand_still(app, state)
    result = runner.invoke(args=["email", *args, email_id])
    assert (result.exit_code, f"is {state}" in result.output) == (1, True)
    assert [row.state for row in stored(app)] == [state]


def test_what_another_host_made_is_shown_as_that_and_can_be_adopted(
    make_app: MakeApp, outbox_emails: list[EmailMessage]
):
    with make_app(APP_URL="https://app.example.com").app_context():
        people = ("ann@example.com", "bob@example.com")
        messages = [EmailMessage(to=each, subject="Hi", text="Hi") for each in people]
        ids = [send_in_background(each).id for each in messages]
        db.session.flush()
        states = {ids[0]: State.FAILED, ids[1]: State.UNKNOWN}
        for email_id, state in states.items():
            db.session.get_one(OutboxEmail, email_id).state = state
        db.session.commit()
    runner = make_app(APP_URL="https://staging.example.com").test_cli_runner()

    def said(*args: str) -> str:
        return str(runner.invoke(args=["email", *args]).output)

    for command in (("retry", ids[0]), ("resolve", "--resend", ids[1])):
        assert "flask email adopt --from https://app.example.com" in said(*command)
    assert said("list").count("@example.com (of app.example.com)") == 2
    assert "on app.example.com" in said("show", ids[0])
    assert (
        "waits for:   app.example.com made it, and this is staging.example.com "
        "(to send it: flask email adopt --from https://app.example.com)"
    ) in said("show", ids[0])
    for wrong in ("staging.example.com", "https://", "ftp://app.example.com"):
        assert "Invalid value for --from" in said("adopt", "--from", wrong)
    assert said("adopt", "--from", "https://old.example.com") == (
        "0 emails and changes of old.example.com are adopted; the running app delivers them\n"
        "2 of app.example.com still wait: flask email adopt --from https://app.example.com\n"
    )
    assert said("adopt", "--from", "app.example.com").startswith("2 emails")
    assert "(of " not in said("list")
    assert "adopted" in said("show", ids[0])


def test_resolve_wants_a_decision(runner: FlaskCliRunner, app: Flask):
    email_id = stand_still(app, State.UNKNOWN)
    assert "--sent or --resend" in runner.invoke(args=["email", "resolve", email_id]).output


def test_export_writes_each_sample_as_html_text_and_eml(make_app: MakeApp, tmp_path: Path):
    app = make_app(FROM_EMAIL="Acme <hello@example.com>")
    folder = tmp_path / "out"
    assert app.test_cli_runner().invoke(args=["email", "export", str(folder)]).exit_code == 0
    with app.app_context():
        count = sum(len(each.samples) for each in all_emails().values())
    assert len(list(folder.iterdir())) == 3 * count
    mail = message_from_bytes((folder / "welcome--normal.eml").read_bytes(), policy=policy.default)
    assert mail["From"] == "Acme <hello@example.com>"
    assert {"Date", "Message-ID", "To", "Subject"} <= set(mail.keys())
    body = mail.get_body(("html",))
    assert body is not None
    assert body.get_content().strip() == (folder / "welcome--normal.html").read_text().strip()
