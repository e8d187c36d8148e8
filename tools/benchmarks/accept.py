"""The request that queues an email: what it adds to one that does nothing."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from tools.benchmarks import backlog, load, ours
from tools.benchmarks.bench import Bench
from tools.benchmarks.load import Answers
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.rounds import Contenders, Results, Sample, interleave
from tools.benchmarks.webs import Web, requests_to
from tools.processes import Process
from tools.servers import Valkey

TITLE = "The request that queues an email"
BARE = "a bare JSON route"
RATES = (20, 50, 100, 200)  # requests a second
CLIENTS = 8  # at full speed
SHARE = 0.5  # of the time that other parts give a contender in a round

ABOUT = (
    "`POST /api/send` against a route that only answers, both under the gunicorn of this project "
    "with two workers of four threads, on SQLite, without rate limits; every answer of ours means "
    "a committed row. Requests come at a rate, however late the answers are."
)


def run(bench: Bench) -> Section:
    with ExitStack() as running:
        webs = _start(bench, running)
        contenders: Contenders = {
            f"{name} {per_second}": _at_rate(bench, web, per_second)
            for per_second in RATES
            for name, web in webs.items()
        }
        full = {f"{name} full": _at_full_speed(bench, web) for name, web in webs.items()}
        for web in webs.values():
            _warm_up(web)
        bench.progress.expect((len(contenders) + len(full)) * bench.size.rounds)
        results = interleave({**contenders, **full}, bench.size.rounds, bench.progress)
    tables = [_ratios(webs, results), _full_speed(webs, results)]
    return Section(name="accept", title=TITLE, about=ABOUT, tables=tables)


def _start(bench: Bench, running: ExitStack) -> Mapping[str, Web]:
    """Every web with whoever delivers for it; they are idle while another has its turn."""
    server = running.enter_context(Valkey()).url.removesuffix("/0")
    # A queue for each worker, and one for the worker that is not there.
    broker_url, nobody, guide = (f"{server}/{number}" for number in range(3))
    theirs = {"BROKER_URL": guide, "PROVIDER_URL": bench.stub.http}
    stores = [backlog.new_sqlite(bench.folder, name) for name in ("celery", "nobody", "threads")]
    queueing = {"EMAIL_DELIVERY": "celery", "REDIS_URL": broker_url}
    settings = [
        ours.settings(stores[0], bench.stub.http, **queueing),
        ours.settings(stores[1], bench.stub.http, **queueing | {"REDIS_URL": nobody}),
        ours.settings(stores[2], bench.stub.http),
    ]
    bench.stub.reset()
    web = Web.bare(bench.folder, settings[2] | theirs)
    webs = {
        BARE: web,
        "the guide's `.delay()`, Celery worker beside": web.at("/delay"),
        "ours, Celery worker beside": Web.ours(bench.folder, settings[0]),
        "ours, nobody delivers meanwhile": Web.ours(bench.folder, settings[1], settles=False),
        "ours, delivery in the same processes": Web.ours(bench.folder, settings[2]),
    }
    for each in {id(each.process): each for each in webs.values()}.values():
        running.enter_context(each.process)
    for module, variables in (("tools.benchmarks.guide_tasks", theirs), ("tasks", settings[0])):
        pool = "-P threads -c 8" if module != "tasks" else ""
        command = f"celery -A {module} worker --loglevel=info --without-mingle {pool}"
        worker = Process(command.split(), variables, bench.folder / f"{module}.log")
        running.enter_context(worker).wait_for_output("ready.")
    return webs


def _warm_up(web: Web) -> None:
    web.process.wait_for_http(f"http://127.0.0.1:{web.port}/healthz")
    answers = load.at_full_speed(web.port, requests_to(web, 1)[0], CLIENTS, 0.3)
    if answers.refused or not answers.times:
        raise RuntimeError(f"{web.path} answered {set(answers.statuses)}: {web.process.output()}")
    web.settle()


def _at_rate(bench: Bench, web: Web, per_second: int) -> Callable[[], Sample]:
    def turn() -> Sample:
        requests = requests_to(web, max(5, int(per_second * bench.size.seconds * SHARE)))
        answers = load.at_rate(web.port, requests, per_second)
        web.settle()
        return _sample(answers)

    return turn


def _at_full_speed(bench: Bench, web: Web) -> Callable[[], Sample]:
    def turn() -> Sample:
        seconds = bench.size.seconds * SHARE
        answers = load.at_full_speed(web.port, requests_to(web, 1)[0], CLIENTS, seconds)
        web.settle()
        return _sample(answers) | {"rate": len(answers.times) / seconds}

    return turn


def _sample(answers: Answers) -> Sample:
    return {
        "p50": answers.percentile(0.5) * 1000,
        "p99": answers.percentile(0.99) * 1000,
        "refused": answers.refused,
    }


def _ratios(webs: Mapping[str, Web], results: Results) -> Table:
    bare = [
        f"{number(results.median(f'{BARE} {rate}', 'p50'))} / "
        f"{number(results.median(f'{BARE} {rate}', 'p99'))} ms"
        for rate in RATES
    ]
    lines = [[BARE, *bare]]
    for name in webs:
        if name != BARE:
            lines.append([name, *(_times_bare(name, rate, results) for rate in RATES)])
    return Table(("p50 / p99, times the bare route", *(f"{rate}/s" for rate in RATES)), lines)


def _times_bare(name: str, rate: int, results: Results) -> str:
    one, other = f"{name} {rate}", f"{BARE} {rate}"
    ratios = [number(results.ratio(one, other, value)) for value in ("p50", "p99")]
    refused = sum(sample["refused"] for sample in results.samples[one])
    return " / ".join(ratios) + (f" ({refused:.0f} refused)" if refused else "")


def _full_speed(webs: Mapping[str, Web], results: Results) -> Table:
    lines = []
    for name in webs:
        one = f"{name} full"
        values = [number(results.median(one, value)) for value in ("rate", "p50", "p99")]
        refused = sum(sample["refused"] for sample in results.samples[one])
        lines.append([name, *values, f"{refused:.0f}"])
    headings = (f"{CLIENTS} clients at full speed", "requests/s", "p50 ms", "p99 ms", "refused")
    return Table(headings, lines)
