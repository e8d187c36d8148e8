"""What the application's database says, read from outside and changed by nothing here."""

from sqlalchemy import ColumnElement, create_engine, func, select
from sqlalchemy.orm import Session, selectinload

from database import utc_now
from errors import EmailSendError, OutcomeUnknown, RateLimited
from outbox import Attempt, OutboxEmail, State, timeline
from tools.drill.judge import UNFINISHED, Row


class Rows:
    """The outbox behind `database_url`."""

    def __init__(self, database_url: str) -> None:
        url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = create_engine(url, pool_pre_ping=True)  # its server may be restarted

    def close(self) -> None:
        self._engine.dispose()

    def in_flight(self) -> frozenset[str]:
        """The ids of the rows that somebody holds just now."""
        statement = select(OutboxEmail.id).where(OutboxEmail.state == State.SENDING)
        with Session(self._engine) as session:
            return frozenset(session.scalars(statement))

    def counts(self) -> tuple[int, int]:
        """How many rows there are, and how many of them are finished."""
        unfinished = OutboxEmail.state.in_(UNFINISHED)
        statement = select(func.count(), func.count().filter(~unfinished)).select_from(OutboxEmail)
        with Session(self._engine) as session:
            rows, finished = session.execute(statement).one()
        return rows, finished

    def somebody_waits(self) -> bool:
        """Whether an email is queued whose next attempt is not due yet."""
        later = (OutboxEmail.state == State.QUEUED) & (OutboxEmail.due_at > utc_now())
        with Session(self._engine) as session:
            return session.scalar(select(OutboxEmail.id).where(later).limit(1)) is not None

    def all(self) -> dict[str, Row]:
        """Every row by its id, as the judge wants it."""
        statement = (
            select(OutboxEmail.id, OutboxEmail.state, _count(OutcomeUnknown), _count(RateLimited))
            .outerjoin(Attempt)
            .group_by(OutboxEmail.id, OutboxEmail.state)
        )
        with Session(self._engine) as session:
            return {row[0]: Row(*row[1:]) for row in session.execute(statement)}

    def story(self, email_id: str) -> str:
        """One email's row and timeline as text, for a person."""
        with Session(self._engine) as session:
            email = session.get(OutboxEmail, email_id, options=[selectinload(OutboxEmail.tries)])
            if email is None:
                return f"{email_id}: no such row"
            head = f"{email_id}: {email.state}, {email.attempts} attempts, {email.crashes} crashes"
            lines = [
                f"  {each.at:%T.%f} {each.type} {each.detail}" for each in timeline.moments(email)
            ]
            return "\n".join([head, *lines, f"  last error: {email.last_error}"])


def _count(error: type[EmailSendError]) -> ColumnElement[int]:
    """How many calls for an email ended so."""
    return func.count(Attempt.id).filter(Attempt.outcome == error.code)
