"""`python -m tools.simulator`: serve until SIGTERM or SIGINT."""

import argparse
import signal
import sys

from tools.simulator.application import Application
from tools.simulator.channel import Manner
from tools.simulator.ledger import Ledger
from tools.simulator.misbehaviour import FaultMix, Misbehaviour
from tools.simulator.options import parser
from tools.simulator.rates import Rates
from tools.simulator.server import Server
from tools.simulator.webhook_secrets import Secrets
from tools.simulator.webhooks import Webhooks


def main() -> None:
    options = parser().parse_args()
    secrets = Secrets(
        resend=options.resend_webhook_secret,
        sequenzy=options.sequenzy_webhook_secret,
        sendgrid=options.sendgrid_webhook_key,
    )
    if options.show_webhook_secrets:
        lines = [f"{name}={value}\n" for name, value in secrets.variables().items()]
        sys.stdout.writelines(lines)
        return
    webhooks = Webhooks(options.webhooks or "", secrets, _manner(options))
    mix = FaultMix(
        server_error=options.fault_500,
        too_many=options.fault_429,
        drop=options.fault_drop,
        latency=options.latency_ms / 1000,
        seed=options.seed,
    )
    ledger = Ledger(
        options.log, durable=options.fsync, honour_keys=options.keys, on_accept=webhooks.report
    )
    rates = Rates(enforced=options.rates)
    application = Application(ledger, Misbehaviour(mix), webhooks=webhooks, rates=rates)
    try:
        listening = Server(options.host, options.port, application)
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
    with listening as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        webhooks.start()
        host, port = server.server_address[:2]
        sys.stdout.write(f"simulator listening on http://{host!s}:{port}\n")
        sys.stdout.flush()
        server.serve_forever()


def _manner(options: argparse.Namespace) -> Manner:
    return Manner(
        duplicates=options.webhook_duplicates,
        reorder=options.webhook_reorder,
        hurry=options.webhook_hurry,
        threads=options.webhook_threads,
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
