"""The salt of hashed addresses: one for a database, whoever asks first."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import func, select

from database import address_hash, db, transaction
from database.salt import Salt
from tests.conftest import MakeApp

ANN = "ann@example.com"


def test_many_that_ask_first_at_once_agree(make_app: MakeApp, database_url: str):
    apps = [make_app(DATABASE_URL=database_url) for _ in range(4)]  # each as a process of its own
    together = Barrier(len(apps))

    def ask(number: int) -> str:
        with apps[number].app_context(), transaction() as session:
            together.wait()
            return address_hash(session, "test")(ANN)

    with ThreadPoolExecutor(len(apps)) as pool:
        hashes = set(pool.map(ask, range(len(apps))))
    with apps[0].app_context(), transaction() as session:
        assert hashes == {address_hash(session, "test")(ANN.upper())}
        assert session.scalar(select(func.count()).select_from(Salt)) == 1


def test_a_salt_that_was_taken_back_is_used_no_more(make_app: MakeApp, database_url: str):
    with make_app(DATABASE_URL=database_url).app_context():
        lost = [address_hash(db.session(), "test")(ANN) for _ in range(2)]
        db.session.rollback()
        with transaction() as session:
            kept = address_hash(session, "test")(ANN)
    with make_app(DATABASE_URL=database_url).app_context():
        assert address_hash(db.session(), "test")(ANN) == kept
        assert lost[0] == lost[1] != kept


def test_hashes_for_different_purposes_cannot_be_matched(make_app: MakeApp):
    with make_app().app_context():
        one, other = (address_hash(db.session(), each)(ANN) for each in ("one", "other"))
        assert one != other
        assert "ann" not in one + other
