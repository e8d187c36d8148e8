"""Marketing pauses by itself before bounces and complaints cost the domain its reputation.

A domain has one reputation, whichever provider sends for it and whatever the email is: providers
and mailboxes count all emails together, and so does this. Marketing is what waits, because it can.
Counted is what became of the emails accepted in a time, so that the late complaints about a large
newsletter are not held against the few emails of the next day.
"""

import logging
from datetime import datetime, timedelta
from typing import Protocol

from attrs import frozen
from flask import Flask, current_app
from sqlalchemy import String, bindparam, case, func, literal, literal_column, or_, select
from sqlalchemy.orm import Session

from database import iso, now, transaction
from message import AddressLike, EmailMessage
from outbox import lanes
from outbox.enqueue import enqueue
from outbox.lanes import LaneState
from outbox.tables import EVENTS, OUTBOX, Lane

logger = logging.getLogger(__name__)

WINDOWS = (timedelta(hours=1), timedelta(days=1))
LEAST_ACCEPTED = 100  # emails; of fewer a rate says nothing


@frozen
class Limit:
    """How many of 1,000 accepted emails are too many to end so. Fewer than `least` say nothing."""

    what: str
    per_mille: int
    least: int

    def most(self, bad: int) -> int:
        """Of how many accepted emails at most so many bad ones are too many; 0 if of none."""
        return bad * 1000 // self.per_mille if bad >= self.least else 0


# Amazon SES reviews an account from 5 % bounces on, and stops it at 10 % or 0.5 % complaints
# (docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html). Gmail wants complaints below 0.1 %, and
# never 0.3 % (support.google.com/mail/answer/81126).
HARD_BOUNCES = Limit("bounced hard", 50, 5)
COMPLAINTS = Limit("were called spam", 3, 3)

# In the words of the partial indexes.
_HARD = EVENTS.c.bounce == literal_column("'hard'", String)
_COMPLAINED = EVENTS.c.type == literal_column("'complained'", String)
_BAD = or_(_HARD, _COMPLAINED)
_ACCEPTED = (
    OUTBOX.c.task == literal_column("'email'", String),
    OUTBOX.c.accepted_at.is_not(None),
    OUTBOX.c.accepted_at >= bindparam("since"),
)
_COUNT_BAD = (
    select(
        func.count(case((_HARD, EVENTS.c.email_id)).distinct()),
        func.count(case((_COMPLAINED, EVENTS.c.email_id)).distinct()),
    )
    .join_from(EVENTS, OUTBOX, EVENTS.c.email_id == OUTBOX.c.id)
    .where(_BAD, EVENTS.c.at >= bindparam("oldest"), *_ACCEPTED)
)
_SOME_ACCEPTED = select(literal(1)).where(*_ACCEPTED).limit(bindparam("most")).subquery()
_COUNT_ACCEPTED = select(func.count()).select_from(_SOME_ACCEPTED)

FIRST_BAD = select(func.min(EVENTS.c.at)).where(_BAD).scalar_subquery()
"""When the first email bounced or was complained about, for housekeeping."""


class Notice(Protocol):
    """Composes the email that tells the owner."""

    def __call__(self, *, to: AddressLike, reason: str, intent_key: str) -> EmailMessage: ...


def init_app(app: Flask, notice: Notice) -> None:
    """Let CONTACT_EMAIL be told of a pause by this email."""
    app.extensions["pause_notice"] = notice


def guard() -> None:
    """Pause marketing where the numbers ask for it, and tell the owner once of each pause."""
    with transaction() as session:
        is_paused = _judge(session)
    if is_paused:
        with transaction() as session:  # apart: a notice that cannot be composed undoes no pause
            _tell(session)


def _judge(session: Session) -> bool:
    """Whether marketing is paused, from now on or already."""
    state = session.get(LaneState, Lane.MARKETING)
    if state and state.paused_at:
        return True
    moment = now(session)
    for window in WINDOWS:
        since = moment - window
        if state and state.resumed_at:  # what was before it was answered for then
            since = max(since, state.resumed_at)
        if reason := _reason(session, since, oldest=moment - WINDOWS[-1]):
            if lanes.pause(session, Lane.MARKETING, reason, moment):
                logger.error("marketing is paused: %s", reason)
            return True
    return False


def _reason(session: Session, since: datetime, oldest: datetime) -> str | None:
    """Why marketing must wait, by the emails accepted since then; None if it need not.

    The events are looked for from `oldest` on, because a provider's clock is not ours.
    """
    hard, complained = session.execute(_COUNT_BAD, {"since": since, "oldest": oldest}).one()
    for limit, bad in ((HARD_BOUNCES, hard), (COMPLAINTS, complained)):
        most = limit.most(bad)
        if most < LEAST_ACCEPTED:
            continue
        # Counted no further than it takes to know that there are enough.
        accepted = session.scalar(_COUNT_ACCEPTED, {"since": since, "most": most + 1}) or 0
        if LEAST_ACCEPTED <= accepted <= most:
            return (
                f"{bad:,} of the {accepted:,} emails accepted since {iso(since)} {limit.what}: "
                f"{100 * bad / accepted:.1f} %, where {limit.per_mille / 10:g} % is too much"
            )
    return None


def _tell(session: Session) -> None:
    state = session.get(LaneState, Lane.MARKETING)
    if state is None or state.paused_at is None or state.told_at:
        return
    notice: Notice = current_app.extensions["pause_notice"]
    message = notice(
        to=current_app.config["CONTACT_EMAIL"],
        reason=state.reason or "",
        intent_key=f"marketing-paused:{iso(state.paused_at)}",
    )
    enqueue(session, message, origin="housekeeping")
    state.told_at = now(session)
