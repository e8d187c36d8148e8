"""Truly signed events about an email of ours, with something odd in every place."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.blueprints.provider_posts import accepted_email, outcomes, post, shown
from tools.fuzz.broken_json import HOLE, ODD_VALUES, broken, places, with_hole

SAMPLE = 100  # of the 800 pairs of a place and an odd value


def full_event(email: Any) -> Any:
    """An event in which every part that is read stands."""
    parts: dict[str, Any] = {
        "resend": {
            "bounce": {"type": "Permanent", "message": "why", "diagnosticCode": ["smtp; 550"]},
            "click": {"link": "https://example.com/"},
            "failed": {"reason": "why"},
            "suppressed": {"type": "bounce", "message": "why"},
        },
        "sequenzy": {"failure": {"code": "X"}, "url": "https://example.com/"},
        "sendgrid": {"status": "4.2.2", "type": "bounce", "url": "https://example.com/"},
    }
    return email.event("email.bounced", **parts[email.provider])


@pytest.mark.parametrize("provider", ["resend", "sequenzy", "sendgrid"])
def test_whatever_stands_in_a_signed_event_nothing_breaks(any_app: Flask, provider: str):
    client, email = any_app.test_client(), accepted_email(any_app, provider)
    event = full_event(email)
    every = [(place, odd) for place in [(), *places(event)] for odd in ODD_VALUES]
    chance = random.Random(f"{provider}")  # noqa: S311  a fixed seed, so that a failure comes back
    bodies = []
    for place, odd in chance.sample(every, SAMPLE):
        text = json.dumps(with_hole(event, place)).encode()
        bodies.append(text.replace(json.dumps(HOLE).encode(), odd))
    bodies += [broken(chance, event) for _ in range(SAMPLE)]
    statuses = {body: post(client, provider, body).status_code for body in bodies}
    assert {body: each for body, each in statuses.items() if each not in (200, 400)} == {}
    assert "applied" in outcomes(any_app)
    lines = shown(client, email)["timeline"]
    assert len(lines) > 10
    near = datetime.now(UTC) + timedelta(days=1)
    times = [datetime.fromisoformat(each["at"]) for each in lines]
    assert all(datetime(2000, 1, 1, tzinfo=UTC) <= each <= near for each in times)
    assert all(each.get("detail", "").isprintable() for each in lines)
