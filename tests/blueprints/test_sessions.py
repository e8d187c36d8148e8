"""`login_required` on views of a product's own: pages lead to the log-in, JSON gets a 401."""

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


def test_a_log_out_closes_both(visitor: FlaskClient, bob: User):
    with logged_in(visitor, bob):
        visitor.post("/logout")
    assert visitor.get("/made-up").status_code == 302
    assert visitor.post("/made-up").status_code == 302
    assert visitor.get("/api/made-up/7").status_code == 401
