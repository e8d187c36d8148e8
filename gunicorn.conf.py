"""gunicorn reads this file by itself: `gunicorn app:app`. WEB_CONCURRENCY and PORT adjust it.

A few slow clients hold up all its threads, and no setting here can help: that is what nginx with
`deploy/nginx.conf` is for.
"""

import os
import sys
from pathlib import Path
from typing import Any

from gunicorn.http import wsgi  # type: ignore[import-untyped]  # it ships no types

import log_setup
from config import load, read_environment
from errors import ConfigurationError
from outbox import running

try:
    settings = load(read_environment())
except ConfigurationError as error:
    sys.exit(str(error))  # here, once, rather than in every worker

if "PORT" in os.environ:  # as platforms set it; without it gunicorn's own 127.0.0.1:8000 stands
    bind = f"0.0.0.0:{settings['PORT']}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
timeout = 30
graceful_timeout = 18  # longer than one provider call may take, so that calls in flight end
keepalive = 5
max_requests = 1000
max_requests_jitter = 100
if Path("/dev/shm").is_dir():  # noqa: S108  a heartbeat on disk can stall a worker
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# Whose forwarded headers count is TRUSTED_PROXIES' business alone; gunicorn would trust loopback.
forwarded_allow_ips = ""

accesslog = "-"
# The path without its query: a reset token is a key.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms'
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": lambda: log_setup.make_formatter(settings["LOG_FORMAT"])}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "root": {"level": settings["LOG_LEVEL"], "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
}


class _Nameless(wsgi.Response):  # type: ignore[misc]  # as above
    """An answer without the `Server` header, which no setting of gunicorn's takes away."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = _Nameless


def when_ready(server: Any) -> None:
    """Say once, and not in each worker, what the settings cost."""
    if settings["RATELIMIT_ENABLED"] and not settings["REDIS_URL"]:
        server.log.warning(
            "REDIS_URL is not set: each of %d workers counts RATELIMIT_SEND and RATELIMIT_FORM by "
            "itself, so together they let %d times as much through",
            *(server.cfg.workers, server.cfg.workers),
        )


def post_worker_init(worker: Any) -> None:
    """Start delivery in the worker, after the fork and before any traffic."""
    # A thread that comes back from the disk or the network waits so long (seconds) for one that
    # computes. At Python's 5 ms the slowest of a hundred requests took three times as long.
    sys.setswitchinterval(0.001)
    # gunicorn clears `alive` at TERM, long before `worker_exit`: from then on nothing is claimed.
    running.start(worker.wsgi, goes_on=lambda: worker.alive)


def pre_request(worker: Any, _request: Any) -> None:
    """Let no worker end for its age while it keeps answers for a database that is away."""
    if running.keeps_answers(worker.wsgi):
        worker.nr -= 1  # so this request does not count towards `max_requests`


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish the emails in flight."""
    if worker.wsgi is not None:
        running.stop(worker.wsgi)
