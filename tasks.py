"""The Celery worker's entry: `celery -A tasks worker --loglevel=info`. Web code never imports it.

Everything is imported here, at load: inside a task the `celery` command no longer finds modules
of this folder.
"""

from __future__ import annotations  # Celery is generic in its stubs only

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down

import background
import outbox
from app import app as flask_app
from celery_app import TASK, WORKER_TRANSPORT

if "celery" not in flask_app.extensions:
    raise SystemExit(
        f"EMAIL_DELIVERY is {flask_app.config['EMAIL_DELIVERY']!r}, so there is nothing for a "
        "worker to do; set EMAIL_DELIVERY=celery and REDIS_URL"
    )
celery: Celery[Any] = flask_app.extensions["celery"]
celery.conf.broker_transport_options = WORKER_TRANSPORT


@celery.task(name=TASK)
def send_email_task(email_id: str) -> None:
    """Deliver one email of the outbox. A repeat, or an id that is gone, does nothing."""
    outbox.deliver(email_id)


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Connected so that Celery leaves the logging alone that `create_app` has set up."""


@worker_init.connect
def _start_sweeping(**_: Any) -> None:
    background.start_delivery(flask_app, worker=True)


@worker_shutting_down.connect
def _take_nothing_new(**_: Any) -> None:
    background.stop_claiming(flask_app)


@worker_shutdown.connect
def _stop_sweeping(**_: Any) -> None:
    background.stop_delivery(flask_app)
