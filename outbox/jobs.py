"""What the engine carries from the claim to the outcome: rows that are ours, and one call for them.

claimed -> prepared (bytes built) -> started (committed) -> called -> ended (answers)
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, ClassVar

from attrs import define, field, frozen

from errors import EmailSendError
from outbox.tables import Lane
from providers import Receipt
from retry import backoff

OURSELVES = ""  # the provider of what the database does alone
PUT_OFF = 5  # failed attempts: what cannot be read or claimed waits as long as after so many


class Postponed(Exception):
    """The row was not called and goes back, untouched but for the wait; nobody is at fault.

    `only_provider` names the one that can express it, `wait` is in seconds, and what is `single`
    takes no part in batches from now on.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: float = 0,
        only_provider: str | None = None,
        single: bool = False,
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.only_provider = only_provider
        self.single = single


def unreadable(error: Exception) -> Postponed:
    """The row waits until newer code is everywhere."""
    return Postponed(str(error), wait=backoff(PUT_OFF))


class NotRepeated(Postponed):
    """A repeat could be a second copy, so nobody can say what became of the row."""

    def __init__(self) -> None:
        super().__init__(
            "an earlier try may have been accepted, and a repeat is not safe: its bytes or "
            "provider would differ, or the provider has forgotten its key"
        )


Answer = Receipt | EmailSendError | Postponed
"""What became of a row in a job: accepted, refused or unclear, or not called at all."""


@frozen
class Held:
    """The narrow columns of a row that is ours."""

    id: str
    task: str
    recipient: str
    recipients: list[str] | None
    category: str
    sensitive: bool
    attempts: int
    provider: str | None
    only_provider: str | None
    pinned: bool
    single: bool
    size: int
    expires_at: datetime | None
    delivery_status: str | None

    @property
    def may_move(self) -> bool:
        """Whether another provider may be asked: no call of it may have been accepted so far."""
        return not self.pinned and self.only_provider is None


@define(eq=False)
class Job:
    """One call to `provider` (a step: to nobody): for one row, or for the `rows` of a batch.

    All of them are ours under `token` until `lease_until`. `unpaused` are the providers that may
    take what this one cannot express; a call that `probes` finds out if this one is well again.
    `batch` is the row of a batch that was called before, `batch_id` the idempotency key of one that
    is called at all. The lists run parallel to `rows`: what they store, the hashes of their bytes,
    their attempts, their answers.
    """

    kind: "Kind"
    lane: Lane
    provider: str
    token: str
    lease_until: datetime
    deadline: float  # the same on this process's monotonic clock
    rows: list[Held]
    unpaused: Collection[str] = ()
    probes: bool = False
    urgent: bool = False  # marketing whose turn it is under a backlog of the others
    redirected_to: str | None = None  # who gets it in place of its recipients
    batch: Held | None = None
    batch_id: str | None = None
    batch_hash: str | None = None  # of the bytes that an earlier call posted
    stored: list[dict[str, Any]] = field(factory=list)
    request: Any = None
    hashes: list[str] = field(factory=list)
    attempts: list[str] = field(factory=list)  # ids; empty until it was started
    answers: list[Answer] = field(factory=list)
    calls: int = 1  # to the provider, of which one had its permit when the row was claimed

    @property
    def ids(self) -> list[str]:
        """Of all rows that it is about, that of the batch included, where it has one by now."""
        own = [self.batch_id] if self.batch_id else []
        return own + [row.id for row in self.rows]

    def answer_all(self, answer: Answer) -> None:
        """Give every row the same answer."""
        self.answers = [answer] * len(self.rows)


class Kind(ABC):
    """What is done with the rows of one `task`.

    `repeatable` rows may be called again without harm, so none of them ends as unknown.
    `judges_provider` says whether an answer tells how the provider fares with emails,
    `obeys_suppression` whether nothing goes to an address that is suppressed.
    """

    task: ClassVar[str]
    repeatable: ClassVar[bool] = False
    judges_provider: ClassVar[bool] = True
    obeys_suppression: ClassVar[bool] = False

    def refusal(self, address: str) -> str | None:
        """Why the settings let nothing of this kind go to `address`; None if they do."""
        return None

    @abstractmethod
    def prepare(self, job: Job) -> Iterable[Job]:
        """Build what the job posts, by `job.stored`; no database, no call.

        Gives the job back, or the jobs that it falls apart into. One that cannot be called has
        its answers already.
        """

    @abstractmethod
    def call(self, job: Job) -> list[Answer]:
        """Make the call; an answer for each row. What it raises is nobody's answer."""
