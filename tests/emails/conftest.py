"""A small app that gives the emails what `create_app` gives them, and nothing else."""

from pathlib import Path

import pytest
from flask import Flask
from jinja2 import StrictUndefined

BRAND = {
    "name": "Acme",
    "url": "https://app.example.com",
    "postal_address": "Acme Ltd., 1 Main Street, Springfield",
    "contact_email": "hello@example.com",
    "billing_url": "https://app.example.com/billing",
}


@pytest.fixture(scope="session")
def bare_app():
    """Strict: an undefined name in a template is an error."""
    app = Flask(__name__, template_folder=str(Path(__file__).parents[2] / "templates"))
    app.config["APP_NAME"] = BRAND["name"]
    app.jinja_env.undefined = StrictUndefined
    app.context_processor(lambda: {"brand": BRAND, "current_year": 2026})
    return app


@pytest.fixture
def email_app(bare_app):
    """That app, with its context pushed."""
    with bare_app.app_context():
        yield bare_app
