"""The routes of the template: which exist, and which go without a rate limit."""

from flask import Flask

from tests.blueprints.conftest import PRODUCTION
from tests.blueprints.test_routes import EXEMPT, limited_app, without_limit
from tests.conftest import MakeApp

ALWAYS = {
    "GET /", "POST /api/send", "POST /api/send-welcome", "GET /api/emails/<uuid:email_id>",
    "POST /api/signup", "GET /signup", "POST /signup", "GET /confirm/<token>",
    "POST /confirm/<token>", "GET /login", "POST /login", "POST /logout",
    "GET /account", "POST /api/password-reset", "GET /forgot-password", "POST /forgot-password",
    "GET /reset-password", "POST /reset-password", "GET /contact", "POST /contact",
    "POST /api/webhooks/stripe", "POST /api/webhooks/<any(resend, sendgrid, sequenzy):provider>",
    "GET /unsubscribe/<token>",
    "POST /unsubscribe/<token>", "GET /healthz", "GET /readyz", "GET /deliveryz",
    "GET /metrics",
    "GET /static/<path:filename>",
}  # fmt: skip
IN_DEBUG = {
    "GET /preview", "GET /preview.json", "GET /preview/<name>", "GET /preview/<name>.txt",
    "GET /preview/<name>.eml", "POST /preview/<name>", "GET /inbox", "GET /inbox.json",
    "GET /inbox/<uuid:email_id>", "GET /inbox/<uuid:email_id>/body",
    "GET /inbox/<uuid:email_id>/attachments/<int:index>",
}  # fmt: skip


def routes(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_the_routes_are_those_of_the_design(make_app: MakeApp):
    assert routes(make_app()) == ALWAYS | IN_DEBUG
    assert routes(make_app(**PRODUCTION)) == ALWAYS


def test_exactly_what_is_signed_goes_without_a_rate_limit(make_app: MakeApp):
    assert without_limit(limited_app(make_app)) == EXEMPT
