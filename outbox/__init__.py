"""The outbox: every email is a row first, and what happens to it is recorded there.

    enqueue -> (commit) -> claim -> start -> call -> outcome

`engine` takes its turns: each is one transaction for many rows. `housekeeping` finds what was lost
on the way. Changes of subscribers go the same way. So do `steps`, which the database does alone.
`running` says who delivers: threads, Celery workers, or the request.
"""

from outbox import (
    actions,
    breaker,
    bulk,
    hosts,
    housekeeping,
    lanes,
    readiness,
    reading,
    reputation,
    retention,
    running,
    suppression,
    timeline,
)
from outbox.bulk import BulkRun
from outbox.changes import enqueue_change
from outbox.delivery import deliver
from outbox.enqueue import Enqueued, enqueue, enqueue_many
from outbox.steps import enqueue_step, register_steps
from outbox.suppression import Suppression
from outbox.tables import (
    Attempt,
    EmailEvent,
    Lane,
    OutboxBody,
    OutboxChange,
    OutboxEmail,
    OutboxRow,
    OutboxStep,
    State,
    own_host,
)

__all__ = [
    "Attempt",
    "BulkRun",
    "EmailEvent",
    "Enqueued",
    "Lane",
    "OutboxBody",
    "OutboxChange",
    "OutboxEmail",
    "OutboxRow",
    "OutboxStep",
    "State",
    "Suppression",
    "actions",
    "breaker",
    "bulk",
    "deliver",
    "enqueue",
    "enqueue_change",
    "enqueue_many",
    "enqueue_step",
    "hosts",
    "housekeeping",
    "lanes",
    "own_host",
    "readiness",
    "reading",
    "register_steps",
    "reputation",
    "retention",
    "running",
    "suppression",
    "timeline",
]
