"""Secrets that cannot be the vendor's are seen, and events that we sign pass for genuine."""

import time

import pytest
from svix.webhooks import Webhook as Svix

from providers import PROVIDERS
from providers.webhook import Webhook
from tests.cli.doctor.keys import P256, P384, RSA, SVIX


def webhook_of(name: str) -> Webhook:
    webhook = PROVIDERS[name].webhook
    assert webhook
    return webhook


@pytest.mark.parametrize(
    ("name", "secret", "good"),
    [
        ("resend", SVIX, True),
        ("resend", SVIX.removeprefix("whsec_"), False),
        ("resend", "whsec_", False),
        ("resend", "whsec_not base64!", False),
        ("resend", "re_an_api_key", False),
        ("sequenzy", "whsec_anything", True),
        ("sequenzy", "seq_live_a_key", False),
        ("sendgrid", P256, True),
        ("sendgrid", P384, False),
        ("sendgrid", RSA, False),
        ("sendgrid", P256[:-8], False),
        ("sendgrid", "SG.a-key", False),
    ],
)
def test_a_secret_of_another_shape_is_told_why(name: str, secret: str, good: bool):
    assert (webhook_of(name).secret_error(secret) is None) is good


@pytest.mark.parametrize(("name", "secret"), [("resend", SVIX), ("sequenzy", "whsec_anything")])
def test_a_test_event_is_genuine_for_its_secret_alone_and_means_nothing(name: str, secret: str):
    webhook = webhook_of(name)
    event = webhook.test_event("ping-1", str(int(time.time())), secret)
    assert event
    assert webhook.verify(event.body, event.headers, secret)
    assert not webhook.verify(event.body, event.headers, "whsec_b3RoZXI=")
    [item] = webhook.split(event.body, event.headers)
    assert (item.event_id, item.type, webhook.parse(item)) == ("ping-1", "ping", None)


def test_svix_itself_takes_our_test_event():
    event = webhook_of("resend").test_event("ping-1", str(int(time.time())), SVIX)
    assert event
    Svix(SVIX).verify(event.body, dict(event.headers))  # raises if it is not genuine


def test_only_sendgrid_can_sign_its_events():
    assert webhook_of("sendgrid").test_event("ping-1", "1", P256) is None
