"""The callers of our API: each email has a key of its own, and is repeated until it is accepted.

Those of `OneTry` take the first answer that they get.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

import requests

CLIENTS = 8
PAUSE = 0.1  # seconds between two tries
REPEATED = 10  # every so many emails one is sent again, as after an answer lost on the way
PATIENCE = 60.0  # seconds until an email that is never accepted ends the run
TIMEOUT = 30.0  # seconds until a caller gives up on an answer


def recipient(number: int) -> str:
    """To whom that email goes."""
    return f"user{number}@drill.example.com"


class Clients:
    """Offers `emails` emails with POST /api/send to the hosts at `urls` in turn, at most
    `per_second` of them a second.

    `accepted` maps the number of an email to the id that our API gave for it. A context manager:
    started on entry, stopped on exit, done or not.
    """

    def __init__(self, urls: Sequence[str], token: str, *, emails: int, per_second: float) -> None:
        self.accepted: dict[int, str] = {}
        self._urls = [f"{url}/api/send" for url in urls]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._emails = emails
        self._rest = CLIENTS / per_second  # seconds between two emails of one client
        self._stopped = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")

    def __enter__(self) -> Self:
        self._futures = [self._pool.submit(self._offer, number) for number in range(self._emails)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._awake.set()
        self._pool.shutdown(cancel_futures=True)

    def done(self) -> bool:
        """Whether all are accepted. Raises what ended a client."""
        finished = [future for future in self._futures if future.done()]
        for future in finished:
            future.result()
        return len(finished) == len(self._futures)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Nobody offers a new email during the block; afterwards all do at once."""
        self._awake.clear()
        yield
        self._awake.set()

    def _offer(self, number: int) -> None:
        self._awake.wait()
        self._insist(number)
        if number % REPEATED == 0:
            self._insist(number)
        self._stopped.wait(self._rest)

    def _insist(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (self._stopped.is_set() or self._try(number)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"email {number} was not accepted within {PATIENCE:g} s")
            self._stopped.wait(PAUSE)

    def _try(self, number: int) -> bool:
        """One request; whether we got a yes. Raises for an answer that no repeat can mend."""
        try:
            answer = self._post(number)
        except requests.RequestException:  # killed before, during or after
            return False
        if answer.status_code == 202:
            return True
        if answer.status_code < 500:
            raise RuntimeError(f"email {number} was answered {answer.status_code}: {answer.text}")
        return False

    def _post(self, number: int) -> requests.Response:
        answer = requests.post(
            self._urls[number % len(self._urls)],
            json={"email": recipient(number), "name": f"User {number}"},
            headers=self._headers | {"Idempotency-Key": f"drill-{number}"},
            timeout=TIMEOUT,
        )
        if answer.status_code == 202:
            self.accepted[number] = answer.json()["id"]
        return answer


class OneTry(Clients):
    """Callers without patience: each asks once, and `answers` holds by number what it was told."""

    def __init__(self, urls: Sequence[str], token: str, *, emails: int, per_second: float) -> None:
        super().__init__(urls, token, emails=emails, per_second=per_second)
        self.answers: dict[int, requests.Response] = {}

    def _offer(self, number: int) -> None:
        if not self._stopped.is_set():
            self.answers[number] = self._post(number)
            self._stopped.wait(self._rest)
