"""The one schedule of delays, and `with_retry` for the rare email that must go out at once.

Whether and when the outbox tries a row again is decided in `outbox/outcomes.py`.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from errors import EmailSendError

T = TypeVar("T")

LONGEST_FOREGROUND_WAIT = 30.0  # seconds; a caller that is asked to wait longer gets the error


def backoff(attempt: int, *, base: float = 5.0, limit: float = 3600.0) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1).

    Doubles each time up to `limit`, and is drawn from the upper half so that a crowd spreads out.
    With the defaults 20 attempts take at most 11.4 hours, inside Resend's key window of 24.
    """
    longest = min(limit, base * 2 ** min(attempt - 1, 32))
    return random.uniform(longest / 2, longest)  # noqa: S311  spreads load, guards nothing


def with_retry(
    fn: Callable[[], T], max_retries: int = 3, *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Call `fn` up to `max_retries` more times while it raises a retryable `EmailSendError`.

        with_retry(lambda: email.send(message))

    Waits about 1, 2, 4… seconds, or what the provider asked for. It blocks the caller: a request
    that can wait should use `send_in_background` instead.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return fn()
        except EmailSendError as error:
            own = backoff(attempt, base=1.0, limit=LONGEST_FOREGROUND_WAIT)
            wait = max(own, error.retry_after or 0)
            if not error.retryable or attempt > max_retries or wait > LONGEST_FOREGROUND_WAIT:
                raise
            sleep(wait)
