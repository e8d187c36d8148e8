"""Which providers may be called now. The state is a row, so that all processes share it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import frozen
from flask import current_app
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from errors import EmailSendError, RateLimited, UnsupportedFeature
from extensions import insert_if_new
from log_setup import mask
from models import ProviderState, iso
from outbox.transactions import changed_rows
from providers import Receipt

logger = logging.getLogger(__name__)

THRESHOLD = 5  # provider faults in a row that open the breaker
SHORTEST_OPEN, LONGEST_OPEN = 10.0, 60.0  # seconds; doubles with each probe that fails
PAUSE = 60.0  # seconds after a refused key or a spent quota
WORTH_WAITING = 30.0  # seconds of rate limit for which a row stays with its provider


@frozen
class Availability:
    """`usable` providers in order of preference; `probe` may be called once, to see if it works."""

    usable: tuple[str, ...]
    probe: str | None

    @property
    def any(self) -> bool:
        """Whether there is anybody to call."""
        return bool(self.usable or self.probe)


def availability(session: Session, chain: Sequence[str], moment: datetime) -> Availability:
    """What may be called at `moment`. A provider under a short rate limit is waited for."""
    states = {state.name: state for state in session.scalars(select(ProviderState))}
    usable: list[str] = []
    probe: str | None = None
    for name in chain:
        state = states.get(name)
        if state is None:
            usable.append(name)
        elif state.rate_until and state.rate_until > moment:
            if state.rate_until - moment <= timedelta(seconds=WORTH_WAITING):
                break
        elif state.open_until is None:
            usable.append(name)
        elif state.open_until <= moment and not (state.probe_until and state.probe_until > moment):
            probe = probe or name
    return Availability(tuple(usable), probe)


def begin_probe(session: Session, name: str, moment: datetime) -> bool:
    """Take the one probe of this window; False if another process was faster.

    A process that dies over its probe holds it for as long as two calls may take.
    """
    held = timedelta(seconds=2 * current_app.config["EMAIL_TIMEOUT"])
    free = or_(ProviderState.probe_until.is_(None), ProviderState.probe_until <= moment)
    statement = (
        update(ProviderState)
        .where(ProviderState.name == name, ProviderState.open_until <= moment, free)
        .values(probe_until=moment + held)
    )
    return bool(changed_rows(session, statement))


def record(session: Session, name: str, answer: Receipt | Exception, moment: datetime) -> None:
    """Learn from one answer of provider `name`."""
    if isinstance(answer, UnsupportedFeature) or not isinstance(answer, Receipt | EmailSendError):
        return  # it was not called, or broke on our side
    if isinstance(answer, RateLimited):
        if answer.status == 429:
            wait = timedelta(seconds=answer.retry_after or 1.0)
            _change(session, name, rate_until=moment + wait, reason=_words(answer))
    elif isinstance(answer, EmailSendError) and answer.trips_breaker:
        _count_fault(session, name, answer, moment)
    else:
        _close(session, name)


def provider_states(session: Session, chain: Sequence[str], moment: datetime) -> dict[str, str]:
    """Each provider of `chain` in words: `ok`, or until when it is left alone and why."""
    states = {state.name: state for state in session.scalars(select(ProviderState))}
    return {name: _in_words(states.get(name), moment) for name in chain}


def _in_words(state: ProviderState | None, moment: datetime) -> str:
    if state and state.open_until:
        word = "paused until" if state.open_until > moment else "probing since"
        return f"{word} {iso(state.open_until)}: {state.reason}"
    if state and state.rate_until and state.rate_until > moment:
        return f"rate limited until {iso(state.rate_until)}"
    return "ok"


def _count_fault(session: Session, name: str, error: EmailSendError, moment: datetime) -> None:
    insert_if_new(session, ProviderState, {"name": name, "failures": 0})
    state = session.get_one(ProviderState, name, with_for_update=True, populate_existing=True)
    if state.open_until and not state.probe_until and not error.pauses_provider:
        return  # a call that began before the breaker opened says nothing new
    state.failures += 1
    if error.pauses_provider:
        state.open_until = moment + timedelta(seconds=max(PAUSE, error.retry_after or 0))
    elif state.open_until or state.failures >= THRESHOLD:
        doubled = SHORTEST_OPEN * 2 ** max(0, min(state.failures - THRESHOLD, 10))
        state.open_until = moment + timedelta(seconds=min(LONGEST_OPEN, doubled))
    state.probe_until = None
    state.reason = _words(error)
    if state.open_until:
        logger.warning("provider %s is left alone: %s", name, _in_words(state, moment))


def _close(session: Session, name: str) -> None:
    # Hardly ever a row to change, so that a success costs no write.
    changed = or_(ProviderState.failures > 0, ProviderState.open_until.is_not(None))
    changed_rows(
        session,
        update(ProviderState)
        .where(ProviderState.name == name, changed)
        .values(failures=0, open_until=None, probe_until=None, rate_until=None, reason=None),
    )


def _change(session: Session, name: str, **values: object) -> None:
    insert_if_new(session, ProviderState, {"name": name, "failures": 0})
    changed_rows(session, update(ProviderState).where(ProviderState.name == name).values(values))


def _words(error: EmailSendError) -> str:
    return mask(f"{type(error).__name__}: {error}")
