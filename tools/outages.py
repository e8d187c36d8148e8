"""Databases taken away from a running app, for as long as a block lasts."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody writes to the SQLite file and does not come to an end."""
    path = make_url(url).database or ""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def down(url: str) -> Iterator[None]:
    """PostgreSQL ends every connection to the database and takes no new one."""
    name = make_url(url).database
    admin = url.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def away(url: str) -> Iterator[None]:
    """What each database does when it cannot serve: `locked` or `down`."""
    with locked(url) if url.startswith("sqlite") else down(url):
        yield


@contextmanager
def exhausted(engine: Engine) -> Iterator[None]:
    """Somebody else uses every connection that this process may have, until its pool gives up."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(engine.connect())
            except PoolTimeoutError:
                break
        yield
