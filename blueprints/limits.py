"""The limits, named once: rates of requests, and what one address or domain may be sent.

Rates are counted in Redis, or by each process; what is counted by address is exact everywhere.
"""

import re
from collections.abc import Callable

from flask import Response, current_app
from werkzeug.exceptions import TooManyRequests

from blueprints.security import bearer_token_matches
from database import Limit, db, limits
from extensions import client_network, limiter
from message import counted_as

# Millions of people who have nothing to do with each other: no count of theirs says anything.
MAILBOX_HOST = re.compile(
    r"(126|163|aol|btinternet|comcast|fastmail|free|gmail|gmx|hotmail|icloud|laposte|libero|live|mac"
    r"|mail|me|msn|naver|orange|outlook|pm|proton|protonmail|qq|rediffmail|seznam|t-online|wanadoo"
    r"|web|wp|yahoo|yandex|ymail|zoho)\.(com|net|me|[a-z]{2}|com?\.[a-z]{2})"
)


def rate_limit_key() -> str:
    """The holder of the token once it has been checked; everybody else by address."""
    return "bearer" if bearer_token_matches() else client_network()


def _rate(setting: str) -> Callable[[], str]:
    return lambda: current_app.config[setting]


def _is_refused(response: Response) -> bool:
    return response.status_code == 401


def asked_by_owner(address: str) -> Limit:
    """What only the owner has a use for: reset links, and a confirmation sent again.

    Counted apart from what strangers cause, or they could use up the owner's share.
    """
    return Limit("emails asked for", counted_as(address), 3)


def caused_by_strangers(address: str) -> list[Limit]:
    """What anybody can have sent to an address by signing up with it."""
    whom = counted_as(address)
    return [Limit("sign-ups", whom, 3), Limit("sign-ups of a day", whom, 6, limits.DAY)]


def account_exists_notice(address: str) -> Limit:
    """One a day says all there is to say."""
    return Limit("notices of an account", counted_as(address), 1, limits.DAY)


def count_sign_up(address: str) -> None:
    """Count a sign-up at the domain of `address`, in the transaction of `db.session`.

    Raises `TooManyRequests` beyond SIGNUPS_PER_DOMAIN an hour, whether or not anybody has an
    account: so that nobody is flooded through many addresses at one domain.
    """
    domain = counted_as(address).rpartition("@")[2]
    count: int = current_app.config["SIGNUPS_PER_DOMAIN"]
    if not count or MAILBOX_HOST.fullmatch(domain):
        return
    limit = Limit("sign-ups at a domain", domain, count)
    if limits.used_up(db.session(), limit):
        db.session.rollback()
        seconds = round(limit.window.total_seconds())
        raise TooManyRequests(
            f"many addresses at {domain} signed up within an hour; try again later",
            retry_after=seconds,
        )
    limits.use(db.session(), limit)


send_limit = limiter.limit(_rate("RATELIMIT_SEND"), key_func=rate_limit_key)
# On a blueprint it counts before the CSRF check parses the form, on a view only after it; a view
# with a limit of its own is not counted for its blueprint.
form_limit = limiter.limit(_rate("RATELIMIT_FORM"), methods=["POST"], key_func=rate_limit_key)
# The token is checked before a view's own limit counts, so wrong guesses are counted apart.
guess_limit = limiter.shared_limit(
    _rate("RATELIMIT_SEND"), scope="401", deduct_when=_is_refused, key_func=rate_limit_key
)
