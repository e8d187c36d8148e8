"""The stub of a provider as a process, for whoever sends and whoever waits for what was sent."""

import json
from pathlib import Path
from typing import Self
from urllib.request import ProxyHandler, build_opener

import certifi
from attrs import frozen

from tools.benchmarks.children import Child
from tools.certificates import certificate

_opener = build_opener(ProxyHandler({}))  # no proxy stands before loopback


@frozen
class Arrived:
    """How many emails came, and when the first and the last did, in seconds of one clock."""

    emails: int
    first: float
    last: float


class Stub:
    """`http` and `https` are its addresses, `bundle` the authorities that its clients trust.

    The bundle holds all the authorities of the web too, because reading them is a part of what a
    new connection costs.
    """

    def __init__(self, folder: Path) -> None:
        served = certificate(folder / "stub.pem", "127.0.0.1")
        self.bundle = folder / "authorities.pem"
        authorities = Path(certifi.where()).read_text(encoding="utf-8")
        self.bundle.write_text(authorities + served.read_text(encoding="utf-8"), encoding="utf-8")
        self._child = Child("tools.benchmarks.stub_server", [str(served)], {}, folder / "stub.log")

    def __enter__(self) -> Self:
        self._child.__enter__()
        http, https = self._child.wait().split()
        self.http, self.https = f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}"
        return self

    def __exit__(self, *_: object) -> None:
        self._child.__exit__()

    @property
    def trust(self) -> dict[str, str]:
        """Variables with which every client here trusts it."""
        return {"REQUESTS_CA_BUNDLE": str(self.bundle), "SSL_CERT_FILE": str(self.bundle)}

    def reset(self, latency: float = 0.0) -> None:
        """Forget what came; from now on each answer takes `latency` seconds."""
        self._get(f"/reset?latency={latency}", 30)

    def wait(self, emails: int, seconds: float) -> Arrived:
        """What came, as soon as that is `emails` or the time is over."""
        answer = self._get(f"/wait?emails={emails}&seconds={seconds}", seconds + 30)
        return Arrived(int(answer["emails"]), answer["first"], answer["last"])

    def _get(self, path: str, timeout: float) -> dict[str, float]:
        with _opener.open(self.http + path, timeout=timeout) as answer:
            read: dict[str, float] = json.load(answer)
        return read
