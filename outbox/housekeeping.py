"""What each delivering process does at every sweep, apart from sending: a list of steps.

Rooms above the outbox add theirs when the app is made. A thread of its own runs them, so that no
email waits for them.
"""

import logging
import os
import threading
from collections.abc import Callable

from flask import Flask, current_app

from database import now, transaction, try_turn, why_unavailable
from errors import EmailSendError, UnsupportedFeature
from extensions import email
from outbox import breaker
from outbox.sweep import end_lost_leases, expire_late, resend_unknown
from providers import Receipt

logger = logging.getLogger(__name__)

Step = Callable[[], object]


def register_step(app: Flask, step: Step) -> None:
    """Let `step()` run at every sweep, in an app context and with transactions of its own.

    It begins with a read that takes no write lock, and changes 500 rows at most at once.
    """
    app.extensions.setdefault("housekeeping_steps", []).append(step)


def run_steps() -> None:
    """Run every step, unless another process is doing so.

    One that fails is logged, stops no other, and runs again.
    """
    with transaction() as session:
        if not try_turn(session, "housekeeping"):
            return
        for step in (
            end_lost_leases,
            expire_late,
            resend_unknown,
            check_paused,
            *current_app.extensions.get("housekeeping_steps", []),
        ):
            _run(step)


def _run(step: Step) -> None:
    try:
        step()
    except Exception as error:
        if reason := why_unavailable(error):
            logger.error("%s cannot use the database (%s)", _name(step), reason)
        else:
            logger.exception("%s failed; the other steps of housekeeping go on", _name(step))


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
            answer = _check_key(name)
            with transaction() as session:
                states = breaker.load_states(session)
                breaker.record(session, states, name, [answer], now(session))


def _check_key(name: str) -> Receipt | EmailSendError:
    """The answer to the check in the words of a call."""
    try:
        error = email.provider(name).check_key().error
    except UnsupportedFeature:
        error = None  # there is nothing to ask: the next email finds out
    except EmailSendError as unanswered:
        error = unanswered
    return error or Receipt(provider=name, message_id=None, status=200)


def _name(step: Step) -> str:
    return f"{step.__module__}.{getattr(step, '__name__', step)}"


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
        while not self._stopped.is_set():
            with self._app.app_context():
                _run(run_steps)
            self._stopped.wait(self._interval)
