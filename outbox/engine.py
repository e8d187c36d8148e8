"""The engine: one thread that owns this process's writing to the outbox.

Each turn is one transaction. A turn happens when there is something to do: a wake-up, a call that
ended, the moment at which a row or a permit is due. The calls are made by `senders`.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence

from flask import Flask
from sqlalchemy import select

from database import now, transaction, why_unavailable
from outbox import due
from outbox.delivery import deliver_quarantined
from outbox.halving import take_turn_or_halves
from outbox.jobs import Job, Postponed
from outbox.kinds import call
from outbox.recording import Recorded
from outbox.selection import Room, quarantined_wait
from outbox.senders import Senders
from outbox.shares import Shares
from outbox.tables import Lane, OutboxRow, State
from outbox.turn import Turn, prepare
from outbox.watching import Watches

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds after a turn that failed
LAST_TRIES = 2.0  # seconds, after the last call of a process that stops, to record its answer
LINGER = 0.02  # seconds that an outcome waits for others to be recorded with


class Engine:
    """Delivers due rows in this process, with at most EMAIL_THREADS calls at once.

    With `overdue` it takes only rows that somebody else should have delivered that many seconds
    ago. Once `goes_on` says no, the process is about to stop, and nothing more is claimed.
    """

    def __init__(
        self, app: Flask, *, overdue: float = 0, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        self.app = app
        self.pid = os.getpid()  # a forked child has this object, but not its threads
        self.watches = Watches()
        self._goes_on = goes_on
        self._overdue = overdue
        self._slots: int = app.config["EMAIL_THREADS"]
        self._interval: float = app.config["EMAIL_SWEEP"]
        self._changed = threading.Condition()
        self._woken = True
        self._stopping = False
        self._stop_by = math.inf  # of the monotonic clock
        self._sweep_at = 0.0  # of the monotonic clock: when to look for what nobody told us of
        self._due_at = math.inf  # of the same: when the next row or permit is due
        self._alone = False  # a row waits that must be delivered alone
        self._more = False  # the last claim took all that there was room for
        self._shares = Shares(self._slots)
        self._claimed: list[Job] = []  # not built yet
        self._built: list[Job] = []  # not started yet
        self._calling: set[Job] = set()
        self._ended: list[Job] = []  # not recorded yet
        self._ended_since = 0.0
        self._failing = False  # the last turn failed, as while the database is away
        self._senders = Senders(app, self._slots, self._end)
        self._thread = threading.Thread(target=self._run, name="email-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for due rows now rather than at the next sweep."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    @property
    def keeps_answers(self) -> bool:
        """Whether answers wait, or will, that no database takes; they end with the process."""
        return self._failing and bool(self._ended or self._calling)

    def stop_claiming(self) -> None:
        """Take nothing new; what is in flight goes on."""
        with self._changed:
            if not self._stopping:
                timeout: float = self.app.config["EMAIL_TIMEOUT"]
                self._stop_by = time.monotonic() + timeout + LAST_TRIES
            self._stopping = True
            self._changed.notify()

    def stop(self) -> None:
        """Claim nothing more, finish what is in flight, and return.

        While the database is away, answers are kept until a call could last no longer, then lost.
        """
        self.stop_claiming()
        if self._thread.is_alive():
            self._thread.join()
        self._senders.close()

    def _end(self, job: Job) -> None:
        """A sender has the answers of a job."""
        with self._changed:
            if not self._ended:
                self._ended_since = time.monotonic()
            self._ended.append(job)
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            try:
                with self.app.app_context():
                    self._work()
                self._failing = False
            except Exception as error:
                self._failing = True
                self._complain(error)
                if self._stopping and time.monotonic() > self._stop_by:
                    logger.error("%d answers were not recorded before the end", len(self._ended))
                    break
                with self._changed:
                    self._changed.wait(PAUSE)
        self.watches.close()

    def _wait(self) -> bool:
        """Sleep until there is something to do; False once all is done and we are to stop."""
        with self._changed:
            while True:
                stopping = self._is_stopping()
                if self._claimed or self._shares.to_start(self._built, self._calling):
                    return True
                if self._ended and (stopping or (linger := self._linger()) <= 0):
                    return True
                if not self._calling and (stopping or self._alone):
                    return not stopping
                left = min(self._due_at, self._sweep_at) - time.monotonic()
                if not stopping and (self._woken or left <= 0):
                    return True
                if self._ended:
                    left = linger
                self._changed.wait(self._interval if stopping else left)

    def _is_stopping(self) -> bool:
        return self._stopping or not self._goes_on()

    def _linger(self) -> float:
        """For how many seconds a turn may wait: while the threads have enough to call."""
        if self._senders.waiting() <= self._slots // 4:
            return 0.0
        return self._ended_since + LINGER - time.monotonic()

    def _work(self) -> None:
        with self._changed:
            woken, self._woken = self._woken, False
            ended, self._ended = self._ended, []
        self._calling -= set(ended)
        try:
            self._turn(ended, self._room() if self._looks(woken) else None)
        except BaseException:
            with self._changed:
                self._ended = ended + self._ended
                self._woken = woken or self._woken
            raise
        self._look_for_watched()
        self._prepare()

    def _looks(self, woken: bool) -> bool:
        """Whether this turn looks for rows to claim."""
        if self._is_stopping():
            for job in self._built:
                job.answer_all(Postponed("its process stops"))
            return False
        if self._alone:
            self._deliver_alone()
            return False
        swept = self._sweep_at <= time.monotonic() and self._find_due()
        more = self._more and len(self._calling) + len(self._built) <= 2 * self._slots
        return woken or swept or more or self._due_at <= time.monotonic()

    def _find_due(self) -> bool:
        """The one look at each sweep: whether a turn is worth its write lock."""
        self._sweep_at = time.monotonic() + self._interval
        with transaction() as session:
            found = due.look(session, self._overdue)
            # Asked as well, because being alone holds everybody up.
            self._alone = found.alone and quarantined_wait(session, now(session)) is not None
        return found.rows

    def _deliver_alone(self) -> None:
        """Rows with which a worker died go out while nothing else is in flight here.

        Until the last call has ended nothing is claimed.
        """
        if self._calling or self._built or self._claimed:
            return
        while not self._is_stopping() and (wait := self._quarantined_wait()) is not None:
            if wait:
                with self._changed:  # a stop ends it
                    self._changed.wait_for(lambda: self._stopping, wait)
            elif not deliver_quarantined():
                break
        self._alone = False
        self.wake()

    @staticmethod
    def _quarantined_wait() -> float | None:
        with transaction() as session:
            return quarantined_wait(session, now(session))

    def _room(self) -> Room:
        held = [*self._claimed, *self._built, *self._calling]
        return self._shares.room(held, self._overdue)

    def _turn(self, ended: list[Job], room: Room | None) -> None:
        stopped = [job for job in self._built if job.answers]
        chosen = self._shares.to_start(self._built, self._calling)
        kept = [job for job in self._built if job not in chosen and not job.answers]
        if not (ended or stopped or chosen or room):
            return
        turn = take_turn_or_halves([*ended, *stopped], chosen, room)
        self._built = kept
        self._hand_over(turn.started)
        if room is not None:
            self._after_claim(turn)
        self._note_waits(turn.told)
        self.watches.settled({each.row.id: each.outcome.state for each in turn.told if each.held})

    def _hand_over(self, started: Sequence[Job]) -> None:
        for job in started:
            self._calling.add(job)
            if job.lane is Lane.STEPS:
                self._take_step(job)
                continue
            try:
                self._senders.put(job)
            except RuntimeError:  # the interpreter is going down
                job.answer_all(Postponed("its process stops"))
                self._end(job)

    def _take_step(self, job: Job) -> None:
        """Here and now: this thread does the writing, and it needs no sender."""
        call(job)
        self._end(job)
        self.wake()  # it may have queued emails

    def _after_claim(self, turn: Turn) -> None:
        self._claimed += turn.claimed
        self._shares.take(turn.claimed)
        self._more = turn.more
        self._due_at = math.inf if turn.pause is None else time.monotonic() + turn.pause

    def _note_waits(self, told: Sequence[Recorded]) -> None:
        """Rows that were queued again: this process knows when they are due."""
        waits = [each.outcome.wait for each in told if each.outcome.state is State.QUEUED]
        if waits:
            self._due_at = min(self._due_at, time.monotonic() + min(waits))

    def _prepare(self) -> None:
        if self._claimed:
            built = prepare(self._claimed)
            self._claimed = []
            with self._changed:
                self._ended += [job for job in built if job.answers]
            self._built += [job for job in built if not job.answers]

    def _look_for_watched(self) -> None:
        """Tell who waits for a row that is not ours: it was settled, or it has to wait."""
        if self._more or self._claimed:
            return  # it may be among the next
        mine = {row.id for job in (*self._calling, *self._built) for row in job.rows}
        if ids := self.watches.unknown(mine):
            statement = select(OutboxRow.id, OutboxRow.state).where(OutboxRow.id.in_(ids))
            with transaction() as session:
                found = dict(session.execute(statement).all())
            self.watches.settled({each: found.get(each, "gone") for each in ids})

    def _complain(self, error: Exception) -> None:
        with self.app.app_context():
            reason = why_unavailable(error)
        if reason is None:
            logger.exception("the engine failed; it tries again in %g s", PAUSE)
        else:
            logger.error(
                "the engine cannot use the database (%s); it tries again in %g s", reason, PAUSE
            )
