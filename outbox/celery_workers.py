"""Delivery by Celery: the app that publishes and consumes ids, and the wake-up of its workers.

Imported only when EMAIL_DELIVERY is `celery`: Celery costs 0.4 s to import.
"""

from __future__ import annotations  # Celery is generic in its stubs only

import logging
import os
import queue
import threading
import time
from contextlib import suppress
from typing import Any

from celery import Celery, Task
from flask import Flask

logger = logging.getLogger(__name__)

PUBLISH_PAUSE = 5.0  # seconds without wake-ups after the broker failed
MAX_WAITING = 10_000  # messages; beyond that the worker's own look is as fast
IDS_A_MESSAGE = 100

# A dead or hung broker is noticed after half a second.
WEB_TRANSPORT = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "socket_keepalive": True,
    "max_retries": 0,
}
# A worker waits a second in each BRPOP, so its sockets need more than that.
WORKER_TRANSPORT = {"socket_connect_timeout": 5, "socket_timeout": 5, "socket_keepalive": True}


def make_celery(app: Flask) -> Celery[Any]:
    """The Celery app of `app`: tasks run inside its context, and a message holds only ids."""

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
    """Publishes ids to the workers' `task` from a thread of its own, so that no request waits.

    When the broker fails it drops what is waiting and pauses; the sweeper finds those rows.
    """

    def __init__(self, celery: Celery[Any], task: str) -> None:
        self._celery, self._task = celery, task
        self._waiting: queue.Queue[list[str]] = queue.Queue(MAX_WAITING)
        self._pid = 0  # of the process whose thread is running; a fork does not inherit it
        self._starting = threading.Lock()

    def publish(self, ids: list[str]) -> None:
        """Hand the ids of one commit over; never blocks and never raises for the broker's sake.

        A message carries up to 100.
        """
        self._start_once()
        for first in range(0, len(ids), IDS_A_MESSAGE):
            with suppress(queue.Full):
                self._waiting.put_nowait(ids[first : first + IDS_A_MESSAGE])

    def _start_once(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="email-wake", daemon=True).start()

    def _run(self) -> None:
        while True:
            ids = self._waiting.get()
            try:
                self._celery.send_task(self._task, ids, ignore_result=True, retry=False)
            except Exception as error:
                logger.warning(
                    "wake_failed broker=%s: the sweeper delivers meanwhile", type(error).__name__
                )
                time.sleep(PUBLISH_PAUSE)
                self._drop_waiting()

    def _drop_waiting(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
