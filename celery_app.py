"""Delivery by Celery: the app that publishes and consumes ids, and the wake-up of its workers.

Imported only when EMAIL_DELIVERY is `celery`: Celery costs 0.4 s to import.
"""

from __future__ import annotations  # Celery is generic in its stubs only

import logging
import time
from typing import Any

from celery import Celery, Task
from flask import Flask

logger = logging.getLogger(__name__)

TASK = "tasks.send_email_task"
PUBLISH_PAUSE = 5.0  # seconds without wake-ups after the broker failed; the sweeper finds the rows

# A dead or hung broker costs a request half a second, once.
WEB_TRANSPORT = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "socket_keepalive": True,
    "max_retries": 0,
}
# A worker waits a second in each BRPOP, so its sockets need more than that.
WORKER_TRANSPORT = {"socket_connect_timeout": 5, "socket_timeout": 5, "socket_keepalive": True}


def make_celery(app: Flask) -> Celery[Any]:
    """The Celery app of `app`: tasks run inside its context, and a message is only an id."""

    class ContextTask(Task):  # type: ignore[type-arg]  # generic in the stubs only
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery: Celery[Any] = Celery("tasks", task_cls=ContextTask)
    celery.conf.update(
        broker_url=app.config["REDIS_URL"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=WEB_TRANSPORT,
        task_publish_retry=False,
        task_ignore_result=True,
        task_acks_late=False,  # the lease in SQL is the acknowledgement
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=True,  # without it a worker can hang after a broker restart
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_concurrency=app.config["EMAIL_THREADS"],
    )
    return celery


class WakePublisher:
    """Publishes ids to the Celery workers, and stays quiet for a while when the broker fails."""

    def __init__(self, celery: Celery[Any]) -> None:
        self._celery = celery
        self._silent_until = 0.0

    def publish(self, ids: list[str]) -> None:
        for email_id in ids:
            if time.monotonic() < self._silent_until:
                return
            try:
                self._celery.send_task(TASK, [email_id], ignore_result=True, retry=False)
            except Exception as error:
                self._silent_until = time.monotonic() + PUBLISH_PAUSE
                logger.warning(
                    "wake_failed broker=%s: the sweeper delivers meanwhile", type(error).__name__
                )
