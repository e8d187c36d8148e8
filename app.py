"""The one place that knows every part: `create_app`, with `app` and `email` for servers."""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

import background
import blueprints
import cli
import config
import emails
import log_setup
import models  # noqa: F401  the tables, for migrations
import webhooks
from database import db, prepare
from errors import ConfigurationError
from extensions import csrf, email, limiter, migrate
from outbox import reputation, running

ROOT = Path(__file__).parent

logger = logging.getLogger(__name__)

__all__ = ["create_app", "email"]


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Build the app from the environment and `.env`, or from `overrides` alone if they are given.

    Raises `ConfigurationError` with every problem in one message.
    """
    settings = config.load(config.read_environment() if overrides is None else overrides)
    log_setup.configure(settings["LOG_FORMAT"], settings["LOG_LEVEL"])
    app = Flask(__name__, root_path=str(ROOT), instance_path=str(ROOT / "instance"))
    app.jinja_env.undefined = StrictUndefined  # a misspelt name is an error, not a gap in an email
    app.config.from_mapping(settings)
    if overrides is not None:
        app.config.from_mapping(_flask_settings(overrides))
    _trust_proxies(app)
    _bind_extensions(app)
    running.init_app(app)
    reputation.init_app(app, emails.marketing_paused)
    background.init_app(app)
    webhooks.init_app(app)
    app.context_processor(_brand)
    blueprints.init_app(app)
    app.cli.add_command(cli.email_commands)
    if config.debugs_in_public(app.config):
        url = app.config["APP_URL"]
        logger.warning("FLASK_DEBUG=1 and APP_URL=%s: %s", url, config.PUBLIC_DEBUG)
    running.start_if_serving(app)
    return app


def _flask_settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides that are Flask's own settings and not ours."""
    ours = {setting.name for setting in config.SETTINGS}
    return {name: value for name, value in overrides.items() if name not in ours}


def _trust_proxies(app: Flask) -> None:
    count: int = app.config["TRUSTED_PROXIES"]
    if count:  # without a proxy in front anybody could write these headers
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)
        app.wsgi_app = proxied  # type: ignore[method-assign]  # Flask's documented way


def _bind_extensions(app: Flask) -> None:
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), render_as_batch=True)
    limiter.init_app(app)  # before the CSRF check, which parses the form
    csrf.init_app(app)
    email.init_app(app)
    with app.app_context():
        prepare(db.engine)


def _brand() -> dict[str, Any]:
    settings = current_app.config
    contact = settings["CONTACT_EMAIL"]
    return {
        "current_year": datetime.now(UTC).year,
        "brand": {
            "name": settings["APP_NAME"],
            "url": settings["APP_URL"],
            "postal_address": settings["POSTAL_ADDRESS"],
            "contact_email": None if contact.is_noreply else contact.email,
            "billing_url": settings["BILLING_URL"],
        },
        "unsubscribe_url": email.unsubscribe_links.url,
    }


_app: Flask | None = None


def __getattr__(name: str) -> Flask:
    """Build `app` when a server asks for it, so that importing `create_app` does nothing else."""
    global _app
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _app is None:
        try:
            _app = create_app()
        except ConfigurationError as error:
            sys.exit(f"{error}")
    return _app
