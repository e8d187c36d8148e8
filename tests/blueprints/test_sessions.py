"""Who may see what `login_required` guards: pages lead to the log-in, JSON gets a 401."""

import pytest
from flask.testing import FlaskClient

from models import User
from tests.blueprints import made_up_views
from tests.blueprints.conftest import HASH, PASSWORD, add_user, logged_in
from tests.conftest import MakeApp


@pytest.fixture
def visitor(make_app: MakeApp) -> FlaskClient:
    """A browser at an app with views of its own."""
    app = make_app()
    app.register_blueprint(made_up_views.blueprint)
    return app.test_client()


@pytest.fixture
def bob(visitor: FlaskClient) -> User:
    return add_user(visitor.application, "bob@example.com", "Bob", HASH)


@pytest.mark.parametrize("path", ["/made-up", "/made-up?page=2&sort=name"])
def test_a_page_leads_to_the_log_in_and_back(visitor: FlaskClient, bob: User, path: str):
    refused = visitor.get(path)
    assert refused.status_code == 302
    assert refused.headers["Location"].startswith("/login?next=/made-up")
    form = {"email": bob.email, "password": PASSWORD}
    assert visitor.post(refused.headers["Location"], data=form).headers["Location"] == path
    page = visitor.get(path)
    assert (page.status_code, page.text) == (200, "Made up for Bob")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_json_is_refused_in_json(visitor: FlaskClient, bob: User, method: str):
    refused = visitor.open("/api/made-up/7", method=method)
    assert (refused.status_code, refused.get_json()) == (401, {"error": "log in first"})
    with logged_in(visitor, bob):
        answer = visitor.open("/api/made-up/7", method=method)
        assert (answer.status_code, answer.get_json()) == (200, {"number": 7})


def carrying(visitor: FlaskClient, cookie: str) -> FlaskClient:
    """Another browser at the same app with a copy of the session cookie."""
    thief = visitor.application.test_client()
    thief.set_cookie("session", cookie)
    return thief


def cookie_of(visitor: FlaskClient) -> str:
    cookie = visitor.get_cookie("session")
    assert cookie
    return cookie.value


def test_a_log_out_ends_the_sessions_of_all_devices_and_every_copy(visitor: FlaskClient, bob: User):
    elsewhere = visitor.application.test_client()
    with logged_in(visitor, bob), logged_in(elsewhere, bob):
        copied = cookie_of(visitor)
        assert carrying(visitor, copied).get("/made-up").status_code == 200
        assert "on all your devices" in visitor.post("/logout", follow_redirects=True).text
    assert elsewhere.get("/made-up").status_code == 302
    assert carrying(visitor, copied).get("/made-up").status_code == 302
    with logged_in(visitor, bob):
        carrying(visitor, copied).post("/logout")
        assert visitor.get("/made-up").status_code == 200, "a dead session ended a living one"


DAY = 86400


def age(visitor: FlaskClient, **days: int) -> None:
    """Let `seen` or `since` in the session lie so many days earlier."""
    with visitor.session_transaction() as session:
        session["user"] = session["user"] | {
            name: session["user"][name] - count * DAY for name, count in days.items()
        }


def test_a_session_ends_after_two_weeks_without_use(visitor: FlaskClient, bob: User):
    with logged_in(visitor, bob):
        for _ in range(3):  # used every 13 days it goes on
            age(visitor, seen=13)
            assert visitor.get("/made-up").status_code == 200
        age(visitor, seen=15)
    assert visitor.get("/made-up").status_code == 302


def test_a_session_ends_after_90_days_however_much_it_is_used(visitor: FlaskClient, bob: User):
    with logged_in(visitor, bob):
        age(visitor, since=89)
        assert visitor.get("/made-up").status_code == 200
        age(visitor, since=2)
    assert visitor.get("/made-up").status_code == 302


def test_a_session_of_an_earlier_version_is_over(visitor: FlaskClient, bob: User):
    with visitor.session_transaction() as session:
        session["user"] = [bob.id, "fingerprint"]
    assert visitor.get("/made-up").status_code == 302


def test_a_log_out_closes_both(visitor: FlaskClient, bob: User):
    with logged_in(visitor, bob):
        visitor.post("/logout")
    assert visitor.get("/made-up").status_code == 302
    assert visitor.post("/made-up").status_code == 302
    assert visitor.get("/api/made-up/7").status_code == 401
