"""A process that claims until nothing is due, with 4 threads; prints the ids it got.

`python -m tests.outbox.claim_all DATABASE_URL`
"""

import sys
import threading

from app import create_app
from extensions import db
from outbox.claim import claim
from testing import TEST_SETTINGS

app = create_app({**TEST_SETTINGS, "DATABASE_URL": sys.argv[1], "LOG_LEVEL": "ERROR"})
claimed: list[str] = []


def work() -> None:
    with app.app_context():
        while batch := claim(25):
            claimed.extend(each.id for each in batch)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with app.app_context():
    db.engine.dispose()
print("\n".join(claimed))  # noqa: T201
