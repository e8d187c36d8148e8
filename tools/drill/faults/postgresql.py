"""PostgreSQL behind a real PgBouncer, and on a host that goes without a word.

They need Debian's pgbouncer; the second also root and iproute2, for a host of its own.
"""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import make_url

from tools.drill.faults.web import Start, received, send, wait_for_states
from tools.drill.stack import TOKEN
from tools.processes import Process, free_port, wait_until
from tools.simulator_process import Simulator

EMAILS = 200
SESSIONS = 2  # of the server, for all connections of the web processes
GIVEN_UP_WITHIN = 40.0  # seconds
HERE, THERE = "10.213.77.1", "10.213.77.2"
HOST = "far-host"  # of our own, in a network namespace


@contextmanager
def pgbouncer(url: str, log: Path, address: str = "127.0.0.1", *within: str) -> Iterator[str]:
    """The URL of a PgBouncer in transaction pooling before the PostgreSQL at `url`."""
    there, port = make_url(url), free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users").write_text(f'"{there.username}" ""\n', "utf-8")
        settings = {
            "listen_addr": address,
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": folder / "users",
            "pool_mode": "transaction",
            "default_pool_size": SESSIONS,
        }
        lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
        database = f"[databases]\n* = host={there.query['host']}\n"
        (folder / "ini").write_text(f"{database}[pgbouncer]\n{lines}\n", "utf-8")
        # As whoever runs the server, since it refuses to run as root and nobody else may connect.
        user = ["-u", Path(str(there.query["host"])).owner()] if not os.getuid() else []
        program = [_program("pgbouncer"), *user, str(folder / "ini")]
        with Process([*within, *program], {}, log) as process:
            process.wait_for_output("process up")
            yield f"postgresql://{there.username}@{address}:{port}/{there.database}"


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not here: apt-get install pgbouncer iproute2"
    return found


def _ip(*arguments: str) -> None:
    subprocess.run([_program("ip"), *arguments], check=True)


@pytest.fixture
def far_host() -> Iterator[None]:
    """A host at `THERE`, which sees us at `HERE`."""
    _ip("netns", "add", HOST)
    with ExitStack() as stack:
        stack.callback(_ip, "netns", "del", HOST)
        _ip("link", "add", "to-far-host", "type", "veth", "peer", "name", "back", "netns", HOST)
        for link, address, there in (
            ("to-far-host", HERE, ()),
            ("back", THERE, ("-n", HOST)),
        ):
            _ip(*there, "addr", "add", f"{address}/30", "dev", link)
            _ip(*there, "link", "set", link, "up")
        yield


@contextmanager
def gone() -> Iterator[None]:
    """Nothing is heard of the far host any more."""
    _ip("-n", HOST, "route", "add", "blackhole", f"{HERE}/32")
    yield
    _ip("-n", HOST, "route", "del", "blackhole", f"{HERE}/32")


def addresses(first: int, count: int = EMAILS) -> list[str]:
    return [f"user{number}@example.com" for number in range(first, first + count)]


def try_to_send(url: str, address: str) -> int:
    """The status of one request."""
    body, bearer = {"name": "Ann", "email": address}, {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.post(f"{url}/api/send", json=body, headers=bearer, timeout=GIVEN_UP_WITHIN)
    return answer.status_code


def test_emails_go_through_pgbouncer_in_transaction_pooling(
    provider: Simulator, start_web: Start, postgresql_url: str, tmp_path: Path
) -> None:
    with pgbouncer(postgresql_url, tmp_path / "pgbouncer.log") as url:
        webs = [start_web(DATABASE_URL=url) for _ in range(2)]
        with ThreadPoolExecutor(8) as pool:
            everybody = addresses(0)
            for number, address in enumerate(everybody):
                pool.submit(send, webs[number % 2][1], address)
        wait_for_states(webs[0][1], {"accepted": EMAILS})
        assert received(provider) == Counter(everybody)
        for process, _ in webs:
            assert "Error" not in process.output()
            assert process.terminate() == 0


@pytest.mark.usefixtures("far_host")
def test_a_database_host_that_goes_without_a_word_is_503_and_loses_nothing(
    provider: Simulator, start_web: Start, postgresql_url: str, tmp_path: Path
) -> None:
    within = (_program("ip"), "netns", "exec", HOST)
    with pgbouncer(postgresql_url, tmp_path / "pgbouncer.log", THERE, *within) as database:
        _, url = start_web(DATABASE_URL=database)
        before, after = addresses(0, 20), addresses(20, 20)
        send(url, *before)
        wait_for_states(url, {"accepted": 20})
        with gone(), ThreadPoolExecutor(8) as pool:
            during = [f"nobody{number}@example.com" for number in range(8)]
            assert {*pool.map(lambda each: try_to_send(url, each), during)} == {503}
            assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
        wait_until(lambda: try_to_send(url, "back@example.com") == 202, "the database to be back")
        send(url, *after)
        wait_for_states(url, {"accepted": 41})
        assert received(provider) == Counter([*before, *after, "back@example.com"])
