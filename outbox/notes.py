"""Lines of an email's timeline that are no attempts: what we decided, or a person."""

from datetime import datetime

from sqlalchemy.orm import Session

from database import utc_now
from models import EmailEvent


def note(
    session: Session, row_id: str, what: str, detail: str = "", *, at: datetime | None = None
) -> None:
    """Write down that `what` happened to this row, in the caller's transaction."""
    session.add(EmailEvent(email_id=row_id, type=what, detail=detail, at=at or utc_now()))
