"""The outbox: every email is a row first, and the row is the truth about it.

    enqueue -> (commit) -> claim -> deliver -> outcome

`sweep` finds what was lost on the way. Changes of subscribers go the same way. The outbox knows
neither threads nor Celery; `background` decides who calls `deliver`.
"""

from outbox.breaker import provider_states
from outbox.by_hand import (
    cancel,
    cancel_marketing,
    resolve_as_sent,
    resolve_by_resending,
    retry,
    retry_all_failed,
)
from outbox.changes import enqueue_change
from outbox.claim import Claimed, claim, release
from outbox.delivery import deliver, deliver_claimed, deliver_suspect
from outbox.enqueue import enqueue
from outbox.housekeeping import register_step, run_steps
from outbox.notes import note
from outbox.reading import (
    Moment,
    count_by_state,
    find,
    find_row,
    recent,
    recent_changes,
    timeline,
    troubled_change,
)
from outbox.reported import Reported, ReportedEmails, confirm_accepted, lock_reported
from outbox.states import MOVES, IllegalMove
from outbox.sweep import oldest_due_age, sweep
from outbox.totals import Totals, totals
from outbox.transactions import transaction

__all__ = [
    "MOVES",
    "Claimed",
    "IllegalMove",
    "Moment",
    "Reported",
    "ReportedEmails",
    "Totals",
    "cancel",
    "cancel_marketing",
    "claim",
    "confirm_accepted",
    "count_by_state",
    "deliver",
    "deliver_claimed",
    "deliver_suspect",
    "enqueue",
    "enqueue_change",
    "find",
    "find_row",
    "lock_reported",
    "note",
    "oldest_due_age",
    "provider_states",
    "recent",
    "recent_changes",
    "register_step",
    "release",
    "resolve_as_sent",
    "resolve_by_resending",
    "retry",
    "retry_all_failed",
    "run_steps",
    "sweep",
    "timeline",
    "totals",
    "transaction",
    "troubled_change",
]
