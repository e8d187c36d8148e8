"""What was posted and how it was answered, as far back as memory is meant to reach."""

import itertools
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tools.simulator.events import Event, iso
from tools.simulator.posting import PostResult

MAX_POSTS = 20_000
MAX_ATTEMPTS = 100_000


@dataclass(kw_only=True)
class Post:
    """The events and the body of one POST, for all its tries.

    `headers` are those of the signature if it is made once; `number` is given with the first try.
    """

    provider: str
    events: Sequence[Event]
    body: bytes
    headers: dict[str, str] | None = None
    number: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PostAttempt:
    """One try to tell one event. Events of the same `post` went together."""

    at: str
    provider: str
    post: int
    type: str
    event_id: str
    email_id: str
    recipient: str
    outcome: PostResult

    def as_json(self) -> dict[str, Any]:
        """`status` is null if there was no answer; `error` then says why."""
        return {
            "at": self.at,
            "provider": self.provider,
            "post": self.post,
            "type": self.type,
            "event_id": self.event_id,
            "email_id": self.email_id,
            "recipient": self.recipient,
            "status": self.outcome.status,
            "error": self.outcome.error,
        }


class History:
    """For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._posts: deque[Post] = deque(maxlen=MAX_POSTS)
        self._attempts: deque[PostAttempt] = deque(maxlen=MAX_ATTEMPTS)

    def note(self, post: Post, outcome: PostResult) -> None:
        """One try of `post`, just now."""
        at = iso(datetime.now(UTC))
        with self._lock:
            if not post.number:
                post.number = next(self._numbers)
                self._posts.append(post)
            self._attempts.extend(
                PostAttempt(
                    at=at,
                    provider=post.provider,
                    post=post.number,
                    type=event.type,
                    event_id=event.id,
                    email_id=event.email_id,
                    recipient=event.recipient,
                    outcome=outcome,
                )
                for event in post.events
            )

    def posts(self) -> list[Post]:
        """Each once, however often it was tried; oldest first."""
        with self._lock:
            return list(self._posts)

    def attempts(self) -> list[PostAttempt]:
        """Oldest first."""
        with self._lock:
            return list(self._attempts)

    def clear(self) -> None:
        with self._lock:
            self._posts.clear()
            self._attempts.clear()
