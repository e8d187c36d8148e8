"""The way to one webhook: what waits for it, the threads that post it, and the vendor's retries."""

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tools.simulator.events import Event, Vendor
from tools.simulator.history import History, Post
from tools.simulator.posting import PostResult, post
from tools.simulator.webhook_secrets import Secrets

MAX_WAITING = 20_000  # events


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How badly webhooks arrive.

    `duplicates` is the share of posts that come a second time after a yes. With `reorder` any event
    that is waiting may be the next. `hurry` divides the waits between tries. More than one of
    `threads` lets posts overtake each other. Chance is drawn from `seed`.
    """

    duplicates: float = 0.0
    reorder: bool = False
    hurry: float = 1.0
    threads: int = 1
    seed: int = 0


@dataclass(order=True, kw_only=True)
class _Delivery:
    due: float  # by the monotonic clock
    number: int
    post: Post = field(compare=False)
    again: bool = field(compare=False)  # a duplicate or a replay
    age: int = field(compare=False)
    tries: int = field(default=0, compare=False)


class Channel:
    """Posts the events of one vendor to `url` until each is answered 2xx or the vendor gives up."""

    def __init__(
        self, vendor: Vendor, url: str, secrets: Secrets, manner: Manner, history: History
    ) -> None:
        self.vendor = vendor
        self._url, self._secrets, self._manner, self._history = url, secrets, manner, history
        self._changed = threading.Condition()
        self._fresh: deque[Event] = deque()
        self._later: list[_Delivery] = []  # a heap
        self._waiting = self._lost = self._age = 0
        self._numbers = itertools.count()
        self._random = random.Random(f"{manner.seed} {vendor.name}")  # noqa: S311  repeatable

    def start(self) -> None:
        for _ in range(self._manner.threads):
            threading.Thread(target=self._run, daemon=True).start()

    def add(self, events: Sequence[Event]) -> None:
        """Queue new events, all at once; never blocks. What finds no room is lost and counted."""
        with self._changed:
            taken = events[: max(0, MAX_WAITING - self._waiting)]
            self._lost += len(events) - len(taken)
            self._waiting += len(taken)
            self._fresh.extend(taken)
            self._changed.notify_all()

    def replay(self, posts: Iterable[Post]) -> None:
        """Queue posts that were made before, in this order, with no regard to room."""
        with self._changed:
            for each in posts:
                self._add_again(each)
            self._changed.notify_all()

    def counts(self) -> tuple[int, int]:
        """How many events wait or are under way, and how many were lost for want of room."""
        with self._changed:
            return self._waiting, self._lost

    def clear(self) -> None:
        """Forget what waits, and the outcome of what is under way."""
        with self._changed:
            self._fresh.clear()
            self._later.clear()
            self._waiting = self._lost = 0
            self._age += 1

    def _run(self) -> None:
        while True:
            delivery = self._take()
            self._settle(delivery, self._post(delivery.post))

    def _take(self) -> _Delivery:
        with self._changed:
            while (delivery := self._next()) is None:
                pause = self._later[0].due - time.monotonic() if self._later else None
                self._changed.wait(pause)
            return delivery

    def _next(self) -> _Delivery | None:
        due = bool(self._later) and self._later[0].due <= time.monotonic()
        if due and not (self._fresh and self._manner.reorder and self._random.random() < 0.5):
            return heapq.heappop(self._later)
        if not self._fresh:
            return None
        return self._delivery(self._make(self._gather()), again=False)

    def _gather(self) -> list[Event]:
        size = min(len(self._fresh), self.vendor.batch)
        if not self._manner.reorder:
            return [self._fresh.popleft() for _ in range(size)]
        gathered = []
        for _ in range(self._random.randint(1, size)):
            self._fresh.rotate(self._random.randrange(len(self._fresh)))
            gathered.append(self._fresh.popleft())
        return gathered

    def _post(self, made: Post) -> PostResult:
        vendor = self.vendor
        headers = made.headers or vendor.sign(
            self._secrets, made.events, made.body, int(time.time())
        )
        if vendor.signs_once:
            made.headers = headers
        return post(self._url, headers, made.body, vendor.patience)

    def _settle(self, delivery: _Delivery, outcome: PostResult) -> None:
        with self._changed:
            if delivery.age != self._age:
                return  # all was cleared meanwhile
            self._history.note(delivery.post, outcome)
            delivery.tries += 1
            if not outcome.delivered and delivery.tries <= len(self.vendor.waits):
                self._put_off(delivery, self.vendor.waits[delivery.tries - 1])
                return
            self._waiting -= len(delivery.post.events)
            if outcome.delivered and not delivery.again and self._draws_duplicate():
                self._add_again(self._repeated(delivery.post))

    def _draws_duplicate(self) -> bool:
        return self._random.random() < self._manner.duplicates

    def _repeated(self, made: Post) -> Post:
        repeat = self.vendor.repeat
        return self._make([repeat(event) for event in made.events]) if repeat else made

    def _put_off(self, delivery: _Delivery, wait: float) -> None:
        delivery.due = time.monotonic() + wait / self._manner.hurry
        heapq.heappush(self._later, delivery)
        self._changed.notify()

    def _add_again(self, made: Post) -> None:
        self._waiting += len(made.events)
        self._put_off(self._delivery(made, again=True), 0)

    def _make(self, events: Sequence[Event]) -> Post:
        return Post(provider=self.vendor.name, events=events, body=self.vendor.encode(events))

    def _delivery(self, made: Post, *, again: bool) -> _Delivery:
        number = next(self._numbers)
        return _Delivery(due=0.0, number=number, post=made, again=again, age=self._age)
