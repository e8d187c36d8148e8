"""A turn that fails while the database is up: halved until the bad row stands alone.

That row backs off, the others go on.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from attrs import evolve
from sqlalchemy import update

from database import now, transaction, why_unavailable
from errors import EmailSendError, OutcomeUnknown
from outbox.jobs import PUT_OFF, Answer, Job
from outbox.selection import Room, due_ids
from outbox.tables import OUTBOX, State, in_state
from outbox.turn import Turn, take_turn
from providers import Receipt
from retry import backoff

logger = logging.getLogger(__name__)


def take_turn_or_halves(ended: Sequence[Job], built: Sequence[Job], room: Room | None) -> Turn:
    """A turn. While the database is up a job that breaks it costs itself only.

    Then nothing is claimed, and the next turn is due at once. Raises what the database raises
    while it is away; what was recorded until then may be recorded again.
    """
    try:
        return take_turn(ended, built, room)
    except Exception as error:
        if why_unavailable(error) or not (ended or built or room):
            raise
        logger.exception("a turn failed; what it was about is tried in smaller groups")
        turn = _one_by_one(room) if room and not (ended or built) else _halves(ended, built, error)
        turn.pause = 0.0
        return turn


def _halves(ended: Sequence[Job], built: Sequence[Job], error: Exception) -> Turn:
    half = (len(ended) + len(built)) // 2
    if not half:
        return _without_details([*ended, *built][0], error)
    first = min(half, len(ended))
    turns = [
        take_turn_or_halves(ended[:first], built[: half - first], None),
        take_turn_or_halves(ended[first:], built[half - first :], None),
    ]
    return Turn(
        ended=[job for each in turns for job in each.ended],
        told=[told for each in turns for told in each.told],
        started=[job for each in turns for job in each.started],
    )


def _without_details(job: Job, error: Exception) -> Turn:
    """The job that broke the turn: what matters of its answers, in words that can be stored."""
    # One answer to a whole batch stays one: emails with answers of their own would go out singly.
    plain = {id(each): _plain(each, error) for each in job.answers}
    job.answers = [plain[id(each)] for each in job.answers]
    if not job.answers:
        job.answer_all(_plain(None, error))
    try:
        return take_turn([job], [], None)
    except Exception as again:
        if why_unavailable(again):
            raise
        # Its lease ends by itself, and housekeeping decides what that means.
        logger.exception("email %s: its outcome could not be recorded", job.rows[0].id)
        return Turn(ended=[job])


def _one_by_one(room: Room) -> Turn:
    """Claim each due row alone; one that breaks the claim is due later."""
    take_turn([], [], evolve(room, ids=["none"]))  # what breaks this as well is no row's fault
    with transaction() as session:
        ids = due_ids(session, room, now(session))
    turn = Turn()
    for row_id in ids:
        try:
            turn.claimed += take_turn([], [], evolve(room, ids=[row_id])).claimed
        except Exception as error:
            if why_unavailable(error):
                raise
            logger.exception("email %s: it could not be claimed", row_id)
            _put_off(row_id, error)
    return turn


def _put_off(row_id: str, error: Exception) -> None:
    with transaction() as session:
        due_at = now(session) + timedelta(seconds=backoff(PUT_OFF))
        words = f"it could not be claimed ({type(error).__name__})"
        session.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id == row_id, in_state(State.QUEUED))
            .values(due_at=due_at, last_error=words)
        )


def _plain(answer: Answer | None, error: Exception) -> Answer:
    if isinstance(answer, Receipt):
        return evolve(answer, message_id=None, notes=())
    text = f"its outcome could not be recorded ({type(error).__name__})"
    if isinstance(answer, OutcomeUnknown):
        return OutcomeUnknown(text, retryable=answer.retryable)
    return EmailSendError(text, retryable=True)
