"""The HTTP side: one blueprint a subject. The inbox and the gallery exist in debug only."""

from flask import Flask

from blueprints import (
    accounts,
    api,
    contact,
    errors,
    health,
    home,
    inbox,
    preview,
    stripe,  # noqa: F401  its route stands on the blueprint of the webhooks
    unsubscribe,
    webhooks,
)
from extensions import csrf


def init_app(app: Flask) -> None:
    """Register the blueprints; programs and mail clients cannot have CSRF tokens and need none."""
    for module in (home, api, accounts, contact, webhooks, unsubscribe, health):
        app.register_blueprint(module.blueprint)
    if app.debug:
        app.register_blueprint(preview.blueprint)
        app.register_blueprint(inbox.blueprint)
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/") or rule.endpoint == "unsubscribe.act":
            csrf.exempt(app.view_functions[rule.endpoint])
    errors.init_app(app)
    app.context_processor(accounts.page_context)
