"""`send_in_background`, and how the outbox is delivered: threads, Celery, or at once.

The row in the outbox is the promise. Whatever wakes delivery here may be lost without loss.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import click
from attrs import frozen
from blinker import Namespace
from flask import Flask, current_app, has_request_context, request
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction
from werkzeug.serving import is_running_from_reloader

import outbox
from dispatcher import Dispatcher
from extensions import db
from message import EmailMessage
from models import OutboxChange, OutboxEmail, OutboxRow
from providers import SubscriberChange

logger = logging.getLogger(__name__)

emails_queued = Namespace().signal("emails-queued")
"""Sent after a commit that queued emails, with `messages`, a list of `EmailMessage`."""


def send_in_background(
    message: EmailMessage,
    *,
    limit_key: str | None = None,
    intent_fields: Mapping[str, Any] | None = None,
) -> OutboxEmail:
    """Put `message` into the outbox, in the transaction of `db.session`; the caller commits.

        send_in_background(emails.welcome(to=user.email, name=user.name))
        db.session.commit()

    Delivery starts after that commit, in the way EMAIL_DELIVERY says; a rollback leaves nothing.
    Returns the row: `row.id` is the email's id for `GET /api/emails/<id>`. `limit_key` and
    `intent_fields` are those of `outbox.enqueue`. Raises `TypeError` for anything but a message.
    """
    if not isinstance(message, EmailMessage):
        raise TypeError(
            f"send_in_background takes an EmailMessage, not {type(message).__name__}: a function "
            "dies with its process, a message waits in the outbox "
            "(send_in_background(emails.welcome(to=..., name=...)))"
        )
    session = db.session()
    row = outbox.enqueue(
        session,
        message,
        limit_key=limit_key,
        intent_fields=intent_fields,
        origin=_origin(),
    )
    if row.id == message.id and row.state == "queued":
        _remember(session, row, message)
    return row


def change_in_background(change: SubscriberChange) -> OutboxChange:
    """Put a change of a subscriber into the outbox, like an email; the caller commits.

    `subscribers` has a function for each kind of change. Raises `UnsupportedFeature` if the first
    provider of EMAIL_PROVIDER has no such thing.
    """
    session = db.session()
    row = outbox.enqueue_change(session, change, origin=_origin())
    _remember(session, row)
    return row


def _origin() -> str | None:
    """The view or command that is running, for the record."""
    if has_request_context():
        return request.endpoint
    command = click.get_current_context(silent=True)
    return command.command_path if command else None


def _remember(session: Session, row: OutboxRow, message: EmailMessage | None = None) -> None:
    pending = session.info.setdefault("emails", [])
    pending.append(_Pending(row.id, message, session.get_nested_transaction()))


@frozen(eq=False)
class _Pending:
    id: str
    message: EmailMessage | None
    savepoint: SessionTransaction | None

    def lies_within(self, transaction: SessionTransaction) -> bool:
        level = self.savepoint
        while level is not None and level is not transaction:
            level = level.parent
        return level is transaction


@event.listens_for(db.session, "after_commit")
def _wake_after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # a savepoint was released; the transaction itself is still open
    pending: list[_Pending] = session.info.pop("emails", [])
    if pending:
        messages = [each.message for each in pending if each.message]
        emails_queued.send(current_app, messages=messages)
        wake([each.id for each in pending])


@event.listens_for(db.session, "after_soft_rollback")
def _forget_after_rollback(session: Session, transaction: SessionTransaction) -> None:
    pending: list[_Pending] = session.info.pop("emails", [])
    kept = [each for each in pending if transaction.nested and not each.lies_within(transaction)]
    if kept:
        session.info["emails"] = kept


def uncommitted_ids() -> list[str]:
    """Ids of emails that were enqueued in this session and not committed yet."""
    return [each.id for each in db.session().info.get("emails", [])]


def wake(ids: list[str]) -> None:
    """Tell whoever delivers that these rows are due. Best effort, and it never raises."""
    mode: str = current_app.config["EMAIL_DELIVERY"]
    try:
        _WAKE[mode](ids)
    except Exception:
        logger.exception("wake_failed mode=%s emails=%d: the sweeper delivers them", mode, len(ids))


def _deliver_now(ids: list[str]) -> None:
    for email_id in ids:
        outbox.deliver(email_id)


def _wake_dispatcher(_ids: list[str]) -> None:
    dispatcher: Dispatcher | None = current_app.extensions.get("dispatcher")
    if dispatcher:
        dispatcher.wake()


def _publish(ids: list[str]) -> None:
    current_app.extensions["wake_publisher"].publish(ids)


_WAKE: dict[str, Callable[[list[str]], None]] = {
    "sync": _deliver_now,
    "thread": _wake_dispatcher,
    "celery": _publish,
}


def init_app(app: Flask) -> None:
    """Prepare the delivery that EMAIL_DELIVERY names; `start_delivery` starts it."""
    if app.config["EMAIL_DELIVERY"] == "celery":
        # Only here: Celery costs 0.4 s to import, and the other modes do not need it.
        from celery_app import WakePublisher, make_celery

        celery = make_celery(app)
        app.extensions["celery"] = celery
        app.extensions["wake_publisher"] = WakePublisher(celery)
    app.before_request(_start_with_first_request)
    app.after_request(_refuse_uncommitted)
    app.teardown_appcontext(_refuse_uncommitted_outside_requests)


def start_delivery(
    app: Flask, *, worker: bool = False, goes_on: Callable[[], bool] = lambda: True
) -> None:
    """Start this process's dispatcher, once. Web processes leave it to the workers under Celery.

    In `sync` mode and in Celery workers it only looks after what is overdue. `goes_on` is asked
    whether the process is still meant to take on work.
    """
    mode: str = app.config["EMAIL_DELIVERY"]
    running: Dispatcher | None = app.extensions.get("dispatcher")
    if (running and running.pid == os.getpid()) or (mode == "celery" and not worker):
        return
    overdue = 0.0 if mode == "thread" else app.config["EMAIL_SWEEP"]
    dispatcher = app.extensions["dispatcher"] = Dispatcher(app, overdue=overdue, goes_on=goes_on)
    dispatcher.start()


def stop_claiming(app: Flask) -> None:
    """The process was asked to stop: take nothing new."""
    dispatcher: Dispatcher | None = app.extensions.get("dispatcher")
    if dispatcher:
        dispatcher.stop_claiming()


def stop_delivery(app: Flask) -> None:
    """Finish what is in flight in this process and stop; call it before the process ends."""
    dispatcher: Dispatcher | None = app.extensions.pop("dispatcher", None)
    if dispatcher and dispatcher.pid == os.getpid():
        dispatcher.stop()


def _start_with_first_request() -> None:
    if not current_app.testing:
        start_delivery(current_app._get_current_object())  # type: ignore[attr-defined]  # a proxy


def start_if_serving(app: Flask) -> None:
    """Start delivery at once under `flask run`, without waiting for traffic."""
    if _serves_with_flask_run(app):
        start_delivery(app)


def _serves_with_flask_run(app: Flask) -> bool:
    """Whether this is the process of `flask run` that serves, and not the reloader's parent."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":
        return False
    reload = context.params.get("reload")
    reloads = app.debug if reload is None else reload
    return is_running_from_reloader() or not reloads


def _refuse_uncommitted(response: Any) -> Any:
    if response.status_code < 400:
        _complain_about_uncommitted(f"view {request.endpoint}")
    return response


def _refuse_uncommitted_outside_requests(error: BaseException | None) -> None:
    left = error is None or isinstance(error, SystemExit)  # `exit()` in a shell is no failure
    if left and not has_request_context():
        _complain_about_uncommitted("command or context")


def _complain_about_uncommitted(where: str) -> None:
    ids = uncommitted_ids()
    if not ids:
        return
    text = f"{where} ends with uncommitted emails ({', '.join(ids)}): call db.session.commit()"
    db.session.rollback()
    if current_app.debug or current_app.testing:
        raise RuntimeError(text)
    logger.error("%s", text)
