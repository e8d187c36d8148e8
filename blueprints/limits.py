"""The rate limits, named once, and whom they count. Both rates are settings.

How many emails an hour strangers can have us send to one address is in `outbox/enqueue.py`.
"""

from collections.abc import Callable

from flask import Response, current_app
from flask_limiter.util import get_remote_address

from blueprints.security import bearer_token_matches
from extensions import limiter


def rate_limit_key() -> str:
    """The holder of the token once it has been checked; everybody else by address."""
    return "bearer" if bearer_token_matches() else get_remote_address()


def _rate(setting: str) -> Callable[[], str]:
    return lambda: current_app.config[setting]


def _is_refused(response: Response) -> bool:
    return response.status_code == 401


send_limit = limiter.limit(_rate("RATELIMIT_SEND"), key_func=rate_limit_key)
# On a blueprint it counts before the CSRF check parses the form, on a view only after it; a view
# with a limit of its own is not counted for its blueprint.
form_limit = limiter.limit(_rate("RATELIMIT_FORM"), methods=["POST"], key_func=rate_limit_key)
# The token is checked before a view's own limit counts, so wrong guesses are counted apart.
guess_limit = limiter.shared_limit(
    _rate("RATELIMIT_SEND"), scope="401", deduct_when=_is_refused, key_func=rate_limit_key
)
