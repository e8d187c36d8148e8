"""Databases taken away from a running app, for as long as a block lasts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import make_url


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
        yield
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
