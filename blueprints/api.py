"""The blueprint for programs, and its views for whoever holds API_TOKEN.

Every view on it needs `@token_required`, or is open to everybody. None reads a cookie, so it is
exempt from CSRF. An `/api/...` view for users who are logged in belongs on a blueprint of its own,
with `login_required` of blueprints/sessions.py.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from uuid import UUID

from attrs import evolve
from flask import Blueprint, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

import emails
import outbox
from background import send_in_background
from blueprints.errors import ApiError
from blueprints.forms import WelcomeForm, text
from blueprints.limits import guess_limit, send_limit
from blueprints.security import bearer_token_matches
from database import db, iso
from extensions import csrf

P = ParamSpec("P")

blueprint = Blueprint("api", __name__, url_prefix="/api")
csrf.exempt(blueprint)

MAX_KEY = 200  # characters of an Idempotency-Key


def token_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let only the holder of API_TOKEN reach a view; stands above the view's own limit.

    Without a token set, the view is open in debug and closed in production.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        _check_token()
        return view(*args, **kwargs)

    return guarded


@guess_limit
def _check_token() -> None:
    if not current_app.config["API_TOKEN"]:
        if not current_app.debug:
            raise ApiError(503, "API_TOKEN is not set, so this API is closed")
    elif not bearer_token_matches():
        raise Unauthorized(
            "send Authorization: Bearer API_TOKEN", www_authenticate=WWWAuthenticate("bearer")
        )


@blueprint.post("/send")
@token_required
@send_limit
def send() -> ResponseReturnValue:
    """The guide's first example: send the welcome email to `{"email", "name"}`."""
    return _send_welcome()


@blueprint.post("/send-welcome")
@token_required
@send_limit
def send_welcome() -> ResponseReturnValue:
    """The same under its own name."""
    return _send_welcome()


@blueprint.get("/emails/<uuid:email_id>")
@token_required
def show(email_id: UUID) -> ResponseReturnValue:
    """What became of one email."""
    email = db.session.get(outbox.OutboxEmail, str(email_id))
    if email is None:
        abort(404, "there is no email with this id")
    return jsonify(
        id=email.id,
        status=email.state,
        delivery_status=email.delivery_status,
        provider=email.provider,
        marks=email.marks,
        provider_message_id=email.provider_message_id,
        timeline=[_moment(moment) for moment in outbox.timeline.moments(email)],
    )


def _moment(moment: outbox.timeline.Moment) -> dict[str, str]:
    fields = {"at": iso(moment.at), "type": moment.type, "detail": moment.detail}
    return {name: value for name, value in fields.items() if value}


def _send_welcome() -> ResponseReturnValue:
    form = WelcomeForm.from_json()
    fields = {"email": text(form.email), "name": text(form.name)}
    message = emails.welcome(to=fields["email"], name=fields["name"])
    row = send_in_background(evolve(message, intent_key=_intent_key()), intent_fields=fields)
    answer = {"id": row.id, "status": row.state}
    db.session.commit()
    return jsonify(answer), 202


def _intent_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        problem = f"must be 1 to {MAX_KEY} printable ASCII characters"
        raise ApiError(400, f"Idempotency-Key {problem}", {"Idempotency-Key": problem})
    return f"http:{request.endpoint}:{key}"
