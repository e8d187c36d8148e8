"""The app as `create_app` builds it, with templates that are read strictly."""

import re

import pytest
from jinja2 import ChoiceLoader, DictLoader, StrictUndefined

from app import create_app
from testing import TEST_SETTINGS

THEME = "emails/_theme.html"
SETTINGS = {
    "APP_NAME": "Acme",
    "APP_URL": "https://app.example.com",
    "FROM_EMAIL": "Acme <hello@example.com>",
    "CONTACT_EMAIL": "hello@example.com",
    "POSTAL_ADDRESS": "Acme Ltd., 1 Main Street, Springfield",
}


@pytest.fixture(scope="session")
def strict_app():
    """An undefined name in a template is an error, as everywhere."""
    app = create_app(TEST_SETTINGS | SETTINGS)
    assert app.jinja_env.undefined is StrictUndefined
    return app


@pytest.fixture
def email_app(strict_app):
    """That app, with its context pushed."""
    with strict_app.app_context():
        yield strict_app


@pytest.fixture
def change_theme(email_app, monkeypatch):
    """`change_theme('lang = "…"', "ar")`: the emails as another brand has them; the old value."""
    ours = email_app.jinja_env.loader
    source, _, _ = ours.get_source(email_app.jinja_env, THEME)

    def change(place, value):
        before, after = (re.escape(part) for part in place.split("…"))
        [found] = re.finditer(f"{before}([#\\w'-][#\\w '-]*){after}", source)
        changed = source[: found.start(1)] + value + source[found.end(1) :]
        loader = ChoiceLoader([DictLoader({THEME: changed}), ours])
        monkeypatch.setattr(email_app.jinja_env, "loader", loader)
        return found[1]

    return change
