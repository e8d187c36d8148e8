"""`python -m tools.drill`: do the runs, print their reports, exit with 1 if something is amiss."""

import argparse
import logging
import secrets
import signal
import sys
from collections.abc import Iterator

from tools.drill import campaign, faults, fuzz, slow
from tools.drill.report import Report
from tools.drill.run import Size
from tools.drill.scenarios import SCENARIOS

SEEDS = (1, 2, 3)
BESIDE = {
    "faults": "stop, freeze and poison parts, take broker, database and key away",
    "fuzz": "true and forged deliveries to each webhook",
    "slow": "clients that send half a request, to gunicorn alone and behind nginx",
}
RUNS = {each.name: each.summary for each in SCENARIOS} | BESIDE


def main() -> int:
    options = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that every part is ended
    logging.disable(logging.INFO)  # the migrations report each step
    missed = False
    try:
        for report in _reports(options):
            sys.stdout.write(f"\n{report.text}\n")
            sys.stdout.flush()
            missed |= bool(report.missed)
    except KeyboardInterrupt:
        sys.exit("stopped")
    return 1 if missed else 0


def _reports(options: argparse.Namespace) -> Iterator[Report]:
    seed: int | None = options.seed
    scenarios = [each for each in SCENARIOS if each.name in options.runs]
    if scenarios:
        seeds = SEEDS if seed is None else (seed,)
        size = Size(emails=options.emails, kills=options.kills)
        yield campaign.run_all(scenarios, seeds, size)
    if "faults" in options.runs:
        yield faults.run_all()
    if "fuzz" in options.runs:
        yield fuzz.run_all(secrets.randbelow(10**6) if seed is None else seed, options.count)
    if "slow" in options.runs:
        yield slow.run_all()


def _parser() -> argparse.ArgumentParser:
    runs = "\n".join(f"  {name:<8}{summary}" for name, summary in RUNS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.drill",
        description="Hurt the running app in every way known, and count every email.",
        epilog=f"runs:\n{runs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "runs",
        nargs="*",
        type=_run,
        default=[each.name for each in SCENARIOS],
        metavar="RUN",
        help=f"from the list below (default: {SCENARIOS[0].name} to {SCENARIOS[-1].name})",
    )
    add("--seed", type=int, help=f"of kills and mutations (default: {SEEDS}; of a fuzz: random)")
    add("--emails", type=_count, default=1000, help="in each run of F… (default: %(default)s)")
    add("--kills", type=_count, default=30, help="in each run of F… (default: %(default)s)")
    add("--count", type=_count, default=10_000, help="of a fuzz, to each webhook (%(default)s)")
    return parser


def _run(name: str) -> str:
    if name not in RUNS:
        raise argparse.ArgumentTypeError(f"there is no run {name!r}")
    return name


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
