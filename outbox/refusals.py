"""Whose fault a refusal (401, 403) is: the key's, which everybody has, or these emails' own."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from errors import AuthenticationFailed
from message import id_at
from outbox.jobs import Job
from outbox.tables import ATTEMPTS, AttemptOutcome
from providers import Receipt


def refused_alone(session: Session, job: Job) -> bool:
    """Whether the provider refused rows of this job, but takes others.

    It took others of the same batch, or others since it last refused each of these.
    """
    if not any(isinstance(each, AuthenticationFailed) for each in job.answers):
        return False
    if any(isinstance(each, Receipt) for each in job.answers):
        return True
    refused = (
        select(func.max(ATTEMPTS.c.ended_at))
        .where(
            ATTEMPTS.c.email_id.in_([row.id for row in job.rows]),
            ATTEMPTS.c.provider == job.provider,
            ATTEMPTS.c.outcome == AttemptOutcome.AUTHENTICATION_FAILED,
        )
        .group_by(ATTEMPTS.c.email_id)
    )
    times = session.scalars(refused).all()
    if len(times) < len(job.rows):
        return False
    taken = select(ATTEMPTS.c.id).where(
        ATTEMPTS.c.id > id_at(max(times)),  # the newest attempts only, by their time-ordered ids
        ATTEMPTS.c.provider == job.provider,
        ATTEMPTS.c.outcome == AttemptOutcome.ACCEPTED,
    )
    return session.scalar(taken.limit(1)) is not None
