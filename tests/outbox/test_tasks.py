"""What a Celery task does: it wakes the engine of its process, and waits for its own rows."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from outbox import running
from outbox.tables import State
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings
from tests.outbox.rows import change, queue, yes
from tools.processes import PATIENCE, wait_until

THREADS = 2


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=database_url, **settings(EMAIL_THREADS=str(THREADS)))
    with app.app_context():
        yield app


def task(app: Flask, *ids: str) -> str:
    with app.app_context():
        return running.deliver_soon(ids)


def test_however_many_tasks_there_are_a_process_makes_as_many_calls_as_it_has_threads(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    going: set[int] = set()
    most: list[int] = []
    full, go_on = threading.Event(), threading.Event()

    def post(name: str, _body: str) -> Receipt:
        me = threading.get_ident()
        going.add(me)
        most.append(len(going))
        if len(going) == THREADS:
            full.set()
        assert go_on.wait(PATIENCE)
        going.discard(me)
        return yes(name)

    posting(monkeypatch, post)
    ids = [queue() for _ in range(10)]
    with delivering(app), ThreadPoolExecutor(len(ids)) as tasks:
        told = [tasks.submit(task, app, each) for each in ids]
        assert full.wait(PATIENCE)
        go_on.set()
        assert {each.result() for each in told} == {"1 accepted"}
    assert max(most) == THREADS


def test_a_task_says_what_became_of_its_rows(app: Flask, monkeypatch: pytest.MonkeyPatch):
    posting(monkeypatch, lambda name, _body: yes(name))
    ids = [queue() for _ in range(3)]
    change(ids[0], state=State.CANCELLED)
    with delivering(app):
        assert task(app, *ids, "nobody's") == "2 accepted, 1 cancelled, 1 gone"
        assert task(app, *ids) == "2 accepted, 1 cancelled"  # a repeat does nothing


def test_a_task_waits_out_no_rate_limit(app: Flask, monkeypatch: pytest.MonkeyPatch):
    app.config["EMAIL_TIMEOUT"] = 0.5
    go_on = threading.Event()

    def post(name: str, _body: str) -> Receipt:
        assert go_on.wait(PATIENCE)
        return yes(name)

    posting(monkeypatch, post)
    ids = [queue() for _ in range(2)]
    with delivering(app):
        assert task(app, *ids) == "2 waiting"
        go_on.set()
        wait_until(lambda: task(app, *ids) == "2 accepted", "both")
