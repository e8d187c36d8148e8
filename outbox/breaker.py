"""Which providers may be called now, and how often.

What a provider answered is a row that all processes share; what this process could not even reach
is its own (`reachability`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from attrs import frozen
from flask import current_app
from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from database import changed_rows, insert_if_new, iso
from errors import EmailSendError, RateLimited, UnsupportedFeature
from extensions import email
from log_setup import mask
from outbox import pacing
from outbox.reachability import THRESHOLD, open_for, reachability
from outbox.tables import ProviderState
from providers import Receipt

logger = logging.getLogger(__name__)

PAUSE = 60.0  # seconds after a refused key or a spent quota
WORTH_WAITING = 30.0  # seconds of rate limit for which a row stays with its provider


@frozen
class Availability:
    """`permits` are the calls that each provider's rate allows now, the first choice first.

    `first` is the one for rows that may go to any; None while it is waited for. The `doubtful`
    before it get one call each, to see if they work, and so does `probe`, which everybody else
    leaves alone. `opens_at` is when anything changes, if that is known.
    """

    permits: Mapping[str, int]
    first: str | None
    doubtful: Sequence[str] = ()
    probe: str | None = None
    opens_at: datetime | None = None

    @property
    def usable(self) -> list[str]:
        """Those that may be called now."""
        return [name for name, calls in self.permits.items() if calls]

    @property
    def any(self) -> bool:
        """Whether there is anybody to call."""
        return bool(self.usable or self.probe)


_STATES = select(ProviderState).execution_options(populate_existing=True)
_LOCKED = (
    _STATES.where(ProviderState.name.in_(bindparam("names", expanding=True)))
    .order_by(ProviderState.name)
    .with_for_update()
)

States = dict[str, ProviderState]
"""What is stored of each provider; one without a row has never failed and has no rate."""


def load_states(session: Session, *, lock: bool = False) -> States:
    """What all processes know of the providers.

    With `lock` those that have a rate are locked, so that their permits are ours until the commit.
    """
    rated = [name for name in email.chain if email.provider(name).rate] if lock else []
    states = {state.name: state for state in session.scalars(_STATES)}
    if rated:
        for name in rated:
            if name not in states:
                insert_if_new(session, ProviderState, {"name": name, "failures": 0})
        states |= {state.name: state for state in session.scalars(_LOCKED, {"names": rated})}
    return states


def availability(states: States, moment: datetime) -> Availability:
    """What may be called at `moment`. A provider under a short rate limit is waited for."""
    permits: dict[str, int] = {}
    opens: list[datetime] = []
    able: list[str] = []
    probe: str | None = None
    waiting = False
    for name in email.chain:
        state = states.get(name)
        if closed := reachability().closed_for(name):
            opens.append(moment + timedelta(seconds=closed))
            continue
        if state and state.open_until:
            opens.append(max(state.open_until, state.probe_until or state.open_until))
            if opens[-1] <= moment and may_probe_with_email(name):
                probe = probe or name
            continue
        rate, next_at = email.provider(name).rate, state.next_at if state else None
        most = 1 if _is_doubtful(states, name) else pacing.UNLIMITED
        permits[name] = min(most, pacing.permits(rate, next_at, moment))
        if not permits[name] and next_at:
            opens.append(pacing.opens_at(rate, next_at))
            # A long wait is as good as a pause: others are tried meanwhile.
            waiting = waiting or opens[-1] - moment <= timedelta(seconds=WORTH_WAITING)
        elif not waiting:
            able.append(name)
    doubtful = [*takewhile(lambda name: _is_doubtful(states, name), able)]
    permits |= dict.fromkeys(
        (each for each in permits if _is_doubtful(states, each) and permits[each]), 1
    )
    first = next(iter(able[len(doubtful) :]), None)
    later = [at for at in opens if at > moment]
    return Availability(permits, first, doubtful, probe, min(later, default=None))


def _is_doubtful(states: States, name: str) -> bool:
    """Whether one call is enough to see if it works again."""
    state = states.get(name)
    return reachability().is_doubtful(name) or bool(state and state.failures >= THRESHOLD)


def take_permits(states: States, calls: Mapping[str, int], moment: datetime) -> None:
    """Count so many calls to each provider; `load_states` has locked those with a rate."""
    for name, count in calls.items():
        rate = email.provider(name).rate
        if rate and count:
            state = states[name]
            state.next_at = pacing.after_calls(rate, state.next_at, moment, count)


def may_probe_with_email(name: str) -> bool:
    """Whether an email may be risked to see if a provider works: not without a key to repeat it.

    The others are asked whether they know our key (`housekeeping.check_paused`).
    """
    return email.provider(name).capabilities.idempotency_window > 0


def is_paused(session: Session, name: str) -> bool:
    """Whether nobody calls the provider until somebody finds out that it is back."""
    paused = select(ProviderState.open_until).where(ProviderState.name == name)
    return session.scalar(paused) is not None


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


def record(
    session: Session,
    states: States,
    name: str,
    answers: Iterable[object],
    moment: datetime,
    *,
    probe: bool = False,
) -> None:
    """Learn from answers of provider `name`, in the order in which they came.

    A `probe` of which nothing was learned is over as well: another may come at once.
    """
    for answer in answers:
        if isinstance(answer, UnsupportedFeature) or not isinstance(
            answer, Receipt | EmailSendError
        ):
            continue  # it was not called, or broke on our side
        if isinstance(answer, EmailSendError) and not answer.reached:
            reachability().missed(name, answer)
            continue
        reachability().reached(name)
        if isinstance(answer, RateLimited):
            _wait(session, states, name, answer, moment)
        elif isinstance(answer, EmailSendError) and answer.trips_breaker:
            _count_fault(session, states, name, answer, moment)
        else:
            _close(states.get(name))
    if probe and (state := states.get(name)) and state.probe_until:
        state.probe_until = None


def end_pause(states: States, name: str) -> None:
    """Its key is taken, so it is called again: one email at first, for sending may still fail.

    Its failures in a row stay counted, so that one more pauses it for longer than before.
    """
    if state := states.get(name):
        logger.warning("provider %s takes our key: it is called again", name)
        state.open_until = state.probe_until = None


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
    # Our own pace is no news; a provider that asked us to wait is.
    if state and state.asked_until and state.asked_until > moment:
        return CallStatus(CallState.RATE_LIMITED, state.asked_until)
    return CallStatus(CallState.OK)


def _wait(
    session: Session, states: States, name: str, error: RateLimited, moment: datetime
) -> None:
    """It asked everybody to wait, or (409) one row: either way it answered, so a probe is over."""
    _close(states.get(name))
    if error.status == 429:
        state = _locked(session, states, name)
        asked = moment + timedelta(seconds=error.retry_after or 1.0)
        state.asked_until = max(asked, state.asked_until or asked)
        state.next_at = pacing.after_wait(email.provider(name).rate, state.next_at, asked)


def _count_fault(
    session: Session, states: States, name: str, error: EmailSendError, moment: datetime
) -> None:
    state = _locked(session, states, name)
    if state.open_until and not state.probe_until and not error.pauses_provider:
        return  # a call that began before the breaker opened says nothing new
    state.failures += 1
    if error.pauses_provider:
        state.open_until = moment + timedelta(seconds=max(PAUSE, error.retry_after or 0))
    elif state.open_until or state.failures >= THRESHOLD:
        state.open_until = moment + timedelta(seconds=open_for(state.failures))
    state.probe_until = None
    state.reason = mask(f"{error.code}: {error}")
    if state.open_until:
        logger.warning("provider %s is left alone: %s", name, _status(state, moment))


def _close(state: ProviderState | None) -> None:
    # Hardly ever a row to change, so that a success costs no write.
    if state and (state.failures or state.open_until):
        if state.open_until:
            logger.warning("provider %s is back", state.name)
        state.failures = 0
        state.open_until = state.probe_until = state.reason = None


def _locked(session: Session, states: States, name: str) -> ProviderState:
    session.flush()  # what was learned so far; it would be read over
    insert_if_new(session, ProviderState, {"name": name, "failures": 0})
    states[name] = session.get_one(
        ProviderState, name, with_for_update=True, populate_existing=True
    )
    return states[name]
