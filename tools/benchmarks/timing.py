"""Whether the time of an answer tells who has an account: known and unknown addresses in turns."""

import json
import random
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import chain
from statistics import median
from urllib.parse import urlencode

from attrs import define, field, frozen
from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.pool import NullPool

from database import utc_now
from message import new_id
from models import Signup, User
from outbox import OutboxStep
from setting_types import database_url as with_driver
from tools.benchmarks import backlog, ours
from tools.benchmarks.bench import Bench
from tools.benchmarks.report import Section, Table, number
from tools.benchmarks.webs import Web
from tools.servers import PostgreSQL

TITLE = "Who has an account, by the clock"
EACH = 5  # requests about one address
EMAILS_A_GROUP = 25  # of the size that is asked for: 400 groups, 2,000 pairs
WARM = 20  # requests that do not count
KNOWN = "k"  # begins the addresses that have an account
SETTLING = 30.0  # seconds at most
EXPECTED = (201, 202, 302, 400)  # 400: the log-in page with its error
PASSWORD, WRONG = "the password of all", "not the password of anybody"
JSON = {"Content-Type": "application/json"}

ABOUT = (
    "gunicorn as in production, delivering in threads. One client asks about an address that has "
    f"an account and about one that has none, in random order, {EACH} times each, then about the "
    "next two. AUC is how often an answer about a known address takes longer than one about an "
    f"unknown one: 0.5 tells nothing. Best of {EACH} compares the shortest times of the addresses."
)


@define
class Client:
    """One kept-alive connection, with the cookie and the token of a page."""

    port: int
    _connection: HTTPConnection = field(init=False)
    _token: str = ""
    _cookie: str = ""

    def __attrs_post_init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=60)

    def json(self, path: str, **values: str) -> float:
        """The seconds of a post of JSON."""
        return self._post(path, json.dumps(values).encode(), JSON)

    def form(self, path: str, **values: str) -> float:
        """The seconds of a page's form."""
        if not self._token:
            self._open_page()
        body = urlencode({"csrf_token": self._token, **values}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self._cookie}
        return self._post(path, body, headers)

    def _open_page(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/login")
        page = connection.getresponse()
        self._cookie = (page.headers["Set-Cookie"] or "").partition(";")[0]
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
        if found is None:
            raise RuntimeError("the log-in page has no CSRF token")
        self._token = found[1]
        connection.close()

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> float:
        while True:
            if self._connection.sock is None:
                self._connection.connect()  # before the clock starts
            began = time.perf_counter()
            try:
                self._connection.request("POST", path, body, dict(headers))
                answer = self._connection.getresponse()
                answer.read()
            except (HTTPException, ConnectionError):  # its worker has had its thousand requests
                self._connection.close()
                continue
            took = time.perf_counter() - began
            if answer.status not in EXPECTED:
                raise RuntimeError(f"{path} answered {answer.status}")
            return took


WAYS: Mapping[str, Callable[[Client, str], float]] = {
    "sign-up": lambda client, address: client.json("/api/signup", email=address, name="Eve"),
    "reset": lambda client, address: client.json("/api/password-reset", email=address),
    "log-in": lambda client, address: client.form("/login", email=address, password=WRONG),
}


@frozen
class Times:
    """The seconds of each request, those about one address together."""

    known: list[list[float]]
    unknown: list[list[float]]

    def cells(self) -> list[str]:
        """Of a table: AUC of one and of the best, and the medians."""
        known, unknown = [*chain(*self.known)], [*chain(*self.unknown)]
        best = auc([*map(min, self.known)], [*map(min, self.unknown)])
        medians = [number(1000 * median(each)) for each in (known, unknown)]
        return [f"{auc(known, unknown):.3f}", f"{best:.3f}", *medians]


def auc(known: Sequence[float], unknown: Sequence[float]) -> float:
    """How often one of `known` is longer than one of `unknown`; equal ones count half."""
    ordered = sorted(unknown)
    wins = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in known)
    return wins / (2 * len(known) * len(unknown))


def run(bench: Bench) -> Section:
    groups = max(2, bench.size.emails // EMAILS_A_GROUP)
    bench.progress.expect(2 * len(WAYS))
    lines = []
    with PostgreSQL() as server, server.database() as postgresql:
        sqlite = backlog.new_sqlite(bench.folder, "timing")
        for database, url in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
            with _serving(bench, url) as client:
                _add_accounts(client, url, groups)
                for way, ask in WAYS.items():
                    bench.progress.show(f"{way}, {database}")
                    times = _measure(client, ask, groups, way[0])
                    lines.append([f"{way}, {database}", *times.cells()])
                    _settle(url)
                    bench.progress.step()
    headings = (
        f"{groups * EACH:,} pairs", "AUC", f"AUC, best of {EACH}", "known, ms", "unknown, ms"
    )  # fmt: skip
    return Section(name="timing", title=TITLE, about=ABOUT, tables=[Table(headings, lines)])


def _measure(
    client: Client, ask: Callable[[Client, str], float], groups: int, letter: str
) -> Times:
    """The times of all groups; `letter` begins the addresses that only this way asks about."""
    chance = random.Random(1)  # noqa: S311  an order, no secret
    for number_ in range(WARM):
        ask(client, _address("w", number_))
    times = Times([[] for _ in range(groups)], [[] for _ in range(groups)])
    for group in range(groups):
        pair = [
            (times.known[group], _address(KNOWN, group)),
            (times.unknown[group], _address(letter, group)),
        ]
        for _ in range(EACH):
            chance.shuffle(pair)
            for taken, address in pair:
                taken.append(ask(client, address))
    return times


def _address(letter: str, number_: int) -> str:
    """As long for everybody."""
    return f"{letter}{number_:05}@example.com"


def _add_accounts(client: Client, url: str, count: int) -> None:
    """So many accounts, with one password as the app hashes it."""
    client.form("/signup", name="Ann", email=_address("h", 0), password=PASSWORD)
    engine = create_engine(with_driver(url), poolclass=NullPool)
    with engine.connect() as connection:
        password_hash = connection.scalar(select(Signup.password_hash))
    accounts = [
        {
            "id": new_id(),
            "email": _address(KNOWN, each),
            "name": "Ann",
            "password_hash": password_hash,
            "created_at": utc_now(),
        }
        for each in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(User), accounts)


@contextmanager
def _serving(bench: Bench, url: str) -> Iterator[Client]:
    """A client of our gunicorn on this database."""
    settings = ours.settings(url, bench.stub.http, SIGNUPS_PER_DOMAIN="0")
    web = Web.ours(bench.folder, settings)
    with web.process:
        web.process.wait_for_http(f"http://127.0.0.1:{web.port}/healthz")
        yield Client(web.port)


def _settle(url: str) -> None:
    """Wait for the answers that were asked for, so that nobody else bears their cost."""
    engine = create_engine(with_driver(url), poolclass=NullPool)
    asked = select(func.count()).select_from(OutboxStep)
    end = time.monotonic() + SETTLING
    while time.monotonic() < end:
        with engine.connect() as connection:
            if not connection.scalar(asked):
                break
        time.sleep(0.1)
    backlog.wait_until_settled(url, SETTLING)
