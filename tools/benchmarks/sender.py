"""One contender of `single` in a process of its own.

    python -m tools.benchmarks.sender NAME URL

It says `ready`, and to each line with a number of seconds it sends one email after the other for
so long, and answers with how many, how long, and how much CPU time that took.
"""

import json
import sys
import time

from tools.benchmarks import ours, peers

WARM_UP = 5  # emails


def main() -> None:
    name, url = sys.argv[1:]
    send = (peers.SENDERS | ours.SENDERS)[name](url)
    for _ in range(WARM_UP):
        send()
    _say("ready")
    for line in sys.stdin:
        cpu, began = time.process_time(), time.perf_counter()
        emails, end = 0, began + float(line)
        while time.perf_counter() < end:
            send()
            emails += 1
        seconds = time.perf_counter() - began
        _say(json.dumps({"emails": emails, "seconds": seconds, "cpu": time.process_time() - cpu}))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
