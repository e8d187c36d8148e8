"""The two rate limits, named once. Both are settings."""

from flask import current_app

from extensions import limiter


def _send_rate() -> str:
    rate: str = current_app.config["RATELIMIT_SEND"]
    return rate


def _form_rate() -> str:
    rate: str = current_app.config["RATELIMIT_FORM"]
    return rate


send_limit = limiter.limit(_send_rate)
form_limit = limiter.limit(_form_rate, methods=["POST"])
