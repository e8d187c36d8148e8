"""The rate limits, named once. Both rates are settings."""

from flask import Response, current_app

from extensions import limiter


def _send_rate() -> str:
    rate: str = current_app.config["RATELIMIT_SEND"]
    return rate


def _form_rate() -> str:
    rate: str = current_app.config["RATELIMIT_FORM"]
    return rate


def _is_refused(response: Response) -> bool:
    return response.status_code == 401


send_limit = limiter.limit(_send_rate)
form_limit = limiter.limit(_form_rate, methods=["POST"])
# The token is checked before a view's own limit counts, so wrong guesses are counted apart.
guess_limit = limiter.shared_limit(_send_rate, scope="401", deduct_when=_is_refused)
