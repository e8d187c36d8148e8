"""What every route that changes something must have: a limit or a signature."""

from uuid import UUID

from flask import Flask
from werkzeug.routing import AnyConverter, BaseConverter, Rule, UUIDConverter
from werkzeug.routing.converters import NumberConverter

from tests.blueprints.conftest import PRODUCTION
from tests.conftest import MakeApp

EXEMPT = {"webhooks.stripe_webhook", "webhooks.provider_webhook", "unsubscribe.act"}
"""Views without a rate limit: a signature says who calls. Name yours here if it has one too."""

OPEN = {"api.signup", "api.password_reset"}
"""Views of the blueprint `api` that anybody may call, as they may call the pages beside them."""


def some_value(converter: BaseConverter) -> object:
    """A value that fits this part of a path."""
    if isinstance(converter, NumberConverter):
        return converter.num_convert(1)
    if isinstance(converter, UUIDConverter):
        return UUID(int=0)
    return min(converter.items) if isinstance(converter, AnyConverter) else "x"


def last_status(app: Flask, rule: Rule, method: str, calls: int) -> int:
    """How the last of some calls of the view is answered."""
    values = {name: some_value(part) for name, part in rule._converters.items()}
    path = app.url_map.bind("localhost").build(rule.endpoint, values, method)
    client = app.test_client()
    return [client.open(path, method=method).status_code for _ in range(calls)][-1]


def routes(app: Flask, methods: set[str]) -> list[tuple[Rule, str]]:
    """The routes that take one of these methods, each with that method."""
    rules = app.url_map.iter_rules()
    return [(rule, method) for rule in rules for method in methods & (rule.methods or set())]


def without_limit(app: Flask) -> set[str]:
    """The views that take a POST more often than once an hour, which is every rate of `app`."""
    found = routes(app, {"POST"})
    return {rule.endpoint for rule, method in found if last_status(app, rule, method, 2) != 429}


def limited_app(make_app: MakeApp) -> Flask:
    rates = {"RATELIMIT_SEND": "1/hour", "RATELIMIT_FORM": "1/hour"}
    return make_app(RATELIMIT_ENABLED=True, PROPAGATE_EXCEPTIONS=False, **rates)


def test_every_route_that_takes_a_post_has_a_rate_limit_or_a_signature(make_app: MakeApp):
    views = sorted(without_limit(limited_app(make_app)) - EXEMPT)
    assert views == [], (
        "these views send or store for whoever asks, as often as they ask: put "
        "`form_limit(blueprint)` of blueprints/limits.py below their blueprint, or name them in "
        "EXEMPT, at the top of this file"
    )


def test_every_view_of_the_api_demands_the_token_or_is_open_on_purpose(make_app: MakeApp):
    app = make_app(**PRODUCTION, API_TOKEN="a token of this test")
    found = [each for each in routes(app, {"GET", "POST"}) if each[0].endpoint.startswith("api.")]
    views = sorted(
        rule.endpoint for rule, method in found if last_status(app, rule, method, 1) != 401
    )
    assert [view for view in views if view not in OPEN] == [], (
        "anybody may call these views: put `@token_required` of blueprints/api.py on each, or name "
        "it in OPEN, at the top of this file"
    )
