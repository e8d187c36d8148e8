"""What the demo prints: every line of every part behind its name, and what to try."""

import os
from collections.abc import Sequence
from typing import TextIO

from tools.demo.plan import Plan

WIDTH = 9  # of the longest name
HIDDEN = '"GET /inbox.json'  # an open inbox asks every two seconds
COLOURS = (36, 35, 33, 32, 34)  # cyan, magenta, yellow, green, blue

TO_TRY = (
    ("ann@example.com", "is delivered"),
    ("bounce@example.com", "does not exist: a hard bounce"),
    ("soft-bounce@example.com", "has a full mailbox"),
    ("complaint@example.com", "marks it as spam"),
    ("deferred@example.com", "is delivered late"),
    ("open@example.com", "opens it and clicks"),
    ("unsubscribe@example.com", "wants no more of it"),
    ("suppressed@example.com", "is on the provider's suppression list"),
    ("500-2@example.com", "is refused twice by a failing provider, then delivered"),
)


class Screen:
    """Lines on `stream`, in colour if it is a terminal and NO_COLOR is unset."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}

    def show(self, name: str, lines: Sequence[str]) -> None:
        """`lines` of the part called `name`, without those that would drown the others."""
        prefix = f"{name:<{WIDTH}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        self._stream.writelines(f"{prefix} {line}\n" for line in lines if HIDDEN not in line)
        self._stream.flush()

    def say(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def greet(self, plan: Plan) -> None:
        """Where to look, and what to try there."""
        sign_ups = "\n".join(f"    {address:<25} {what}" for address, what in TO_TRY)
        self.say(f"""
The demo is running. Emails go through Valkey and a Celery worker to a simulated {plan.provider}.

    {plan.url + "/signup":<32} create accounts here
    {plan.url + "/inbox":<32} every email and what became of it
    {plan.simulator_url:<32} what the provider got, and what it reported back

Any name will do; the address decides what happens:

{sign_ups}

Ctrl-C ends it.
""")
