"""`python -m tools.demo`: run every part until Ctrl-C, SIGTERM, or until one ends by itself."""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tools.demo.plan import DELIVERING, Plan
from tools.demo.run import run
from tools.demo.screen import Screen
from tools.processes import free_port, is_free


def main() -> int:
    options = _parser().parse_args()
    for port, variable in (
        (options.port, "PORT"),
        (options.simulator_port, "SIMULATOR_PORT"),
    ):
        if not is_free(port):
            sys.exit(f"port {port} is in use; choose another: make demo {variable}={port + 1}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        plan = Plan(
            provider=options.provider,
            port=options.port,
            simulator_port=options.simulator_port,
            valkey_port=free_port(),
            folder=Path(folder),
        )
        return run(plan, Screen(sys.stdout), stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo",
        description="Web, worker, Valkey and a simulated provider that reports back, together.",
    )
    add = parser.add_argument
    add("--provider", choices=DELIVERING, default="resend", help="(default: %(default)s)")
    add("--port", type=int, default=5000, help="of the app (default: %(default)s)")
    add("--simulator-port", type=int, default=8025, help="(default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
