"""The simulator as a process of its own, for any test that wants a provider over real HTTP."""

import json
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).parents[1]
START_TIMEOUT = 60  # seconds
REPORT_TIMEOUT = 60  # seconds
NONE = 999_999_999  # more attempts than there will be

_opener = build_opener(ProxyHandler({}))  # no proxy stands before loopback


class Simulator:
    """`python -m tools.simulator` on a free port, its log at `log`; `options` are its arguments.

    A context manager: started on entry, stopped on exit. `url` is `http://127.0.0.1:PORT`, the same
    after `restart`. The base URLs to configure are `url` for Resend and SendGrid, and
    `url + "/api/v1"` for Sequenzy.
    """

    def __init__(self, log: Path, options: Sequence[str] = ()) -> None:
        self.log = log
        self.options = list(options)
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process, "the simulator is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, on its former port if it ran before, and wait until it listens."""
        port = str(urlsplit(self.url).port or 0)
        command = [sys.executable, "-m", "tools.simulator", "--port", port, "--log", str(self.log)]
        self._process = subprocess.Popen(
            [*command, *self.options], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
        line = self._process.stdout.readline() if ready else ""
        if not line.startswith("simulator listening on "):
            self.kill()
            raise RuntimeError(f"the simulator did not start; it said {line!r}")
        self.url = line.split()[-1]

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code; 0 if it is not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again with the same port and log; a running one is killed first."""
        self.kill()
        self.start()

    def accepted(self, recipient: str | None = None, *, since: int = 0) -> list[dict[str, Any]]:
        """The records of what it accepted, oldest first: all, or those to `recipient`."""
        query = {"since": str(since)} | ({"recipient": recipient} if recipient else {})
        with _opener.open(f"{self.url}/log.json?{urlencode(query)}", timeout=30) as answer:
            records: list[dict[str, Any]] = json.load(answer)
        return records

    def answers(self, provider: str) -> Counter[str]:
        """How many answers of each status it gave as `provider`; `none` is a closed connection.

        `answers("resend")["429"]` is 0 if there were none. A restart forgets them.
        """
        with _opener.open(f"{self.url}/answers.json", timeout=30) as answer:
            answers: dict[str, dict[str, int]] = json.load(answer)
        return Counter(answers[provider])

    def subscribers(self, provider: str) -> dict[str, Any]:
        """The `contacts`, `unsubscribed` addresses, `events`, `groups` and `fields` it keeps."""
        with _opener.open(f"{self.url}/subscribers.json", timeout=30) as answer:
            books: dict[str, dict[str, Any]] = json.load(answer)
        names = ("contacts", "unsubscribed", "events", "groups", "fields")
        return books.get(provider) or {name: [] for name in names}

    def webhooks(self, *, since: int = 0) -> dict[str, Any]:
        """How many webhook events are `waiting`, and the `attempts` so far, oldest first."""
        with _opener.open(f"{self.url}/webhooks.json?since={since}", timeout=30) as answer:
            webhooks: dict[str, Any] = json.load(answer)
        return webhooks

    def reported(self) -> list[dict[str, Any]]:
        """All attempts to report what it accepted, once no event is waiting any more."""
        deadline = time.monotonic() + REPORT_TIMEOUT
        while waiting := self.webhooks(since=NONE)["waiting"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{waiting} webhook events are still waiting")
            time.sleep(0.02)
        attempts: list[dict[str, Any]] = self.webhooks()["attempts"]
        return attempts

    def replay(self, times: int) -> None:
        """Post every webhook so far again, `times` times, in random order."""
        self._send("POST", f"/webhooks/replay?times={times}")

    def clear(self) -> None:
        """Forget every email, key, subscriber, webhook, answer and counted try."""
        self._send("DELETE", "/log")

    def _send(self, method: str, path: str) -> None:
        request = Request(self.url + path, method=method)  # noqa: S310 - our own http address
        with _opener.open(request, timeout=30):
            pass

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(START_TIMEOUT)
        assert process.stdout
        process.stdout.close()
        return code
