"""A password is hashed for a tenth of a second, and nobody's database waits meanwhile."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.pool import QueuePool
from werkzeug.security import generate_password_hash

from blueprints import passwords
from database import db
from message import EmailMessage
from tests.blueprints.conftest import PASSWORD, add_user, link_in

Watch = Callable[[Flask], list[int]]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """`watch(app)` lists for each hashing how many connections were taken out of the pool."""

    def watch(app: Flask) -> list[int]:
        taken: list[int] = []

        def hashing(name: str) -> None:
            hash_it = getattr(passwords, name)

            def watched(*args: Any) -> Any:
                pool = db.engine.pool
                assert isinstance(pool, QueuePool)
                taken.append(pool.checkedout())
                write_at_once(app)
                return hash_it(*args)

            monkeypatch.setattr(passwords, name, watched)

        hashing("check_password_hash")
        hashing("generate_password_hash")
        return taken

    return watch


def write_at_once(app: Flask) -> None:
    """Write as another program, without waiting for anybody."""
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(db.engine.url.database or "", timeout=0)) as connection:
            connection.execute("UPDATE users SET name = name")
            connection.commit()


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@example.com", PASSWORD),
        ("ann@example.com", "wrong"),
        ("nobody@example.com", "wrong"),
    ],
)
def test_a_log_in_holds_no_connection_while_it_checks_the_password(
    any_app: Flask, watch: Watch, email: str, password: str
):
    add_user(any_app, "ann@example.com", "Ann")
    taken = watch(any_app)
    answer = any_app.test_client().post("/login", data={"email": email, "password": password})
    assert (answer.status_code == 302) == (password == PASSWORD)
    assert taken == [0]


def test_so_does_one_that_makes_the_hash_anew(any_app: Flask, watch: Watch):
    cheap = generate_password_hash(PASSWORD, "pbkdf2:sha256:2")
    add_user(any_app, "ann@example.com", "Ann", cheap)
    taken = watch(any_app)
    form = {"email": "ann@example.com", "password": PASSWORD}
    assert any_app.test_client().post("/login", data=form).status_code == 302
    assert taken == [0, 0]


@pytest.mark.parametrize("email", ["ann@example.com", "bob@example.com"])
def test_a_sign_up_holds_no_connection_while_it_hashes_the_password(
    any_app: Flask, watch: Watch, email: str
):
    add_user(any_app, "ann@example.com", "Ann")
    taken = watch(any_app)
    form = {"name": "Ann", "email": email, "password": PASSWORD}
    assert any_app.test_client().post("/signup", data=form).status_code == 302
    assert taken == [0]


def test_a_password_chosen_while_confirming_is_hashed_without_a_connection(
    any_app: Flask, watch: Watch, outbox_emails: list[EmailMessage]
):
    client = any_app.test_client()
    client.post("/api/signup", json={"name": "Bob", "email": "bob@example.com"})
    link = link_in(outbox_emails[-1].text, "confirm")
    taken = watch(any_app)
    assert client.post(link, data={"password": "a new password"}).status_code == 302
    assert taken == [0]


def test_a_new_password_is_hashed_without_a_connection(
    any_app: Flask, watch: Watch, outbox_emails: list[EmailMessage]
):
    add_user(any_app, "ann@example.com", "Ann")
    client = any_app.test_client()
    client.post("/api/password-reset", json={"email": "ann@example.com"})
    link = link_in(outbox_emails[-1].text, "reset-password")
    taken = watch(any_app)
    assert client.post(link, data={"password": "a new password"}).status_code == 302
    assert taken == [0]
