"""Emails that a provider accepted, its signed posts about them, and what we say of them then."""

from typing import Any

from attrs import frozen
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

import outbox
from extensions import db
from message import EmailMessage, new_id
from outbox import State, Suppression
from tools.provider_events import HEADERS, body_of, resend_event, sendgrid_event, sequenzy_event
from webhooks import ReceivedEvent

KINDS = {"delivered": "delivered", "bounced": "bounce"}


@frozen
class Sent:
    """An email that `provider` accepted, by our id and by its own."""

    provider: str
    id: str
    message_id: str

    def event(self, kind: str, **more: Any) -> Any:
        """What the provider posts about it. Sequenzy gives nothing of ours back."""
        if self.provider == "resend":
            return resend_event(kind, self.id, **more)
        if self.provider == "sequenzy":
            return sequenzy_event(kind, self.message_id, **more)
        return [sendgrid_event(KINDS.get(kind.removeprefix("email."), kind), self.id, **more)]


def never_sent(provider: str) -> Sent:
    """An email that we know nothing of."""
    return Sent(provider, new_id(), new_id())


def accepted_emails(app: Flask, provider: str, count: int, **fields: Any) -> list[Sent]:
    """Emails to Ann that `provider` accepted."""
    with app.app_context():
        emails = []
        for _ in range(count):
            given = {"to": "ann@example.com", "subject": "Hi", "html": "<p>Hi</p>"} | fields
            row = outbox.enqueue(db.session(), EmailMessage(**given))
            row.state, row.provider, row.provider_message_id = State.ACCEPTED, provider, new_id()
            emails.append(Sent(provider, row.id, row.provider_message_id))
        db.session.commit()
    return emails


def accepted_email(app: Flask, provider: str, **fields: Any) -> Sent:
    """One such email."""
    [email] = accepted_emails(app, provider, 1, **fields)
    return email


def post(client: FlaskClient, provider: str, value: Any, **signing: Any) -> TestResponse:
    """Post an event, a list of events or bytes as `provider` does, signed now."""
    body = body_of(value)
    headers = HEADERS[provider](body, **signing)
    return client.post(f"/api/webhooks/{provider}", data=body, headers=headers)


def shown(client: FlaskClient, email: Sent) -> dict[str, Any]:
    """The answer of `GET /api/emails/<id>`."""
    answer: dict[str, Any] = client.get(f"/api/emails/{email.id}").get_json()
    return answer


def told(client: FlaskClient, email: Sent) -> list[tuple[str, str]]:
    """Type and detail of every line of its timeline but how it was enqueued."""
    lines = [(each["type"], each.get("detail", "")) for each in shown(client, email)["timeline"]]
    return [line for line in lines if line[0] != "enqueued"]


def outcomes(app: Flask) -> list[str]:
    """What became of all received events, sorted."""
    with app.app_context():
        return sorted(db.session.scalars(select(ReceivedEvent.outcome)))


def suppressions(app: Flask) -> set[tuple[str, str]]:
    """Every suppressed address with its scope."""
    with app.app_context():
        rows = db.session.execute(select(Suppression.address, Suppression.scope))
        return {(address, scope) for address, scope in rows}
