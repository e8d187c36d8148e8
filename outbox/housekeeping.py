"""What each delivering process does at every sweep, apart from sending: a list of steps.

Rooms above the outbox add theirs when the app is made. A thread of its own runs them, so that no
email waits for them.
"""

import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from attrs import frozen
from flask import Flask, current_app
from sqlalchemy import ColumnElement, ScalarSelect, Select, func, null, select

from database import db, limits, now, transaction, utc_now, why_unavailable
from errors import EmailSendError, UnsupportedFeature
from extensions import email
from outbox import breaker, reputation
from outbox.hosts import log_waiting
from outbox.sweep import BATCH, end_lost_leases, expire_late, resend_unknown
from outbox.tables import OUTBOX, ProviderState, State, in_state

logger = logging.getLogger(__name__)


_CLOCK = func.clock_timestamp()  # the database's, where several hosts share one


@frozen
class Step:
    """Something to do now and then. `first` selects the moment from which on; None: always."""

    run: Callable[[], object]
    first: ScalarSelect[datetime] | None = None

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.run.__module__}.{getattr(self.run, '__name__', self.run)}"


def register_step(
    app: Flask, run: Callable[[], object], first: ScalarSelect[datetime] | None = None
) -> None:
    """Let `run()` be called at a sweep, in an app context and with transactions of its own.

    `first` is asked at every sweep, so it names an index; without it the step runs each time. A
    step changes 500 rows at most in one transaction, and several processes may run it at once.
    """
    app.extensions.setdefault("housekeeping_steps", []).append(Step(run, first))


def run_steps() -> None:
    """Run every step that has something to do.

    One that fails is logged, stops no other, and runs again.
    """
    for step in _due_steps():
        _run(step)


def _due_steps() -> list[Step]:
    """One read for all of them: an idle process costs next to nothing."""
    steps = [*_OWN, *current_app.extensions.get("housekeeping_steps", [])]
    asked = [step.first for step in steps if step.first is not None]
    with db.engine.connect() as connection:
        clock = null() if connection.dialect.name == "sqlite" else _CLOCK
        moment, *times = connection.execute(_look(clock, *asked)).one()
    moment = moment or utc_now()
    first = iter(times)
    due = [step.first is None or ((at := next(first)) and at <= moment) for step in steps]
    return [step for step, is_due in zip(steps, due, strict=True) if is_due]


@cache
def _look(*columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns)


def _run(step: Step) -> None:
    try:
        step.run()
    except Exception as error:
        if reason := why_unavailable(error):
            logger.error("%s cannot use the database (%s)", step.name, reason)
        else:
            logger.exception("%s failed; the other steps of housekeeping go on", step.name)


def check_paused() -> None:
    """Ask paused providers whether they know our key, where no email may be risked to find out."""
    for name in email.chain:
        if breaker.may_probe_with_email(name):
            continue
        with transaction() as session:
            moment = now(session)
            probing = breaker.is_paused(session, name) and breaker.begin_probe(
                session, name, moment
            )
        if probing:
            error = _key_error(name)
            with transaction() as session:
                states = breaker.load_states(session)
                if error is None:
                    breaker.end_pause(states, name)
                else:
                    breaker.record(session, states, name, [error], now(session), probe=True)


def forget_old_uses() -> None:
    """Remove what counts towards no limit any more."""
    with transaction() as session:
        limits.forget_uses(session, BATCH)


def _key_error(name: str) -> EmailSendError | None:
    """Why the provider does not take our key; None if it does, or if there is nothing to ask."""
    try:
        return email.provider(name).check_key().error
    except UnsupportedFeature:
        return None
    except EmailSendError as unanswered:
        return unanswered


def _earliest(column: Any, *conditions: ColumnElement[bool]) -> ScalarSelect[datetime]:
    return select(func.min(column)).where(*conditions).scalar_subquery()


_OWN = (
    Step(end_lost_leases, _earliest(OUTBOX.c.lease_until, in_state(State.SENDING))),
    Step(
        expire_late,
        _earliest(OUTBOX.c.expires_at, in_state(State.QUEUED), OUTBOX.c.expires_at.is_not(None)),
    ),
    Step(
        resend_unknown,
        _earliest(OUTBOX.c.unknown_since, in_state(State.UNKNOWN), OUTBOX.c.if_unknown == "resend"),
    ),
    Step(check_paused, _earliest(ProviderState.open_until)),
    Step(reputation.guard, reputation.FIRST_BAD),
    Step(forget_old_uses, _earliest(limits.LimitUse.until)),
)


class Housekeeper:
    """The thread that runs the steps at every sweep."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.pid = os.getpid()
        self._stopped = threading.Event()
        self._interval: float = app.config["EMAIL_SWEEP"]
        self._thread = threading.Thread(target=self._work, name="email-housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the present step and return."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        with self._app.app_context():
            _run(Step(log_waiting))
        while not self._stopped.is_set():
            with self._app.app_context():
                _run(Step(run_steps))
            self._stopped.wait(self._interval)
