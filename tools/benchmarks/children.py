"""Processes that are measured: each answers a line with a line, and its CPU time can be read."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tools.processes import ROOT

END_TIMEOUT = 30  # seconds


class Child:
    """`python -m MODULE ARGUMENTS` with `variables` as its environment; what it logs is in `log`.

    A context manager: started on entry, killed on exit. Once it is ready it says so in a line,
    which `wait` returns; several may start at the same time.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], variables: Mapping[str, str], log: Path
    ) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._variables = {name: os.environ[name] for name in ("PATH", "HOME")} | dict(variables)
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(END_TIMEOUT)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def wait(self) -> str:
        """Its first line, once it is ready."""
        return self._line()

    def ask(self, line: object) -> Any:
        """Its answer to a line, from JSON."""
        self.tell(line)
        return json.loads(self._line())

    def tell(self, line: object) -> None:
        """Send a line."""
        if self._process.stdin is None:
            raise AssertionError("it was started with a pipe")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{' '.join(self._command)} ended; it said:\n{said[-4000:]}")
        return line


def cpu_seconds(process_id: int) -> float:
    """The CPU time that a process has used so far; not a number where only Linux can tell."""
    if sys.platform != "linux":
        return float("nan")
    # clock_getcpuclockid(3), which Python lacks: the clock of a process is made of its id.
    return time.clock_gettime((~process_id << 3) | 2)


def family(process_id: int) -> list[int]:
    """A process and its children (Linux; elsewhere itself alone)."""
    path = Path(f"/proc/{process_id}/task/{process_id}/children")
    children = path.read_text(encoding="ascii").split() if path.exists() else []
    return [process_id, *map(int, children)]
