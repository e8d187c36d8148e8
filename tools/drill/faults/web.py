"""One web process, its provider and its outbox, as the drills that are tests see them."""

from collections import Counter
from collections.abc import Callable

import requests

from tools.drill.stack import TOKEN
from tools.processes import PRODUCTION, Process, wait_until
from tools.simulator_process import Simulator

Start = Callable[..., tuple[Process, str]]


def settings(provider: Simulator, **more: str) -> dict[str, str]:
    """The least that production needs, and what makes a drill short."""
    return PRODUCTION | {
        "RESEND_BASE_URL": provider.url,
        "API_TOKEN": TOKEN,
        "RATELIMIT_ENABLED": "false",
        "EMAIL_TIMEOUT": "1",
        "EMAIL_LEASE": "2",
        "EMAIL_SWEEP": "0.5",
        **more,
    }


def send(url: str, *addresses: str) -> None:
    """Have one email accepted for each address."""
    for address in addresses:
        body = {"name": "Ann", "email": address}
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.post(f"{url}/api/send", json=body, headers=bearer, timeout=30)
        answer.raise_for_status()


def states(url: str) -> dict[str, int]:
    """How many emails are in which state, as the web process counts them."""
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    counts = {
        line.split('"')[1]: int(float(line.split()[-1]))
        for line in lines
        if line.startswith("outbox_emails{")
    }
    return {state: count for state, count in counts.items() if count}


def wait_for_states(url: str, expected: dict[str, int], patience: float = 60.0) -> None:
    wait_until(lambda: states(url) == expected, f"the outbox to hold {expected}", patience)


def received(provider: Simulator) -> Counter[str]:
    """How many copies the provider accepted for whom."""
    return Counter(record["to"][0] for record in provider.accepted())
