"""A new SECRET_KEY: what the former one signed counts as long as SECRET_KEY_FALLBACKS names it."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database import transaction
from extensions import email
from message import EmailMessage
from outbox import suppression
from tests.blueprints.conftest import PASSWORD, add_user, csrf_token, logged_in
from tests.blueprints.test_log_ins import guess
from tests.blueprints.test_password_reset import ask_for_link
from tests.conftest import MakeApp

ANN = "ann@example.com"
OLD, NEW = "the former key of this app and no longer", "the key of this app since this very day"
Roll = Callable[[FlaskClient], FlaskClient]
KEPT = pytest.mark.parametrize("kept", [True, False], ids=["kept", "dropped"])


@pytest.fixture
def old(make_app: MakeApp) -> Flask:
    """An app under the former key, with Ann's account."""
    app = make_app(SECRET_KEY=OLD, WTF_CSRF_ENABLED=False)
    add_user(app, ANN, "Ann")
    return app


@pytest.fixture
def roll(make_app: MakeApp, kept: bool) -> Roll:
    """`roll(browser)` is the same browser at the same app, which has a new key."""

    def roll(browser: FlaskClient) -> FlaskClient:
        fallbacks = {"SECRET_KEY_FALLBACKS": f"{OLD}, {OLD[::-1]}"} if kept else {}
        csrf = browser.application.config["WTF_CSRF_ENABLED"]
        app = make_app(SECRET_KEY=NEW, WTF_CSRF_ENABLED=csrf, **fallbacks)
        later = app.test_client()
        for name in ("session", "device"):
            if cookie := browser.get_cookie(name):
                later.set_cookie(name, cookie.value)
        return later

    return roll


@KEPT
def test_a_session(old: Flask, roll: Roll, kept: bool):
    browser = old.test_client()
    with logged_in(browser, add_user(old, "bob@example.com", "Bob")):
        assert (roll(browser).get("/account").status_code == 200) is kept


@KEPT
def test_a_known_browser(old: Flask, roll: Roll, kept: bool):
    browser = old.test_client()
    assert guess(browser, ANN, PASSWORD)
    later = roll(browser)
    assert not any(guess(later.application.test_client()) for _ in range(20))
    assert guess(later, ANN, PASSWORD) is kept


@KEPT
def test_a_reset_link(old: Flask, roll: Roll, kept: bool, outbox_emails: list[EmailMessage]):
    browser = old.test_client()
    link = ask_for_link(browser, outbox_emails, ANN)
    answer = roll(browser).post(link, data={"password": "a new password"})
    assert answer.status_code == (302 if kept else 400)


@KEPT
def test_an_unsubscribe_link(old: Flask, roll: Roll, kept: bool):
    with old.app_context():
        link = email.unsubscribe_links.url(ANN)
    path = link.removeprefix(old.config["APP_URL"])
    later = roll(old.test_client())
    assert later.post(path).status_code == (200 if kept else 404)
    with later.application.app_context():
        assert email.unsubscribe_links.url(ANN) != link, "the former key must not sign"


@KEPT
def test_a_form_that_was_open(make_app: MakeApp, roll: Roll, kept: bool):
    app = make_app(SECRET_KEY=OLD, WTF_CSRF_ENABLED=True)
    browser = app.test_client()
    form = {"csrf_token": csrf_token(browser, "/forgot-password"), "email": ANN}
    answer = roll(browser).post("/forgot-password", data=form)
    assert answer.status_code == (302 if kept else 400)


def test_a_new_key_loses_no_suppression_of_somebody_forgotten(old: Flask, make_app: MakeApp):
    with old.app_context(), transaction() as session:
        suppression.suppress(session, ANN, "all", reason="hard bounce", source="test")
        assert suppression.forget(session, ANN) == 1
    with make_app(SECRET_KEY=NEW).app_context(), transaction() as session:
        assert suppression.suppressed(session, [ANN]).among([ANN], "transactional")
