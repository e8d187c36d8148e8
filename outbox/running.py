"""Who delivers: threads of the serving processes, Celery workers, or the request itself.

EMAIL_DELIVERY decides. Whatever wakes delivery here may be lost without loss: the rows are found
by the sweep.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from flask import Flask, current_app
from werkzeug.serving import is_running_from_reloader

from extensions import email
from outbox import reachability
from outbox.changes import ChangeKind
from outbox.delivery import deliver
from outbox.engine import Engine
from outbox.housekeeping import Housekeeper
from outbox.kinds import register_kind, register_kinds

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

TASK = "tasks.send_email_task"


def init_app(app: Flask) -> None:
    """Prepare the delivery that EMAIL_DELIVERY names; `start` starts it."""
    reachability.init_app(app)
    register_kinds(app)
    register_kind(app, ChangeKind())
    if app.config["EMAIL_DELIVERY"] == "celery":
        # Only here: Celery costs 0.4 s to import, and the other modes do not need it.
        from outbox.celery_workers import WakePublisher, make_celery

        celery = make_celery(app)
        app.extensions["celery"] = celery
        app.extensions["wake_publisher"] = WakePublisher(celery, TASK)
    app.before_request(_start_with_first_request)


def start(app: Flask, *, worker: bool = False, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Start this process's engine and housekeeping, once. Web processes leave both to the workers
    under Celery.

    In `sync` mode it only looks after what is overdue. `goes_on` is asked whether the process is
    still meant to take on work.
    """
    mode: str = app.config["EMAIL_DELIVERY"]
    if _engine(app) or (mode == "celery" and not worker):
        return
    with app.app_context():
        if email.restriction:
            logger.warning("%s", email.restriction)
    overdue = app.config["EMAIL_SWEEP"] if mode == "sync" else 0.0
    app.extensions["engine"] = Engine(app, overdue=overdue, goes_on=goes_on)
    app.extensions["housekeeper"] = Housekeeper(app)
    app.extensions["engine"].start()
    app.extensions["housekeeper"].start()


def start_if_serving(app: Flask) -> None:
    """Start at once under `flask run`, without waiting for traffic."""
    if _serves_with_flask_run(app):
        start(app)


def stop_claiming(app: Flask) -> None:
    """The process was asked to stop: take nothing new."""
    if engine := _engine(app):
        engine.stop_claiming()


def stop(app: Flask) -> None:
    """Finish what is in flight in this process and stop; call it before the process ends."""
    if engine := _engine(app):
        app.extensions.pop("housekeeper").stop()
        engine.stop()
    app.extensions.pop("engine", None)


def keeps_answers(app: Flask) -> bool:
    """Whether this process knows answers of providers that the database does not take yet."""
    engine = _engine(app)
    return engine is not None and engine.keeps_answers


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


def check_pool(pool: Any) -> None:
    """Exit with one line if a worker's `pool` is another than threads.

    A process that is forked off has our sockets, and no engine.
    """
    from celery.concurrency import get_implementation

    if get_implementation(pool) is not get_implementation("threads"):
        raise SystemExit(
            "emails are sent by threads: start the worker without -P (or --pool), or with "
            "-P threads"
        )


def count_workers(app: Flask, seconds: float) -> int:
    """How many Celery workers answer within so many `seconds`."""
    from outbox.celery_workers import WORKER_TRANSPORT

    celery: Celery[Any] = app.extensions["celery"]
    # The web's sockets give up before an answer can come.
    with celery.connection_for_read(transport_options=WORKER_TRANSPORT) as connection:
        return len(celery.control.ping(timeout=seconds, connection=connection) or [])


def deliver_soon(ids: Sequence[str]) -> str:
    """Let this process's engine deliver, and wait until these rows are settled or put back.

    At the latest after EMAIL_TIMEOUT. What became of how many, in words. For a Celery task.
    """
    engine = _engine(current_app)
    if engine is None:
        deliver(*ids)
        return "delivered"
    watch = engine.watches.begin(ids)
    if watch.waiting:
        engine.wake()
    counts = engine.watches.wait(watch, current_app.config["EMAIL_TIMEOUT"])
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _deliver_now(ids: list[str]) -> None:
    deliver(*ids)


def _wake_engine(_ids: list[str]) -> None:
    if engine := _engine(current_app):
        engine.wake()


def _publish(ids: list[str]) -> None:
    current_app.extensions["wake_publisher"].publish(ids)


_WAKE: dict[str, Callable[[list[str]], None]] = {
    "sync": _deliver_now,
    "thread": _wake_engine,
    "celery": _publish,
}


def _engine(app: Flask) -> Engine | None:
    """This process's engine, where it has one; a fork does not inherit its threads."""
    engine: Engine | None = app.extensions.get("engine")
    return engine if engine and engine.pid == os.getpid() else None


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
