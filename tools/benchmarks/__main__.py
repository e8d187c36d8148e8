"""`python -m tools.benchmarks`: measure the parts, write docs/benchmarks.md and its plot."""

import argparse
import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.benchmarks import accept, engine, idle, limits, report, rows, single, timing
from tools.benchmarks.bench import Bench, Size
from tools.benchmarks.progress import Progress
from tools.benchmarks.report import Section
from tools.benchmarks.stubs import Stub
from tools.processes import ROOT

PARTS: Mapping[str, Callable[[Bench], Section]] = {
    "single": single.run,
    "engine": engine.run,
    "accept": accept.run,
    "idle": idle.run,
    "limits": limits.run,
    "rows": rows.run,
    "timing": timing.run,
}
STANDARD = ("single", "engine", "accept", "idle")


def main() -> int:
    options = _parser().parse_args()
    for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(caught, signal.default_int_handler)  # so that every process is ended
    logging.disable(logging.WARNING)
    size = Size(
        rounds=options.rounds, seconds=options.seconds, emails=options.emails, rows=options.rows
    )
    try:
        sections = [measure(name, size) for name in options.parts]
    except KeyboardInterrupt:
        sys.exit("stopped")
    report.write(options.docs, sections)
    sys.stdout.write(f"wrote {options.docs / report.PAGE}\n")
    return 0


def measure(name: str, size: Size) -> Section:
    """What one part found; it is printed as soon as it is known."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Stub(Path(folder)) as stub:
        progress = Progress(sys.stderr, name)
        bench = Bench(folder=Path(folder), size=size, stub=stub, progress=progress)
        section = PARTS[name](bench)
    progress.end()
    sys.stdout.write(f"\n{section.markdown()}\n\n")
    sys.stdout.flush()
    return section


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "parts",
        nargs="*",
        type=_part,
        default=STANDARD,
        metavar="PART",
        help=f"of {', '.join(PARTS)} (default: {', '.join(STANDARD)})",
    )
    add("--rounds", type=int, default=Size().rounds, help="(default: %(default)s)")
    add("--seconds", type=float, default=Size().seconds, help="a contender (%(default)s)")
    add("--emails", type=int, default=Size().emails, help="a contender at most (%(default)s)")
    add("--rows", type=int, default=Size().rows, help="of the large table (%(default)s)")
    add("--docs", type=Path, default=ROOT / "docs", help="where it writes (default: docs)")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name!r}: {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
