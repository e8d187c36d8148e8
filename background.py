"""What views call to send: one row in the outbox, in their own transaction.

The row is stored with the caller's own data; delivery starts after the commit.
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from attrs import frozen
from blinker import Namespace
from flask import Flask, current_app, has_request_context, request
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

import outbox
from database import Limit, db
from message import EmailMessage
from outbox import Enqueued, OutboxChange, OutboxEmail, OutboxStep
from providers import SubscriberChange

logger = logging.getLogger(__name__)

SOONEST, SPREAD = 0.2, 0.5  # seconds until what was asked is answered: so many and up to so many

emails_queued = Namespace().signal("emails-queued")
"""Sent after a commit that queued emails, with `messages`, a list of `EmailMessage`."""


def send_in_background(
    message: EmailMessage,
    *,
    limited_by: Sequence[Limit] = (),
    intent_fields: Mapping[str, Any] | None = None,
) -> OutboxEmail:
    """Put `message` into the outbox, in the transaction of `db.session`; the caller commits.

        send_in_background(emails.welcome(to=user.email, name=user.name))
        db.session.commit()

    Delivery starts after that commit, in the way EMAIL_DELIVERY says; a rollback leaves nothing.
    Returns the row: `row.id` is the email's id for `GET /api/emails/<id>`. `limited_by` and
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
        limited_by=limited_by,
        intent_fields=intent_fields,
        origin=_origin(),
    )
    if row.id == message.id and row.state == "queued":
        _remember(session, row.id, message)
    return row


def send_many_in_background(messages: Sequence[EmailMessage]) -> Enqueued:
    """Put some hundreds of messages into the outbox, by a few statements for all; you commit.

    What is said of `send_in_background` holds. A message whose intent key was used before is not
    stored, and none of them holds up an email that was queued by itself.
    """
    session = db.session()
    enqueued = outbox.enqueue_many(session, messages, origin=_origin())
    by_id = {message.id: message for message in messages}
    for row_id in enqueued.queued:
        _remember(session, row_id, by_id[row_id])
    return enqueued


def change_in_background(change: SubscriberChange) -> OutboxChange:
    """Put a change of a subscriber into the outbox, like an email; the caller commits.

    `subscribers` has a function for each kind of change. Raises `UnsupportedFeature` if the first
    provider of EMAIL_PROVIDER has no such thing.
    """
    session = db.session()
    row = outbox.enqueue_change(session, change, origin=_origin())
    if row.state == "queued":
        _remember(session, row.id)
    return row


@frozen
class Asked:
    """What somebody asked of `address`, for the function that answers it by an email or by none.

    It looks up who that is in `session`, calls `send` like `send_in_background`, and does not
    commit.
    """

    session: Session
    address: str
    data: Mapping[str, Any]
    send: Callable[..., object]


Answer = Callable[[Asked], None]
_answers: dict[str, Answer] = {}


def answers(kind: str) -> Callable[[Answer], Answer]:
    """Make a function the one that answers what is asked as `kind`."""

    def register(answer: Answer) -> Answer:
        _answers[kind] = answer
        return answer

    return register


def ask_in_background(kind: str, address: str, **data: str) -> None:
    """Have `answers(kind)` send an email to `address`, or none; the caller commits.

    The request does the same whoever that is, and the answer comes at a random moment, so that
    nobody can measure who has an account. In `sync` mode it comes at once. `data` is no secret: it
    is stored until then.
    """
    session = db.session()
    if current_app.config["EMAIL_DELIVERY"] == "sync":
        _answers[kind](Asked(session, address.lower(), data, send_in_background))
        return
    wait = SOONEST + SPREAD * secrets.SystemRandom().random()
    row = outbox.enqueue_step(
        session, kind, address=address, data=data, wait=wait, origin=_origin()
    )
    _remember(session, row.id)


def _answer(session: Session, row: OutboxStep) -> None:
    """The step that a row of `ask_in_background` stands for."""
    sent: list[EmailMessage] = []

    def send(message: EmailMessage, *, limited_by: Sequence[Limit] = ()) -> None:
        email = outbox.enqueue(session, message, limited_by=limited_by, origin=row.origin)
        if email.state == "queued":
            sent.append(message)

    def tell(_: Session) -> None:
        if sent and not session.in_nested_transaction():
            emails_queued.send(current_app, messages=sent)

    event.listen(session, "after_commit", tell)
    _answers[row.kind](Asked(session, row.recipient, row.message, send))


def _origin() -> str | None:
    """The view or command that is running, for the record."""
    if has_request_context():
        return request.endpoint
    command = click.get_current_context(silent=True)
    return command.command_path if command else None


def _remember(session: Session, row_id: str, message: EmailMessage | None = None) -> None:
    pending = session.info.setdefault("emails", [])
    pending.append(_Pending(row_id, message, session.get_nested_transaction()))


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
        outbox.running.wake([each.id for each in pending])


@event.listens_for(db.session, "after_soft_rollback")
def _forget_after_rollback(session: Session, transaction: SessionTransaction) -> None:
    pending: list[_Pending] = session.info.pop("emails", [])
    kept = [each for each in pending if transaction.nested and not each.lies_within(transaction)]
    if kept:
        session.info["emails"] = kept


def uncommitted_ids() -> list[str]:
    """Ids of emails that were enqueued in this session and not committed yet."""
    return [each.id for each in db.session().info.get("emails", [])]


def init_app(app: Flask) -> None:
    """Answer what is asked, and watch for views and commands that forget to commit."""
    outbox.register_steps(app, _answer)
    app.after_request(_refuse_uncommitted)
    app.teardown_appcontext(_refuse_uncommitted_outside_requests)


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
