"""`python -m tests.database.writer URL`: writes 7 into the numbers of `test_write_turns.py`.

It says `ready`, and waits for a line; says `writing` once it has the lock, and waits for another;
commits, and says `done`.
"""

import sys

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import create_app
from database import db
from testing import TEST_SETTINGS
from tests.database.count_up import NUMBERS


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": sys.argv[1]})
    with app.app_context(), Session(db.engine) as session:
        say("ready")
        sys.stdin.readline()
        session.execute(insert(NUMBERS).values(value=7))
        say("writing")
        sys.stdin.readline()
        session.commit()
        say("done")
