"""Bodies that are not kept: of sensitive emails once they are accepted, of old ones at all."""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from models import OutboxEmail

REMOVED = "This text was removed."


def blank_accepted(session: Session, email_id: str, moment: datetime) -> None:
    """Remove the body of a sensitive email that was accepted just now; in production only.

    In development the inbox page shows it, and its link is there to be clicked.
    """
    email = session.get(OutboxEmail, email_id, populate_existing=True)
    if email and email.sensitive and not current_app.debug:
        blank(email, moment)


def blank(email: OutboxEmail, moment: datetime) -> None:
    """Remove the body and the attachments; who got what kind of email when stays."""
    email.message = without_body(email.message)
    email.blanked_at = moment


def without_body(stored: dict[str, Any]) -> dict[str, Any]:
    """A frozen message that says no more than that its body is gone."""
    return {**stored, "html": "", "text": REMOVED, "attachments": [], "metadata": {}}
