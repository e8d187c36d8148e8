"""SQLite's files hold every email: no other user of the machine may read them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from database import db
from tests.conftest import MakeApp
from tests.database.count_up import NUMBERS


@pytest.fixture(params=[0o000, 0o022, 0o377], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """From one that takes nothing to one that takes even the owner's right to write."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def test_all_files_of_a_database_are_made_for_their_owner_alone(
    make_app: MakeApp, tmp_path: Path, umask: None
):
    folder = tmp_path / "new"
    folder.mkdir()
    folder.chmod(0o700)
    with make_app(DATABASE_URL=f"sqlite:///{folder}/shop.db").app_context():
        NUMBERS.create(db.engine)
        with db.engine.begin() as connection:
            connection.execute(insert(NUMBERS).values(value=0))
        names = ("shop.db", "shop.db-wal", "shop.db-shm", "shop.db.lock")
        assert modes(folder) == dict.fromkeys(names, "0o600")


def test_a_database_whose_mode_somebody_chose_keeps_it(make_app: MakeApp, tmp_path: Path):
    file = tmp_path / "shared.db"
    file.touch()
    file.chmod(0o660)
    with make_app(DATABASE_URL=f"sqlite:///{file}").app_context():
        NUMBERS.create(db.engine)
    assert modes(tmp_path)["shared.db"] == "0o660"
