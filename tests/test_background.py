"""`send_in_background` at its edges: what it refuses, what wakes delivery, and what starts when."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

import emails
import outbox
from background import send_in_background
from extensions import db
from message import EmailMessage
from outbox import running
from outbox.celery_workers import WakePublisher
from tests.conftest import MakeApp
from tools.processes import PATIENCE, free_port, wait_until


def hello() -> EmailMessage:
    return EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>")


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


@pytest.mark.parametrize("nonsense", [print, "ann@example.com", None, {"to": "ann@example.com"}])
def test_anything_but_a_message_is_a_type_error_that_says_what_to_pass(
    context: Flask, nonsense: Any
):
    with pytest.raises(TypeError, match=r"takes an EmailMessage, not .* a message waits"):
        send_in_background(nonsense)


def test_the_same_message_twice_is_one_email(context: Flask):
    message = hello()
    first, second = send_in_background(message), send_in_background(message)
    assert first.id == second.id == message.id
    db.session.commit()


def test_wake_up_comes_after_the_commit_and_once(context: Flask, monkeypatch: pytest.MonkeyPatch):
    woken: list[list[str]] = []
    monkeypatch.setattr(running, "wake", woken.append)
    ids = [send_in_background(hello()).id, send_in_background(hello()).id]
    assert woken == []
    db.session.commit()
    db.session.commit()
    assert woken == [ids]


def test_a_failing_wake_up_never_reaches_the_caller(
    context: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(_ids: list[str]) -> None:
        raise OSError("no")

    monkeypatch.setitem(running._WAKE, "sync", broken)
    send_in_background(hello())
    db.session.commit()
    assert "wake_failed" in caplog.text


def forgetful(app: Flask) -> Flask:
    @app.post("/api/forgetful")
    def forget() -> str:
        send_in_background(hello())
        return "done"

    return app


def test_a_forgotten_commit_is_an_error_in_tests_and_debug(make_app: MakeApp):
    client = forgetful(make_app(WTF_CSRF_ENABLED=False)).test_client()
    with pytest.raises(RuntimeError, match=r"view forget ends with uncommitted emails .*commit"):
        client.post("/api/forgetful")


def test_a_forgotten_commit_is_logged_with_the_view_in_production(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
):
    app = forgetful(
        make_app(
            TESTING=False, FLASK_DEBUG=False, SECRET_KEY="of this test" * 3, APP_URL="http://localhost",
            FROM_EMAIL="a@example.com", EMAIL_PROVIDER="resend", RESEND_API_KEY="re_x",
        )
    )  # fmt: skip
    assert app.test_client().post("/api/forgetful").status_code == 200
    assert "view forget ends with uncommitted emails" in caplog.text
    running.stop(app)


def test_a_forgotten_commit_in_a_command_is_an_error(app: Flask):
    with pytest.raises(RuntimeError, match="uncommitted emails"), app.app_context():
        send_in_background(hello())


def test_no_thread_starts_with_the_app_or_a_command_but_with_the_first_request(
    make_app: MakeApp,
):
    app = make_app(EMAIL_DELIVERY="thread", TESTING=False, FLASK_DEBUG=True)
    app.test_cli_runner().invoke(args=["email", "list"])
    assert "engine" not in app.extensions
    app.test_client().get("/healthz")
    running = app.extensions["engine"]
    app.test_client().get("/healthz")
    assert app.extensions["engine"] is running


def test_a_web_process_starts_no_thread_under_celery(make_app: MakeApp):
    app = make_app(
        EMAIL_DELIVERY="celery", REDIS_URL="redis://127.0.0.1:1/0", TESTING=False, FLASK_DEBUG=True
    )
    app.test_client().get("/healthz")
    assert "engine" not in app.extensions


def test_a_refused_broker_is_logged_once_and_then_left_alone_for_a_while(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("outbox.celery_workers.PUBLISH_PAUSE", 2 * PATIENCE)
    app = make_app(EMAIL_DELIVERY="celery", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    with app.app_context():
        for _ in range(3):
            send_in_background(hello())
        db.session.commit()
    wait_until(lambda: "wake_failed" in caplog.text, "the warning")
    with app.app_context():
        send_in_background(hello())
        db.session.commit()
    warnings = [each for each in caplog.records if "wake_failed" in each.getMessage()]
    assert [each.levelno for each in warnings] == [logging.WARNING]


def test_publishing_starts_again_after_the_pause(monkeypatch: pytest.MonkeyPatch):
    published: list[str] = []
    paused, go_on = threading.Event(), threading.Event()

    class Broker:
        down = True

        def send_task(self, _name: str, args: list[str], **_: Any) -> None:
            if self.down:
                raise ConnectionError
            published.extend(args)

    def sleep(_seconds: float) -> None:
        paused.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr("outbox.celery_workers.time.sleep", sleep)
    broker = Broker()
    publisher = WakePublisher(broker, running.TASK)  # type: ignore[arg-type]  # a stand-in
    publisher.publish(["a"])
    assert paused.wait(PATIENCE)
    publisher.publish(["b"])
    broker.down = False
    go_on.set()

    def published_again() -> bool:
        publisher.publish(["c"])  # as long as it drops what was waiting, it drops this too
        return bool(published)

    wait_until(published_again, "a wake-up after the pause")
    assert set(published) == {"c"}


def test_emails_compose_outside_a_request_too(context: Flask):
    assert "Ann" in emails.welcome(to="ann@example.com", name="Ann").html


def test_a_process_that_is_about_to_stop_claims_nothing_more(make_app: MakeApp):
    app = make_app(EMAIL_DELIVERY="thread", EMAIL_SWEEP="0.1")
    with app.app_context():
        email_id = send_in_background(hello()).id
        db.session.commit()
    running.start(app, goes_on=lambda: False)
    engine = app.extensions["engine"]
    wait_until(lambda: not engine._thread.is_alive(), "the engine to end")
    with app.app_context():
        row = db.session.get(outbox.OutboxEmail, email_id)
        assert row is not None
        assert row.state == "queued"
