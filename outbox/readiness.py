"""Whether emails can be accepted, and whether they flow: for the routes and the doctor alike."""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from datetime import datetime
from threading import Thread

from attrs import frozen
from flask import Flask, current_app
from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from database import check_writable, now, schema_is_behind, transaction, why_unavailable
from extensions import email
from outbox import hosts, lanes
from outbox.breaker import WORTH_WAITING, CallState, CallStatus, call_statuses
from outbox.tables import OUTBOX, Lane, State, in_state, own_host

logger = logging.getLogger(__name__)

LATE = 120.0  # seconds the oldest due email may wait before something is wrong with delivery
PATIENCE = 2.0  # seconds for the database: whoever asks whether we are ready waits no longer


@frozen
class Problem:
    """What is wrong, and what to do about it."""

    problem: str
    remedy: str


@frozen
class Flow:
    """What is due, for how long, who may be called, and what is wrong if emails do not flow.

    `marketing` is `ok`, or since when it is paused and why; then it is not late. What other hosts
    made is not ours to deliver, and stands apart.
    """

    due: dict[str, int]  # rows in each lane
    other_hosts: dict[str, int]  # queued rows of each
    oldest_due_seconds: float
    providers: dict[str, str]
    marketing: str
    problem: Problem | None


def database_problem() -> Problem | None:
    """Why this process can store nothing; None if it can.

    A write is tried and taken back. Everything may hang, a connection as well as a lock, so it is
    tried beside: by one thread a process, whose answer others wait for as well.
    """
    extensions = current_app.extensions
    attempt: Future[Problem | None] | None = extensions.get("readiness")
    if attempt is None or attempt.done():
        attempt = extensions["readiness"] = Future()
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # as Flask says
        Thread(target=_try_database, args=(app, attempt), daemon=True).start()
    try:
        return attempt.result(PATIENCE)
    except TimeoutError:
        logger.error("the database takes no write within %g s", PATIENCE)
        return Problem(
            f"takes no write within {PATIENCE:g} s",
            "who holds a lock, or does its host not answer?",
        )


def queue_problem() -> Problem | None:
    """Why emails seem not to be delivered; None if they are, or wait for their provider.

    It counts nothing, so it costs the same whatever waits.
    """
    with transaction() as session:
        moment = now(session)
        statuses = call_statuses(session, email.chain, moment)
        return _problem(session, moment, statuses, lanes.paused(session))


def flow() -> Flow:
    """Whether emails flow."""
    with transaction() as session:
        moment = now(session)
        statuses = call_statuses(session, email.chain, moment)
        paused = lanes.paused(session)
        due = select(OUTBOX.c.lane, func.count()).where(
            in_state(State.QUEUED), OUTBOX.c.host == own_host(), OUTBOX.c.due_at <= moment
        )
        counts = {row[0]: row[1] for row in session.execute(due.group_by(OUTBOX.c.lane))}
        return Flow(
            due={lane.name.lower(): counts.get(lane, 0) for lane in Lane},
            other_hosts=hosts.waiting(session),
            oldest_due_seconds=_oldest_age(session, moment),
            providers={name: str(status) for name, status in statuses.items()},
            marketing=str(paused.get(Lane.MARKETING, "ok")),
            problem=_problem(session, moment, statuses, paused),
        )


def oldest_due_age() -> float:
    """How many seconds the longest waiting due row has been due; 0 if none is."""
    with transaction() as session:
        return _oldest_age(session, now(session))


def _try_database(app: Flask, attempt: "Future[Problem | None]") -> None:
    with app.app_context():
        try:
            behind = schema_is_behind()
            if not behind:
                check_writable()
        except SQLAlchemyError as error:
            # Only in the log: it may name the server and its user.
            logger.error("the database cannot be used (%s)", why_unavailable(error) or error)
            remedy = "check DATABASE_URL, permissions and disk; see the log"
            attempt.set_result(Problem("cannot be used", remedy))
        except BaseException as error:
            attempt.set_exception(error)
        else:
            old = Problem("is not up to date", "run: flask db upgrade")
            attempt.set_result(old if behind else None)


def _is_called(status: CallStatus, moment: datetime) -> bool:
    """Whether rows for this provider should go out, if only at the pace that it allows.

    After a pause somebody is to find out soon whether it is back.
    """
    seconds = (status.at - moment).total_seconds() if status.at else 0.0
    match status.state:
        case CallState.PAUSED:
            return False
        case CallState.PROBING:
            return -seconds > WORTH_WAITING
        case CallState.RATE_LIMITED:
            return seconds <= WORTH_WAITING
    return True


def _may_go(called: Collection[str]) -> ColumnElement[bool]:
    """Whether a row waits for nobody but us."""
    wanted = OUTBOX.c.only_provider
    anybody = wanted.is_(None) if called else false()
    return or_(anybody, wanted.in_(called), wanted.not_in(email.chain))


def _oldest_age(
    session: Session,
    moment: datetime,
    lanes: Collection[Lane] = tuple(Lane),
    *conditions: ColumnElement[bool],
) -> float:
    ours = (in_state(State.QUEUED), OUTBOX.c.host == own_host())
    oldest = [
        select(OUTBOX.c.due_at)
        .where(*ours, OUTBOX.c.lane == int(lane), *conditions)
        .order_by(OUTBOX.c.due_at)
        .limit(1)
        .scalar_subquery()
        for lane in lanes
    ]
    times = [at for at in session.execute(select(*oldest)).one() if at]
    return max(0.0, (moment - min(times)).total_seconds()) if times else 0.0


def _problem(
    session: Session,
    moment: datetime,
    statuses: Mapping[str, CallStatus],
    paused: Collection[Lane],
) -> Problem | None:
    called = [name for name, status in statuses.items() if _is_called(status, moment)]
    watched = {Lane.TRANSACTIONAL, Lane.MARKETING, Lane.STEPS} - {*paused}
    age = _oldest_age(session, moment, watched, _may_go(called))
    if age <= LATE:
        return None
    words = f"the oldest due email has waited {age:.0f} s"
    return Problem(words, "check the workers, and that their APP_URL is the same")
