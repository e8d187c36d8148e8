"""Who delivers: threads of the serving processes, Celery workers, or the request itself.

EMAIL_DELIVERY decides. Whatever wakes delivery here may be lost without loss: the rows are found
by the sweep.
"""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from flask import Flask, current_app
from werkzeug.serving import is_running_from_reloader

from outbox.delivery import deliver
from outbox.threads import Dispatcher

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

TASK = "tasks.send_email_task"


def init_app(app: Flask) -> None:
    """Prepare the delivery that EMAIL_DELIVERY names; `start` starts it."""
    if app.config["EMAIL_DELIVERY"] == "celery":
        # Only here: Celery costs 0.4 s to import, and the other modes do not need it.
        from outbox.celery_workers import WakePublisher, make_celery

        celery = make_celery(app)
        app.extensions["celery"] = celery
        app.extensions["wake_publisher"] = WakePublisher(celery, TASK)
    app.before_request(_start_with_first_request)


def start(app: Flask, *, worker: bool = False, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Start this process's dispatcher, once. Web processes leave it to the workers under Celery.

    In `sync` mode and in Celery workers it only looks after what is overdue. `goes_on` is asked
    whether the process is still meant to take on work.
    """
    mode: str = app.config["EMAIL_DELIVERY"]
    running = _dispatcher(app)
    if (running and running.pid == os.getpid()) or (mode == "celery" and not worker):
        return
    overdue = 0.0 if mode == "thread" else app.config["EMAIL_SWEEP"]
    dispatcher = app.extensions["dispatcher"] = Dispatcher(app, overdue=overdue, goes_on=goes_on)
    dispatcher.start()


def start_if_serving(app: Flask) -> None:
    """Start at once under `flask run`, without waiting for traffic."""
    if _serves_with_flask_run(app):
        start(app)


def stop_claiming(app: Flask) -> None:
    """The process was asked to stop: take nothing new."""
    if dispatcher := _dispatcher(app):
        dispatcher.stop_claiming()


def stop(app: Flask) -> None:
    """Finish what is in flight in this process and stop; call it before the process ends."""
    dispatcher = _dispatcher(app)
    if dispatcher and dispatcher.pid == os.getpid():
        dispatcher.stop()
    app.extensions.pop("dispatcher", None)


def wake(ids: list[str]) -> None:
    """Tell whoever delivers that these rows are due. Best effort, and it never raises."""
    mode: str = current_app.config["EMAIL_DELIVERY"]
    try:
        _WAKE[mode](ids)
    except Exception:
        logger.exception("wake_failed mode=%s emails=%d: the sweeper delivers them", mode, len(ids))


def worker_celery(app: Flask) -> "Celery[Any]":
    """The Celery app for a worker. Exits with one line if EMAIL_DELIVERY is not `celery`."""
    if "celery" not in app.extensions:
        raise SystemExit(
            f"EMAIL_DELIVERY is {app.config['EMAIL_DELIVERY']!r}, so there is nothing for a "
            "worker to do; set EMAIL_DELIVERY=celery and REDIS_URL"
        )
    from outbox.celery_workers import WORKER_TRANSPORT

    celery: Celery[Any] = app.extensions["celery"]
    celery.conf.broker_transport_options = WORKER_TRANSPORT
    return celery


def count_workers(app: Flask, seconds: float) -> int:
    """How many Celery workers answer within so many `seconds`."""
    from outbox.celery_workers import WORKER_TRANSPORT

    celery: Celery[Any] = app.extensions["celery"]
    # The web's sockets give up before an answer can come.
    with celery.connection_for_read(transport_options=WORKER_TRANSPORT) as connection:
        return len(celery.control.ping(timeout=seconds, connection=connection) or [])


def _deliver_now(ids: list[str]) -> None:
    for row_id in ids:
        deliver(row_id)


def _wake_dispatcher(_ids: list[str]) -> None:
    if dispatcher := _dispatcher(current_app):
        dispatcher.wake()


def _publish(ids: list[str]) -> None:
    current_app.extensions["wake_publisher"].publish(ids)


_WAKE: dict[str, Callable[[list[str]], None]] = {
    "sync": _deliver_now,
    "thread": _wake_dispatcher,
    "celery": _publish,
}


def _dispatcher(app: Flask) -> Dispatcher | None:
    dispatcher: Dispatcher | None = app.extensions.get("dispatcher")
    return dispatcher


def _start_with_first_request() -> None:
    if not current_app.testing:
        start(current_app._get_current_object())  # type: ignore[attr-defined]  # a proxy


def _serves_with_flask_run(app: Flask) -> bool:
    """Whether this is the process of `flask run` that serves, and not the reloader's parent."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run":
        return False
    reload = context.params.get("reload")
    reloads = app.debug if reload is None else reload
    return is_running_from_reloader() or not reloads
