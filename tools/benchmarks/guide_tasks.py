"""Delivery as the guide does it: a Celery task that sends, and tries again a minute later.

celery -A tools.benchmarks.guide_tasks worker --loglevel=info
python -m tools.benchmarks.guide_tasks EMAILS       publishes so many
"""

from __future__ import annotations  # Celery is generic in its stubs only

import os
import sys
from typing import Any

from celery import Celery, Task

from tools.benchmarks.peers import KEY, GuideService
from tools.benchmarks.sample import HTML, SENDER, SUBJECT

celery: Celery[Any] = Celery("guide_tasks", broker=os.environ.get("BROKER_URL"))
email = GuideService(KEY, SENDER, os.environ.get("PROVIDER_URL", ""))


@celery.task(bind=True, max_retries=3, default_retry_delay=60, name="guide.send_email")
def send_email_task(self: Task[Any, Any], to: str, subject: str, html: str) -> None:
    try:
        email.send(to, subject, html)
    except Exception as error:
        raise self.retry(exc=error) from error


def main() -> None:
    for number in range(int(sys.argv[1])):
        send_email_task.delay(f"user{number}@example.com", SUBJECT, HTML)
    sys.stdout.write("filled\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
