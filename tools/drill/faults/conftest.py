"""A provider and a web process, for the drills that are tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.drill.faults.web import Start, settings
from tools.processes import Process, free_port
from tools.simulator_process import Simulator


@pytest.fixture
def provider(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A provider that answers after 100 ms; its options come from the test."""
    options = ["--latency-ms", "100", *getattr(request, "param", [])]
    with Simulator(tmp_path / "simulator.jsonl", options) as started:
        yield started


@pytest.fixture
def start_web(provider: Simulator, tmp_path: Path) -> Iterator[Start]:
    """`start_web("-c", FILE, DATABASE_URL=…)`: gunicorn with one worker, and its address."""
    with ExitStack() as stack:

        def start(*options: str, **variables: str) -> tuple[Process, str]:
            port = free_port()
            command = ["gunicorn", "app:app", "-w", "1", "--bind", f"127.0.0.1:{port}", *options]
            process = Process(command, settings(provider, **variables), tmp_path / f"{port}.log")
            stack.enter_context(process)
            url = f"http://127.0.0.1:{port}"
            process.wait_for_http(f"{url}/healthz")
            return process, url

        yield start
