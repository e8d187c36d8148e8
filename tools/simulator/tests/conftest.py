"""The simulator of `tools/fixtures.py`, emptied before each test, and an HTTP client for it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tools.fixtures import simulator as simulator
from tools.fixtures import simulator_process as simulator_process
from tools.simulator_process import Simulator

Post = Callable[..., requests.Response]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer key"
        yield session


@pytest.fixture
def post(simulator: Simulator, session: requests.Session) -> Post:
    """`post(path, payload, name=value...)`: POST JSON; underscores in header names are hyphens."""

    def send(path: str, payload: Any, **headers: str | None) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return session.post(
            simulator.url + path, json=payload, headers=named, timeout=10, allow_redirects=False
        )

    return send


SEQUENZY: dict[str, Any] = {"to": "ann@example.com", "subject": "Hello", "body": "<p>Hi</p>"}
RESEND: dict[str, Any] = {
    "from": "a@acme.co",
    "to": "ann@example.com",
    "subject": "Hello",
    "html": "<p>Hi</p>",
}
SENDGRID: dict[str, Any] = {
    "from": {"email": "a@acme.co"},
    "personalizations": [{"to": [{"email": "ann@example.com"}]}],
    "subject": "Hello",
    "content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<p>Hi</p>"}],
}


def sequenzy_to(recipient: str) -> tuple[str, Any]:
    return "/api/v1/transactional/send", SEQUENZY | {"to": recipient}


def resend_to(recipient: str) -> tuple[str, Any]:
    return "/emails", RESEND | {"to": [f"Ann <{recipient}>"]}


def sendgrid_to(recipient: str) -> tuple[str, Any]:
    return "/v3/mail/send", SENDGRID | {"personalizations": [{"to": [{"email": recipient}]}]}


# How to send the same email to one recipient at each vendor: path and payload.
VENDORS = {"sequenzy": sequenzy_to, "resend": resend_to, "sendgrid": sendgrid_to}
