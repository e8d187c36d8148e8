"""`python -m simulator`: serve until SIGTERM or SIGINT."""

import argparse
import signal
import sys
from pathlib import Path

from simulator.application import Application
from simulator.ledger import Ledger
from simulator.misbehaviour import FaultMix, Misbehaviour
from simulator.server import Server


def main() -> None:
    options = _parser().parse_args()
    mix = FaultMix(
        server_error=options.fault_500,
        too_many=options.fault_429,
        drop=options.fault_drop,
        latency=options.latency_ms / 1000,
        seed=options.seed,
    )
    ledger = Ledger(options.log, durable=options.fsync, honour_keys=options.keys)
    application = Application(ledger, Misbehaviour(mix))
    try:
        listening = Server(options.host, options.port, application)
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
    with listening as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        host, port = server.server_address[:2]
        sys.stdout.write(f"simulator listening on http://{host!s}:{port}\n")
        sys.stdout.flush()
        server.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A local stand-in for the APIs of Sequenzy, Resend and SendGrid.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8025, help="0 picks a free one (default: %(default)s)")
    add(
        "--log",
        type=Path,
        default=Path("instance/simulator.jsonl"),
        metavar="FILE",
        help="what was accepted, a line an email (default: %(default)s)",
    )
    add("--ignore-keys", dest="keys", action="store_false", help="repeat what has a known key")
    add("--no-fsync", dest="fsync", action="store_false", help="answer before the disk has it")
    add("--fault-500", type=_share, default=0.0, metavar="SHARE", help="refused with 500, 0 to 1")
    add("--fault-429", type=_share, default=0.0, metavar="SHARE", help="refused with 429")
    add("--fault-drop", type=_share, default=0.0, metavar="SHARE", help="accepted, no answer")
    add("--latency-ms", type=int, default=0, metavar="N", help="added to every answer")
    add("--seed", type=int, default=0, help="of the faults (default: %(default)s)")
    return parser


def _share(value: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 1")
    return share


if __name__ == "__main__":
    main()
