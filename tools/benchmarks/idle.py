"""What processes cost that have nothing to do."""

import time
from collections.abc import Mapping
from contextlib import ExitStack

from tools.benchmarks import backlog, ours
from tools.benchmarks.bench import Bench
from tools.benchmarks.children import cpu_seconds, family
from tools.benchmarks.report import Section, Table
from tools.benchmarks.rounds import Results, Sample
from tools.benchmarks.webs import Web
from tools.processes import free_port

TITLE = "Nothing to do"
WORKERS = 4
SETTLING = 2.0  # times the seconds of a round, until the start is over
WINDOW = 2.0  # times the seconds of a round: longer than EMAIL_SWEEP, so that each has its part
OURS, WITHOUT, BARE = "ours", "the same app without the engine", "a bare app"

ABOUT = (
    f"gunicorn with {WORKERS} workers and no requests, all at once. Without the engine is the "
    "web of a Celery installation, which delivers nothing."
)


def run(bench: Bench) -> Section:
    bench.progress.expect(bench.size.rounds)
    url = backlog.new_sqlite(bench.folder, "idle")
    ordinary = ours.settings(url, bench.stub.http)
    celery = {"EMAIL_DELIVERY": "celery", "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    options = ("--workers", str(WORKERS))
    webs = {
        OURS: Web.ours(bench.folder, ordinary, *options),
        WITHOUT: Web.ours(bench.folder, ordinary | celery, *options),
        BARE: Web.bare(bench.folder, ordinary, *options),
    }
    with ExitStack() as running:
        for web in webs.values():
            running.enter_context(web.process)
            web.process.wait_for_http(f"http://127.0.0.1:{web.port}/healthz")
        time.sleep(bench.size.seconds * SETTLING)
        results = Results(_watch(bench, webs))
    lines = [[name, f"{results.median(name, 'percent'):.2f}"] for name in webs]
    table = Table((f"gunicorn -w {WORKERS}, idle", "percent of a core"), lines)
    return Section(name="idle", title=TITLE, about=ABOUT, tables=[table])


def _watch(bench: Bench, webs: Mapping[str, Web]) -> Mapping[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {name: [] for name in webs}
    families = {name: family(web.process.process.pid) for name, web in webs.items()}
    for number in range(bench.size.rounds):
        bench.progress.show(f"round {number + 1} of {bench.size.rounds}")
        before = {name: _cpu(processes) for name, processes in families.items()}
        began = time.monotonic()
        time.sleep(bench.size.seconds * WINDOW)
        seconds = time.monotonic() - began
        for name, processes in families.items():
            used = _cpu(processes) - before[name]
            samples[name].append({"percent": 100 * used / seconds})
        bench.progress.step()
    return samples


def _cpu(processes: list[int]) -> float:
    return sum(map(cpu_seconds, processes))
