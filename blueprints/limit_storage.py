"""Where rate limits are counted: in Redis, which all processes share, or here while it is away.

The fallback of Flask-Limiter is for the first request that finds Redis gone: others that were
asking at that moment, and whoever asks for the wait after a refusal, get the error as a 500.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from limits.storage import MemoryStorage, RedisStorage, Storage
from redis import RedisError

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

PREFIX = "forgiving+"
PAUSE = 5.0  # seconds until a Redis that did not answer is asked again, by one request


class ForgivingStorage(Storage):
    """Redis at `forgiving+redis://...`; its errors reach nobody, for then this process counts.

    What was counted here meanwhile is not carried over when Redis is back.
    """

    STORAGE_SCHEME = [f"{PREFIX}redis", f"{PREFIX}rediss"]  # noqa: RUF012  the library's attribute

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri)
        self._redis = RedisStorage(uri.removeprefix(PREFIX), **options)
        self._memory = MemoryStorage()
        self._changing = threading.Lock()
        self._next_try: float | None = None  # on the monotonic clock; None while Redis answers

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a storage may raise; this one has forgiven it."""
        return RedisError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._ask(lambda storage: storage.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        return self._ask(lambda storage: storage.get(key))

    def get_expiry(self, key: str) -> float:
        return self._ask(lambda storage: storage.get_expiry(key))

    def check(self) -> bool:
        return self._ask(lambda storage: storage.check())

    def reset(self) -> int | None:
        return self._ask(lambda storage: storage.reset())

    def clear(self, key: str) -> None:
        return self._ask(lambda storage: storage.clear(key))

    def _ask(self, question: Callable[[Storage], Answer]) -> Answer:
        if self._may_try():
            try:
                answer = question(self._redis)
            except RedisError as error:
                self._went(error)
            else:
                self._came_back()
                return answer
        return question(self._memory)

    def _may_try(self) -> bool:
        if self._next_try is None:
            return True
        with self._changing:
            now = time.monotonic()
            if self._next_try is not None and now < self._next_try:
                return False
            self._next_try = now + PAUSE  # the others need not wait to find out
            return True

    def _went(self, error: RedisError) -> None:
        with self._changing:
            was_there, self._next_try = self._next_try is None, time.monotonic() + PAUSE
        if was_there:
            logger.warning(
                "rate_limits_alone: Redis does not answer, so each process counts by itself (%s)",
                error,
            )

    def _came_back(self) -> None:
        if self._next_try is None:
            return
        with self._changing:
            self._next_try = None
        logger.info("rate_limits_shared: Redis answers again")
