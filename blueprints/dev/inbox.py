"""What this app sent, from web and workers alike. Registered in debug only."""

import io
import re
from typing import Any
from uuid import UUID

import attrs
from flask import Blueprint, abort, jsonify, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

import outbox
from blueprints.dev.mail_html import mail_html
from database import db, iso
from extensions import limiter
from message import from_json, header_fields
from outbox import OutboxEmail, State

blueprint = Blueprint("inbox", __name__)
limiter.exempt(blueprint)


@blueprint.get("/inbox")
def index() -> ResponseReturnValue:
    """The newest emails first; `?q=` searches recipient and subject."""
    return render_template(
        "pages/inbox.html",
        emails=_newest(),
        q=_query(),
        totals=[attrs.asdict(each) for each in outbox.reading.totals(db.session())],
    )


@blueprint.get("/inbox.json")
def feed() -> ResponseReturnValue:
    """The same list for the page that watches it."""
    return jsonify(emails=[line | {"created_at": iso(line["created_at"])} for line in _newest()])


@blueprint.get("/inbox/<uuid:email_id>")
def show(email_id: UUID) -> ResponseReturnValue:
    """One email with its parts and its timeline."""
    email = _find(email_id)
    return render_template("pages/inbox-email.html", email=_details(email))


@blueprint.get("/inbox/<uuid:email_id>/body")
def body(email_id: UUID) -> ResponseReturnValue:
    """The HTML part, for the frame on the page."""
    message = from_json(_find(email_id).message)
    files = {
        f"cid:{file.content_id}": url_for("inbox.attachment", email_id=email_id, index=index)
        for index, file in enumerate(message.attachments)
        if file.content_id
    }
    return mail_html(re.sub(r"cid:[\w.@+-]+", lambda cid: files.get(cid[0], cid[0]), message.html))


@blueprint.get("/inbox/<uuid:email_id>/attachments/<int:index>")
def attachment(email_id: UUID, index: int) -> ResponseReturnValue:
    """One attachment, always as a download unless it is a picture of the body."""
    files = from_json(_find(email_id).message).attachments
    if index >= len(files):
        abort(404)
    file = files[index]
    inline = bool(file.content_id) and file.content_type.startswith("image/")
    response = send_file(
        io.BytesIO(file.content),
        mimetype=file.content_type,
        as_attachment=not inline,
        download_name=file.filename,
    )
    response.headers |= {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Opener-Policy": "unsafe-none",
        "Cross-Origin-Resource-Policy": "cross-origin",  # which is what a sandboxed frame is
    }
    return response


def _newest() -> list[dict[str, Any]]:
    found = outbox.reading.recent(db.session(), outbox.OutboxEmail, query=_query())
    return [_line(each) for each in found]


def _query() -> str:
    return request.args.get("q", "").replace("\0", "").strip()  # PostgreSQL takes no NUL


def _find(email_id: UUID) -> OutboxEmail:
    return db.session.get(outbox.OutboxEmail, str(email_id)) or abort(404)


def _line(email: OutboxEmail) -> dict[str, Any]:
    return {
        "id": email.id,
        "to": ", ".join(str(address) for address in from_json(email.message).to),
        "subject": email.subject,
        "kind": email.kind,
        "state": email.state,
        "became": _became(email),
        "provider": email.provider,
        "created_at": email.created_at,
        "url": url_for("inbox.show", email_id=email.id),
    }


def _became(email: OutboxEmail) -> list[str]:
    """What the provider reported: how far it got, and the marks beside that."""
    return [*([email.delivery_status] if email.delivery_status else []), *email.marks]


def _details(email: OutboxEmail) -> dict[str, Any]:
    message = from_json(email.message)
    return _line(email) | {
        "headers": header_fields(message),
        "text": message.text,
        "attachments": message.attachments,
        "timeline": outbox.timeline.moments(email),
        "provider_message_id": email.provider_message_id,
        "last_error": email.last_error,
        "redacted_at": email.redacted_at,
        "due_at": email.due_at if email.state == State.QUEUED else None,
    }
