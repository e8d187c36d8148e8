"""One process of the demo: what it says, and an end that leaves nothing behind."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.processes import Process

GRACE = 18.0  # seconds, as gunicorn's: longer than one call to a provider may take


class Part(Process):
    """A process that is ready once it has said `ready`; `stop` is the signal it ends well on."""

    def __init__(
        self,
        name: str,
        command: str,
        variables: Mapping[str, str],
        folder: Path,
        *,
        ready: str = "",
        stop: signal.Signals = signal.SIGTERM,
    ) -> None:
        unbuffered = {"PYTHONUNBUFFERED": "1"} | dict(variables)
        super().__init__(command.split(), unbuffered, folder / f"{name}.log")
        self.name = name
        self._ready, self._stop = ready, stop
        self._read = 0  # bytes of its output

    def is_ready(self) -> bool:
        return self._ready in self.output()

    def exit_code(self) -> int | None:
        """None while it is running."""
        return self.process.poll()

    def new_lines(self) -> list[str]:
        """The whole lines that it has said since the last call."""
        with self.log.open("rb") as output:
            output.seek(self._read)
            data = output.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode(errors="replace").splitlines()

    def end(self) -> None:
        """Ask it to end, and insist after a while; its children go with it."""
        if self.exit_code() is None:
            self.process.send_signal(self._stop)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        # Whatever it left behind; macOS says of a group without living members that it is not ours.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(GRACE)
