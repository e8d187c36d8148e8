"""What each delivering process does at every sweep, apart from sending: a list of steps.

`sweep` is the first one. Rooms above the outbox add theirs when the app is made.
"""

import logging
from collections.abc import Callable

from flask import Flask, current_app

from database import why_unavailable
from outbox.sweep import sweep

logger = logging.getLogger(__name__)

Step = Callable[[], object]


def register_step(app: Flask, step: Step) -> None:
    """Let `step()` run at every sweep, in an app context and with transactions of its own."""
    app.extensions.setdefault("housekeeping_steps", []).append(step)


def run_steps() -> None:
    """Run every step on its own: one that fails is logged, stops no other, and runs again."""
    steps: list[Step] = current_app.extensions.get("housekeeping_steps", [])
    for step in (sweep, *steps):
        try:
            step()
        except Exception as error:
            if reason := why_unavailable(error):
                logger.error("%s cannot use the database (%s)", _name(step), reason)
            else:
                logger.exception("%s failed; the other steps of housekeeping go on", _name(step))


def _name(step: Step) -> str:
    return f"{step.__module__}.{getattr(step, '__name__', step)}"
