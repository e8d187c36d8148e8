"""The app's own commands as processes, started as a person would and ended by process id."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import requests

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds until a test gives up on a process

PRODUCTION = {
    "SECRET_KEY": "a-secret-of-this-test-alone-0123456789",
    "APP_URL": "http://127.0.0.1",
    "FROM_EMAIL": "Acme <hello@acme.example.com>",
    "EMAIL_PROVIDER": "resend",
    "RESEND_API_KEY": "re_test_key",
}
"""The least that production needs."""


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Return as soon as `condition` holds; fail naming `what` if it never does."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain for: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """A port that nothing listens on, and that nothing else will be given meanwhile.

    It lies below those that systems choose for connections, of which any may be taken between
    this look and the start of the server.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("none of 1,000 ports from 20,000 to 32,000 is free")


def is_free(port: int) -> bool:
    """Whether nothing listens on `port` of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Process:
    """One command in its own process group, with its output in a file.

    `variables` are the whole environment beside PATH and HOME, so that nothing of the machine
    leaks in. `command[0]` is looked up beside the running Python.
    """

    def __init__(
        self, command: list[str], variables: Mapping[str, str], log: Path, cwd: Path = ROOT
    ) -> None:
        self.command = [str(Path(sys.executable).parent / command[0]), *command[1:]]
        self.variables = {name: os.environ[name] for name in ("PATH", "HOME")} | dict(variables)
        self.log = log
        self.cwd = cwd

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL the whole group, as a crash does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """SIGTERM the process, as a supervisor does, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_output(self, text: str) -> None:
        def said() -> bool:
            if self.process.poll() is not None and text not in self.output():
                raise AssertionError(f"{self.command} ended; it said:\n{self.output()}")
            return text in self.output()

        wait_until(said, f"{text!r} from {self.command}")

    def wait_for_http(self, url: str) -> None:
        def answers() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.command} ended; it said:\n{self.output()}")
            try:
                return requests.get(url, timeout=5).status_code < 500
            except (requests.ConnectionError, requests.Timeout):
                return False

        wait_until(answers, f"{url} from {self.command}")
