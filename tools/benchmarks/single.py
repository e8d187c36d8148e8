"""One email after the other by one thread, no latency: what the call costs."""

from collections.abc import Callable
from contextlib import ExitStack

from tools.benchmarks import ours, peers
from tools.benchmarks.bench import Bench
from tools.benchmarks.children import Child
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.rounds import Results, Sample, interleave

TITLE = "One at a time"
BASELINE = "Resend SDK"
SHARE = 0.2  # of the time that other parts give a contender in a round


def run(bench: Bench) -> Section:
    names = [*peers.SENDERS, *ours.SENDERS]
    with ExitStack() as children:
        contenders, senders = {}, []
        for scheme, url in (("http", bench.stub.http), ("https", bench.stub.https)):
            for name in names:
                log = bench.folder / f"{scheme}.log"
                sender = Child("tools.benchmarks.sender", [name, url], bench.stub.trust, log)
                contenders[f"{name} {scheme}"] = _turn(children.enter_context(sender), bench)
                senders.append(sender)
        for sender in senders:
            sender.wait()
        bench.progress.expect(len(contenders) * bench.size.rounds)
        results = interleave(contenders, bench.size.rounds, bench.progress)
    return Section(
        name="single",
        title=TITLE,
        about="One thread sends the same email again and again, without latency.",
        tables=[_table(names, results)],
    )


def _turn(sender: Child, bench: Bench) -> Callable[[], Sample]:
    def turn() -> Sample:
        said = sender.ask(bench.size.seconds * SHARE)
        return {
            "rate": said["emails"] / said["seconds"],
            "cpu": said["cpu"] / said["emails"] * 1e6,
        }

    return turn


def _table(names: list[str], results: Results) -> Table:
    lines = []
    for name in names:
        cells = [name]
        for scheme in ("http", "https"):
            one, other = f"{name} {scheme}", f"{BASELINE} {scheme}"
            cells.append(number(results.ratio(one, other, "rate")))
            cells.append(number(results.median(one, "cpu")))
        lines.append(cells)
    headings = ("sender", f"http, times {BASELINE}", "CPU µs", f"https, times {BASELINE}", "CPU µs")
    return Table(headings, lines)
