"""The parts that deliver: database, queue, Redis, workers, and who may be called.

Each question to the database is a transaction of its own: SQLite lets nobody else write meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import current_app
from redis import Redis, RedisError

import outbox
from cli.doctor.checks import Check, hint, ok, problem, skipped
from config import REDIS_TIMEOUTS
from database import transaction, utc_now
from outbox import Lane, State, readiness

PATIENCE = 2.0  # seconds for Redis and for an answer of the workers


def check_database() -> Check:
    found = readiness.database_problem()
    if found:
        return problem("database", f"the database {found.problem}", found.remedy)
    return ok("database")


def check_unknown() -> Check:
    """Emails of which nobody knows whether they were sent."""
    with transaction() as session:
        count = outbox.reading.count_by_state(session)[State.UNKNOWN]
    if not count:
        return ok("unknown-emails", "none")
    return problem(
        "unknown-emails",
        f"{count} {'email is' if count == 1 else 'emails are'} unknown: the provider may have "
        "accepted, or not",
        "list them with `flask email list --state unknown`, look them up at the provider, and "
        "decide with `flask email resolve`",
    )


def check_subscribers() -> Check:
    """Whether changes of subscribers arrive; they need more rights than sending does."""
    with transaction() as session:
        change = outbox.reading.failing_change(session)
    if change is None:
        return ok("subscribers")
    return hint(
        "subscribers",
        f"a change of a subscriber does not arrive: {change.last_error}",
        "list them with `flask email subscribers`; if the key may only send, give it the right to "
        "write contacts, or set SUBSCRIBERS_ENABLED=false; then `flask email retry --failed`",
    )


def check_queue(causes: Sequence[Check]) -> Check:
    """Whether due emails wait. One of `causes`, problems found before, would explain it."""
    found = readiness.queue_problem()
    if found is None:
        return ok("queue")
    if causes:
        return skipped("queue", f"{found.problem}; see {causes[0].name}")
    return problem(
        "queue",
        found.problem,
        "is the app (with EMAIL_DELIVERY=celery: a worker) running, on this database? "
        "`flask email list --state queued` and `flask email show` name what an email waits for",
    )


def check_marketing() -> Check:
    """Whether marketing paused by itself."""
    with transaction() as session:
        pause = outbox.lanes.paused(session).get(Lane.MARKETING)
    if pause is None:
        return ok("marketing")
    return problem(
        "marketing",
        f"marketing is {pause}",
        "find out where these addresses came from, and take them off your list; then "
        "`flask email providers --resume-marketing`",
    )


def check_calls(name: str, account: Check) -> Check:
    """Whether provider `name` is left alone after faults. Its `account` was checked before."""
    with transaction() as session:
        status = outbox.breaker.call_statuses(session, [name], utc_now())[name]
    line = f"{name}-calls"
    if status.state is outbox.breaker.CallState.OK:
        return ok(line)
    if account.remedy:
        return skipped(line, f"{status}; see {account.name}")
    if status.state is outbox.breaker.CallState.PAUSED:
        return problem(
            line,
            f"{name} is {status}",
            "mend what it names; the first call after that time finds out that it is mended",
        )
    return hint(line, f"{name} is {status}", "nothing: it ends by itself with the next email")


def check_redis(settings: Mapping[str, Any]) -> Check | None:
    """Whether Redis answers; None where nothing is lost without it."""
    if not settings["REDIS_URL"]:
        return _check_counting_alone(settings)
    patience = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    try:
        with Redis.from_url(settings["REDIS_URL"], **{**REDIS_TIMEOUTS, **patience}) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        return problem("redis", f"Redis does not answer: {error}", "start it, or check REDIS_URL")
    return ok("redis")


def _check_counting_alone(settings: Mapping[str, Any]) -> Check | None:
    if settings["DEBUG"] or not settings["RATELIMIT_ENABLED"]:
        return None
    return hint(
        "redis",
        "REDIS_URL is not set, so each process counts RATELIMIT_SEND and RATELIMIT_FORM by itself: "
        "4 workers let 4 times as much through, and forget it when they restart. What one account "
        "or recipient may cause is counted in the database, exactly",
        "set REDIS_URL if several processes serve",
    )


def check_workers(settings: Mapping[str, Any], redis: Check | None) -> Check | None:
    """Whether a Celery worker answers; None if none is needed."""
    if settings["EMAIL_DELIVERY"] != "celery" or redis is None:
        return None
    if redis.remedy:
        return skipped("workers", "they are asked through Redis")
    count = outbox.running.count_workers(current_app, PATIENCE)
    if count:
        return ok("workers", f"{count} answered")
    return problem(
        "workers",
        f"no Celery worker answered within {PATIENCE:g} s",
        "start one: celery -A tasks worker",
    )
