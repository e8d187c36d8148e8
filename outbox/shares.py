"""How many jobs of each lane one process has in hand, so that no lane holds up a better one."""

from collections import Counter
from collections.abc import Collection, Iterable

from outbox.jobs import Job
from outbox.selection import Room
from outbox.tables import Lane

MARKETING_SHARE = 10  # under a backlog of the other lanes marketing gets every tenth call
AHEAD = 4  # jobs in hand for each thread: what is only claimed is queued again if we die


class Shares:
    """Deals `slots`, the threads that call, out to the lanes."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._others = 0  # calls of the other lanes since marketing had one

    def room(self, held: Iterable[Job], overdue: float) -> Room:
        """What may be claimed: enough to keep all threads busy during the next turn."""
        in_hand = Counter(job.lane for job in held)
        most = {
            Lane.TRANSACTIONAL: AHEAD * self._slots,
            Lane.CHANGES: max(1, self._slots - 1),
            Lane.MARKETING: max(1, AHEAD * (self._slots - 1)),
            Lane.STEPS: self._slots,
        }
        calls = {lane: most[lane] - in_hand[lane] for lane in Lane}
        owed = self._others >= MARKETING_SHARE - 1
        return Room(calls=calls, overdue=overdue, owed=owed)

    def take(self, claimed: Iterable[Job]) -> None:
        """Count what was claimed: marketing is owed a call after so many of the others."""
        lanes = Counter(job.lane for job in claimed)
        others = lanes[Lane.TRANSACTIONAL] + lanes[Lane.CHANGES]
        self._others = others if lanes[Lane.MARKETING] else self._others + others

    def to_start(self, built: Iterable[Job], calling: Collection[Job]) -> list[Job]:
        """The jobs to start next: a few wait for a thread, so that none waits for a turn.

        Transactional ones have room of their own, however many of the others wait; steps need none.
        """
        urgent = sum(job.lane is Lane.TRANSACTIONAL for job in calling)
        left = {True: 2 * self._slots - urgent}
        left[False] = 2 * self._slots - len(calling) + urgent
        ready = [job for job in built if not job.answers]
        chosen = [job for job in ready if job.lane is Lane.STEPS]
        for job in sorted(ready, key=lambda job: (not job.urgent, job.lane)):
            first = job.lane is Lane.TRANSACTIONAL
            if job.lane is not Lane.STEPS and left[first] > 0:
                left[first] -= 1
                chosen.append(job)
        return chosen
