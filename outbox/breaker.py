"""Which providers may be called now. The state is a row, so that all processes share it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen
from flask import current_app
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from database import changed_rows, insert_if_new, iso
from errors import EmailSendError, RateLimited, UnsupportedFeature
from log_setup import mask
from outbox.tables import ProviderState
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
            _change(session, name, rate_until=moment + wait)
    elif isinstance(answer, EmailSendError) and answer.trips_breaker:
        _count_fault(session, name, answer, moment)
    else:
        _close(session, name)


class CallState(StrEnum):
    """Whether a provider is called."""

    OK = "ok"
    PAUSED = "paused"  # after faults: nobody calls it for a while
    PROBING = "probing"  # the next call finds out whether it is back
    RATE_LIMITED = "rate_limited"


@frozen
class CallStatus:
    """The state of one provider, `since` or until when, and why."""

    state: CallState
    at: datetime | None = None  # PROBING: since; PAUSED, RATE_LIMITED: until
    reason: str = ""

    def __str__(self) -> str:
        match self.state:
            case CallState.PAUSED | CallState.PROBING if self.at:
                word = "until" if self.state is CallState.PAUSED else "since"
                return f"{self.state} {word} {iso(self.at)}: {self.reason}"
            case CallState.RATE_LIMITED if self.at:
                return f"rate limited until {iso(self.at)}"
            case _:
                return str(self.state)


def call_statuses(
    session: Session, chain: Sequence[str], moment: datetime
) -> dict[str, CallStatus]:
    """Whether each provider of `chain` is called at `moment`."""
    states = {state.name: state for state in session.scalars(select(ProviderState))}
    return {name: _status(states.get(name), moment) for name in chain}


def _status(state: ProviderState | None, moment: datetime) -> CallStatus:
    if state and state.open_until:
        what = CallState.PAUSED if state.open_until > moment else CallState.PROBING
        return CallStatus(what, state.open_until, state.reason or "")
    if state and state.rate_until and state.rate_until > moment:
        return CallStatus(CallState.RATE_LIMITED, state.rate_until)
    return CallStatus(CallState.OK)


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
    state.reason = _reason(error)
    if state.open_until:
        logger.warning("provider %s is left alone: %s", name, _status(state, moment))


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


def _reason(error: EmailSendError) -> str:
    return mask(f"{error.code}: {error}")
