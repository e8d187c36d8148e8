"""The outbox: every email is a row first, and the row is the truth about it.

    enqueue -> (commit) -> claim -> deliver -> outcome

`sweep` finds what was lost on the way. The outbox knows neither threads nor Celery; `background`
decides who calls `deliver`.
"""

from outbox.breaker import provider_states
from outbox.by_hand import (
    cancel,
    resolve_as_sent,
    resolve_by_resending,
    retry,
    retry_all_failed,
)
from outbox.claim import Claimed, claim, release
from outbox.delivery import deliver, deliver_claimed, deliver_suspect
from outbox.enqueue import enqueue
from outbox.reading import Moment, count_by_state, find, recent, timeline
from outbox.states import MOVES, IllegalMove
from outbox.sweep import oldest_due_age, sweep

__all__ = [
    "MOVES",
    "Claimed",
    "IllegalMove",
    "Moment",
    "cancel",
    "claim",
    "count_by_state",
    "deliver",
    "deliver_claimed",
    "deliver_suspect",
    "enqueue",
    "find",
    "oldest_due_age",
    "provider_states",
    "recent",
    "release",
    "resolve_as_sent",
    "resolve_by_resending",
    "retry",
    "retry_all_failed",
    "sweep",
    "timeline",
]
