"""gunicorn with our app, or with the bare one, and the requests that it is sent."""

import json
from collections.abc import Mapping
from pathlib import Path

import attrs
from attrs import frozen

from tools.benchmarks.backlog import wait_until_settled
from tools.benchmarks.ours import TOKEN
from tools.processes import Process, free_port

SETTLING = 20.0  # seconds at most until a backlog is left for the next to bear


@frozen(kw_only=True)
class Web:
    """One gunicorn on `port`; `path` is what is asked. Its process is not started yet.

    Where emails of `database_url` are delivered, `settle` waits for the last one.
    """

    port: int
    path: str
    process: Process
    database_url: str = ""

    @classmethod
    def ours(
        cls, folder: Path, settings: Mapping[str, str], *options: str, settles: bool = True
    ) -> "Web":
        """The app, with `gunicorn.conf.py` as in production."""
        url = settings["DATABASE_URL"] if settles else ""
        return cls._new(["app:app", *options], folder, settings, "/api/send", url)

    @classmethod
    def bare(cls, folder: Path, settings: Mapping[str, str], *options: str) -> "Web":
        """The app that does nothing, with the same settings of gunicorn."""
        command = ["tools.benchmarks.bare:app", "-c", "tools/benchmarks/bare_gunicorn.py"]
        return cls._new([*command, *options], folder, settings, "/bare", "")

    @classmethod
    def _new(
        cls, command: list[str], folder: Path, settings: Mapping[str, str], path: str, url: str
    ) -> "Web":
        port = free_port()
        whole = ["gunicorn", *command, "--bind", f"127.0.0.1:{port}"]
        process = Process(whole, settings, folder / f"web{port}.log")
        return cls(port=port, path=path, process=process, database_url=url)

    def at(self, path: str) -> "Web":
        """The same processes, asked something else."""
        return attrs.evolve(self, path=path)

    def settle(self) -> None:
        """Wait for the emails that were just accepted, so that nobody else bears their cost."""
        if self.database_url:
            wait_until_settled(self.database_url, SETTLING)


def requests_to(web: Web, count: int) -> list[bytes]:
    """So many requests, each for somebody else, as bytes."""
    requests = []
    for number in range(count):
        body = json.dumps({"email": f"user{number}@example.com", "name": "Ann"}).encode()
        head = (
            f"POST {web.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests
