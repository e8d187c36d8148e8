"""One process of ours that delivers what is queued.

It says `ready`, delivers from the first line it reads until the second, and then answers with
how long that took, what was in flight included, and how much CPU time.
"""

import json
import sys
import time

from app import create_app
from outbox import running


def main() -> None:
    app = create_app()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    cpu, began = time.process_time(), time.monotonic()
    running.start(app)
    sys.stdin.readline()
    running.stop(app)
    said = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
