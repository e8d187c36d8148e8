"""What providers and Stripe report, every event once.

    receive: parse -> lock -> store -> apply -> commit

The views in `blueprints` verify who says it and hand over. A report about an email goes to its
timeline, its status and the suppressions; what Stripe's events do stands in its blueprint.
"""

from flask import Flask

import outbox
from webhooks.receiving import Effect, EventsFailed, receive, was_applied
from webhooks.retention import forget, remove_old
from webhooks.tables import EventOutcome, ReceivedEvent
from webhooks.waiting import FIRST_WAITING, join_waiting

__all__ = [
    "Effect",
    "EventOutcome",
    "EventsFailed",
    "ReceivedEvent",
    "forget",
    "init_app",
    "join_waiting",
    "receive",
    "remove_old",
    "was_applied",
]


def init_app(app: Flask) -> None:
    """Let whoever delivers also join the events that wait for their email."""
    outbox.housekeeping.register_step(app, join_waiting, FIRST_WAITING)
