"""The engine: one thread that owns this process's writing to the outbox.

Each turn is one transaction. A turn happens when there is something to do: a wake-up, a call that
ended, the moment at which a row or a permit is due. The calls are made by `senders`.
"""

import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from attrs import evolve
from flask import Flask
from sqlalchemy import select

from database import transaction, why_unavailable
from errors import EmailSendError, OutcomeUnknown
from outbox import due
from outbox.claim import Room
from outbox.delivery import deliver_quarantined
from outbox.jobs import Answer, Job, Postponed
from outbox.senders import Senders
from outbox.tables import Lane, OutboxRow
from outbox.turn import Turn, prepare, take_turn
from outbox.watching import Watches
from providers import Receipt

logger = logging.getLogger(__name__)

MARKETING_SHARE = 10  # under a backlog of the other lanes marketing gets every tenth call
PAUSE = 1.0  # seconds after a turn that failed
AHEAD = 4  # jobs in hand for each thread: what is only claimed is queued again if we die
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
        self._sweep_at = 0.0  # of the monotonic clock: when to look for what nobody told us of
        self._due_at = math.inf  # of the same: when the next row or permit is due
        self._alone = False  # a row waits that must be delivered alone
        self._more = False  # the last claim took all that there was room for
        self._others = 0  # calls of the other lanes since marketing had one
        self._claimed: list[Job] = []  # not built yet
        self._built: list[Job] = []  # not started yet
        self._calling: set[Job] = set()
        self._ended: list[Job] = []  # not recorded yet
        self._ended_since = 0.0
        self._senders = Senders(app, self._slots, self._end)
        self._thread = threading.Thread(target=self._run, name="email-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for due rows now rather than at the next sweep."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop_claiming(self) -> None:
        """Take nothing new; what is in flight goes on."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def stop(self) -> None:
        """Claim nothing more, finish what is in flight, and return."""
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
            except Exception as error:
                self._complain(error)
                with self._changed:  # a stop ends the pause
                    self._changed.wait_for(lambda: self._stopping, PAUSE)
        self.watches.close()

    def _wait(self) -> bool:
        """Sleep until there is something to do; False once all is done and we are to stop."""
        with self._changed:
            while True:
                stopping = self._is_stopping()
                if self._claimed or (self._built and self._startable()):
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
        if self._senders.waiting() <= self._slots // 2:
            return 0.0
        return self._ended_since + LINGER - time.monotonic()

    def _startable(self) -> int:
        """How many jobs may be started: a few wait for a thread, so that none waits for a turn."""
        return 2 * self._slots - len(self._calling)

    def _work(self) -> None:
        woken, self._woken = self._woken, False
        looks = False
        if self._is_stopping():
            for job in self._built:
                job.answer_all(Postponed("its process stops"))
        elif self._alone:
            self._deliver_alone()
        else:
            swept = self._sweep_at <= time.monotonic() and self._find_due()
            more = self._more and len(self._calling) + len(self._built) <= 2 * self._slots
            looks = woken or swept or more or self._due_at <= time.monotonic()
        with self._changed:
            ended, self._ended = self._ended, []
        self._calling -= set(ended)
        try:
            self._turn(ended, self._room() if looks else None)
        except BaseException:
            self._ended = ended + self._ended
            self._woken = woken or self._woken
            raise
        self._prepare()

    def _find_due(self) -> bool:
        """The one look at each sweep: whether a turn is worth its write lock."""
        self._sweep_at = time.monotonic() + self._interval
        with transaction() as session:
            found = due.look(session, self._overdue)
        self._alone = found.alone
        return found.rows

    def _deliver_alone(self) -> None:
        """Rows with which a worker died go out while nothing else is in flight here.

        Until the last call has ended nothing is claimed.
        """
        if self._calling or self._built or self._claimed or self._ended:
            return
        while not self._is_stopping() and deliver_quarantined():
            pass
        self._alone = False
        self.wake()

    def _room(self) -> Room | None:
        """What may be claimed: enough to keep all threads busy during the next turn."""
        held = Counter(
            job.lane for jobs in (self._claimed, self._built, self._calling) for job in jobs
        )
        most = {
            Lane.TRANSACTIONAL: AHEAD * self._slots,
            Lane.CHANGES: max(1, self._slots - 1),
            Lane.MARKETING: max(1, AHEAD * (self._slots - 1)),
        }
        calls = {lane: most[lane] - held[lane] for lane in Lane}
        owed = self._others >= MARKETING_SHARE - 1
        return Room(calls=calls, overdue=self._overdue, owed=owed)

    def _turn(self, ended: list[Job], room: Room | None) -> None:
        stopped = [job for job in self._built if job.answers]
        rest = [job for job in self._built if not job.answers]
        rest.sort(key=lambda job: Lane.TRANSACTIONAL if job.urgent else job.lane)
        count = max(0, self._startable())
        chosen, kept = rest[:count], rest[count:]
        if not (ended or stopped or chosen or room):
            return
        turn = self._take_turn([*ended, *stopped], chosen, room)
        self._built = kept
        self._hand_over(turn.started)
        if room is not None:
            self._after_claim(turn)
        self.watches.settled({each.row.id: each.outcome.state for each in turn.told if each.held})
        self._look_for_watched()

    def _take_turn(self, ended: Sequence[Job], built: Sequence[Job], room: Room | None) -> Turn:
        """A turn. While the database is up a job that breaks it costs itself only."""
        try:
            return take_turn(ended, built, room)
        except Exception as error:
            if why_unavailable(error) or not (ended or built):
                raise
            logger.exception("a turn failed; its jobs are tried in smaller groups")
            return self._smaller_turns(ended, built, error)

    def _smaller_turns(self, ended: Sequence[Job], built: Sequence[Job], error: Exception) -> Turn:
        if len(ended) + len(built) == 1:
            return self._without_details([*ended, *built][0], error)
        turns = [
            self._take_turn(ended[: len(ended) // 2], built[: len(built) // 2], None),
            self._take_turn(ended[len(ended) // 2 :], built[len(built) // 2 :], None),
        ]
        return Turn(
            ended=[job for each in turns for job in each.ended],
            told=[told for each in turns for told in each.told],
            started=[job for each in turns for job in each.started],
        )

    def _without_details(self, job: Job, error: Exception) -> Turn:
        """The job that broke the turn: what matters of its answers, in words that can be stored."""
        job.answers = [_plain(each, error) for each in job.answers]
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

    def _hand_over(self, started: Sequence[Job]) -> None:
        for job in started:
            self._calling.add(job)
            try:
                self._senders.put(job)
            except RuntimeError:  # the interpreter is going down
                job.answer_all(Postponed("its process stops"))
                self._end(job)

    def _after_claim(self, turn: Turn) -> None:
        self._claimed += turn.claimed
        lanes = Counter(job.lane for job in turn.claimed)
        self._more = turn.more
        others = lanes[Lane.TRANSACTIONAL] + lanes[Lane.CHANGES]
        self._others = others if lanes[Lane.MARKETING] else self._others + others
        self._due_at = math.inf if turn.pause is None else time.monotonic() + turn.pause

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


def _plain(answer: Answer | None, error: Exception) -> Answer:
    if isinstance(answer, Receipt):
        return evolve(answer, message_id=None, notes=())
    text = f"its outcome could not be recorded ({type(error).__name__})"
    if isinstance(answer, OutcomeUnknown):
        return OutcomeUnknown(text, retryable=answer.retryable)
    return EmailSendError(text, retryable=True)
