"""What an email costs in a small table and in a large one, a tenth of which waits for its day."""

from collections.abc import Callable
from contextlib import ExitStack

from tools.benchmarks import backlog
from tools.benchmarks.bench import Bench
from tools.benchmarks.delivering import drain_at
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.rounds import Contenders, Results, Sample, interleave
from tools.servers import PostgreSQL

TITLE = "A table that has grown"
SMALL = 100  # times fewer rows than in the large table
THREADS = 8
PER_SECOND = 2_000  # due emails, more than anybody delivers
ENDLESS = 1_000_000_000  # emails; each round ends by its time
A_DAY = 86_400  # seconds

ABOUT = (
    f"{THREADS} threads deliver one by one, without latency, from a table in which nine of ten "
    "emails are accepted and one waits for tomorrow."
)


def run(bench: Bench) -> Section:
    rows = bench.size.rows
    with ExitStack() as servers:
        postgresql = servers.enter_context(PostgreSQL())
        contenders: Contenders = {}
        pairs = []
        for database in ("SQLite", "PostgreSQL"):
            names = []
            for count in (rows // SMALL, rows):
                name = f"{database}, {count:,} rows"
                bench.progress.show(f"filling {name}")
                if database == "SQLite":
                    url = backlog.new_sqlite(bench.folder, str(count))
                else:
                    url = servers.enter_context(postgresql.database())
                _fill(bench, url, count)
                contenders = {**contenders, name: _turn(bench, url)}
                names.append(name)
            pairs.append(names)
        bench.progress.expect(len(contenders) * bench.size.rounds)
        results = interleave(contenders, bench.size.rounds, bench.progress)
    return Section(name="rows", title=TITLE, about=ABOUT, tables=[_table(pairs, results)])


def _fill(bench: Bench, url: str, rows: int) -> None:
    backlog.make(bench, url, rows * 9 // 10, "--delivered")
    backlog.make(bench, url, rows // 10, f"--due-in={A_DAY}")
    backlog.make(bench, url, int(bench.size.rounds * bench.size.seconds * PER_SECOND))
    if url.startswith("postgresql"):
        backlog.analyze(url)  # as it does by itself after a while


def _turn(bench: Bench, url: str) -> Callable[[], Sample]:
    def turn() -> Sample:
        bench.stub.reset()
        return drain_at(bench, url, ENDLESS, threads=THREADS)

    return turn


def _table(pairs: list[list[str]], results: Results) -> Table:
    lines = []
    for small, large in pairs:
        for name in (small, large):
            values = [results.median(name, "rate"), results.median(name, "cpu")]
            # The cost of an email is the inverse of the rate.
            values += [results.ratio(small, name, "rate"), results.ratio(name, small, "cpu")]
            lines.append([name, *map(number, values)])
    headings = ("rows", "emails/s", "CPU ms an email", "times the cost", "times the CPU")
    return Table(headings, lines)
