"""Rows that may be there already are added once, whoever else adds them."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from database import insert_if_new, insert_new, now_in, transaction, utc_now
from models import User
from tests.conftest import MakeApp


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app on each database in turn."""
    app = make_app(DATABASE_URL=database_url)
    with app.app_context():
        yield app


def person(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"0198c5f0-0000-7000-8000-{number:012}",
        "email": f"user{number}@example.com",
        "name": f"User {number}",
        "password_hash": None,
        "created_at": utc_now(),
    } | changes


def count() -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def test_a_row_is_added_unless_one_of_its_unique_columns_has_its_value(app: Flask):
    with transaction() as session:
        assert insert_if_new(session, User, person(1))
        assert not insert_if_new(session, User, person(1))
        assert not insert_if_new(session, User, person(1, id="another"))
        assert not insert_if_new(session, User, person(1, email="another@example.com"))
        assert insert_if_new(session, User, person(2, password_hash="hash"))
    assert count() == 2


def test_a_value_may_be_what_the_database_computes(app: Flask):
    with transaction() as session:
        assert insert_if_new(session, User, person(1, created_at=now_in(session)))
        assert insert_if_new(session, User, person(2, name=func.upper("ann")))
        assert insert_if_new(session, User, person(3))
    with transaction() as session:
        users = session.scalars(select(User).order_by(User.id)).all()
        assert [user.name for user in users] == ["User 1", "ANN", "User 3"]
        assert abs((users[0].created_at - utc_now()).total_seconds()) < 3600


def test_of_many_rows_those_that_are_new_are_told(app: Flask):
    people = [person(number) for number in range(200)]
    with transaction() as session:
        assert insert_new(session, User, people[:3]) == {each["id"] for each in people[:3]}
        assert insert_new(session, User, people) == {each["id"] for each in people[3:]}
        assert insert_new(session, User, []) == set()
    assert count() == 200
