"""`python -m tools.demo`: every part together, and an end that leaves none of them behind."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

import config
from tools.demo.plan import DELIVERING, Plan
from tools.processes import PATIENCE, Process, free_port, is_free, wait_until

PARTS = ("valkey", "simulator", "web", "worker")


class Demo(Process):
    """The demo on free ports."""

    def __init__(self, log: Path, *options: str) -> None:
        self.port, self.simulator_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = ["python", "-m", "tools.demo", "--port", str(self.port)]
        command += ["--simulator-port", str(self.simulator_port), *options]
        super().__init__(command, {}, log)

    def attempts(self) -> list[dict[str, Any]]:
        """The webhooks that the provider posted so far."""
        url = f"http://127.0.0.1:{self.simulator_port}/webhooks.json"
        attempts: list[dict[str, Any]] = requests.get(url, timeout=10).json()["attempts"]
        return attempts

    def sign_up(self, address: str) -> None:
        body = {"name": "Ann", "email": address}
        answer = requests.post(f"{self.url}/api/signup", json=body, timeout=10)
        assert answer.status_code == 201

    def states(self) -> dict[str, str]:
        """The state of each recipient's welcome email in the app's inbox."""
        return {email["to"]: email["state"] for email in self._welcomes()}

    def became(self, address: str) -> list[str]:
        """What the provider reported about the welcome email to `address`."""
        return [
            word for email in self._welcomes() if email["to"] == address for word in email["became"]
        ]

    def _welcomes(self) -> list[dict[str, Any]]:
        emails = requests.get(f"{self.url}/inbox.json", timeout=10).json()["emails"]
        return [email for email in emails if email["kind"] == "welcome"]

    def family(self) -> list[psutil.Process]:
        """Its parts, and their children."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return children


def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that are still there."""
    return [each for each in family if _lives(each)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """`start("--provider", "sendgrid")`: a demo that is running."""
    with ExitStack() as stack:

        def start(*options: str) -> Demo:
            demo = stack.enter_context(Demo(tmp_path / "demo.log", *options))
            demo.wait_for_output("Ctrl-C ends it.")
            stack.callback(_kill, demo.family())  # should the demo fail to do it
            return demo

        yield start


def _kill(family: list[psutil.Process]) -> None:
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def test_a_sign_up_goes_all_the_way_and_is_reported_back_and_sigterm_leaves_nothing_behind(
    start: Callable[..., Demo],
):
    demo = start()
    demo.sign_up("bounce@example.com")
    wait_until(lambda: demo.states() == {"bounce@example.com": "accepted"}, "the accepted email")
    wait_until(lambda: len(demo.attempts()) >= 2, "the provider's webhooks")
    reported = demo.attempts()[:2]
    assert {each["type"] for each in reported} == {"email.sent", "email.bounced"}
    assert {(each["provider"], each["status"]) for each in reported} == {("resend", 200)}
    wait_until(lambda: demo.became("bounce@example.com") == ["sent", "bounced"], "its mark")
    wait_until(lambda: "/api/webhooks/resend" in demo.output(), "the app's own line about it")
    told = re.compile(r"^worker +\| .*email accepted", re.MULTILINE)
    wait_until(lambda: bool(told.search(demo.output())), "the worker's own line about it")
    assert "GET /inbox.json" not in demo.output()
    names = set(re.findall(r"^(\w+) +\| ", demo.output(), re.MULTILINE))
    assert names == set(PARTS)
    family = demo.family()
    assert "valkey-server" in {each.name() for each in family}  # the child of a part

    assert demo.terminate() == 0
    wait_until(lambda: left_of(family) == [], "the last process to be gone")
    assert is_free(demo.port)
    assert is_free(demo.simulator_port)


def test_when_one_part_dies_the_demo_says_which_and_ends_the_others(start: Callable[..., Demo]):
    demo = start("--provider", "sendgrid")
    demo.sign_up("ann@example.com")
    wait_until(lambda: demo.states() == {"ann@example.com": "accepted"}, "the accepted email")
    wait_until(lambda: bool(demo.attempts()), "the provider's webhooks")
    assert {(each["provider"], each["status"]) for each in demo.attempts()} == {("sendgrid", 200)}
    family = demo.family()
    [worker] = [each for each in family if "worker" in each.cmdline()]
    worker.kill()
    assert demo.process.wait(PATIENCE) == 1
    assert "worker ended by itself with code -9, and so does the demo." in demo.output()
    wait_until(lambda: left_of(family) == [], "the last process to be gone")


def test_a_part_that_cannot_start_is_named_too(tmp_path: Path):
    demo = Demo(tmp_path / "demo.log")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.simulator_port))  # it answers nobody, so it looks free
        with demo:
            assert demo.process.wait(PATIENCE) == 1
    assert "simulator ended by itself with code 1" in demo.output()
    assert "cannot listen on 127.0.0.1" in demo.output()


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(tmp_path / "demo.log", "--port", str(port))
        demo.start()
        assert demo.process.wait(PATIENCE) == 1
    said = f"port {port} is in use; choose another: make demo PORT={port + 1}"
    assert demo.output().strip() == said


@pytest.mark.parametrize("provider", DELIVERING)
def test_the_settings_of_a_demo_reach_no_real_provider(provider: str, tmp_path: Path):
    plan = Plan(provider=provider, port=1, simulator_port=2, valkey_port=3, folder=tmp_path)
    settings = config.load(plan.settings())
    assert settings["EMAIL_PROVIDER"] == (provider,)
    for name in DELIVERING:
        assert settings[f"{name.upper()}_BASE_URL"].startswith("http://127.0.0.1:2")
    assert settings["SENDGRID_WEBHOOK_PUBLIC_KEY"]


def test_the_settings_of_a_demo_win_over_files_in_env(tmp_path: Path):
    plan = Plan(provider="resend", port=1, simulator_port=2, valkey_port=3, folder=tmp_path)
    stored = {"RESEND_API_KEY_FILE": "/run/secrets/real", "DATABASE_URL_FILE": "/run/secrets/db"}
    settings = config.load(stored | plan.settings())
    assert settings["RESEND_API_KEY"] == "demo-key"
