"""`python -m tests.database.count_up URL`: add 1 to the number of `test_sqlite.py` a hundred times.

Four threads do it, by reading the number for update and writing it back. With a second argument
they fail if SQLite tells one of them to wait.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Column, Engine, Integer, MetaData, Table, event, select, update
from sqlalchemy.orm import Session

from app import create_app
from database import db
from testing import TEST_SETTINGS

THREADS, TIMES = 4, 25
NUMBERS = Table("numbers", MetaData(), Column("value", Integer, nullable=False))


def count_up(engine: Engine) -> None:
    """Read, modify, write."""
    with Session(engine) as session, session.begin():
        value = session.scalars(select(NUMBERS.c.value).with_for_update()).one()
        session.execute(update(NUMBERS).values(value=value + 1))


def never_meet_sqlites_lock(engine: Engine) -> None:
    """From now on whoever meets another writer at SQLite's own lock gets an error at once."""
    engine.dispose()
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 0"))


if __name__ == "__main__":
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": sys.argv[1]})
    with app.app_context(), ThreadPoolExecutor(THREADS) as pool:
        engine = db.engine
        if len(sys.argv) > 2:
            never_meet_sqlites_lock(engine)
        for done in [pool.submit(count_up, engine) for _ in range(THREADS * TIMES)]:
            done.result()
