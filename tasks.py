"""The Celery worker's entry: `celery -A tasks worker --loglevel=info`. Web code never imports it.

Everything is imported here, at load: inside a task the `celery` command no longer finds modules
of this folder.
"""

from __future__ import annotations  # Celery is generic in its stubs only

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down

from app import app as flask_app
from outbox import running

celery: Celery[Any] = running.worker_celery(flask_app)


@celery.task(name=running.TASK)
def send_email_task(*ids: str) -> str:
    """Deliver these emails of the outbox; returns what became of them, as "3 accepted".

    A repeat, or an id that is gone, does nothing.
    """
    return running.deliver_soon(ids)


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Connected so that Celery leaves the logging alone that `create_app` has set up."""


@worker_init.connect
def _start_sweeping(sender: Any, **_: Any) -> None:
    running.check_pool(sender.pool_cls)
    running.start(flask_app, worker=True)


@worker_shutting_down.connect
def _take_nothing_new(**_: Any) -> None:
    running.stop_claiming(flask_app)


@worker_shutdown.connect
def _stop_sweeping(**_: Any) -> None:
    running.stop(flask_app)
