"""Secrets that cannot be the vendor's are seen, and events that we sign pass for genuine."""

import time

import pytest
from svix.webhooks import Webhook as Svix

from providers import HTTP_PROVIDERS
from providers.webhook import Webhook
from tests.cli.doctor.keys import P256, P384, RSA, SVIX


def webhook_of(name: str) -> Webhook:
    webhook = HTTP_PROVIDERS[name].webhook
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
def test_a_secret_of_another_shape_has_a_flaw(name: str, secret: str, good: bool):
    assert (webhook_of(name).flaw(secret) is None) is good


@pytest.mark.parametrize(("name", "secret"), [("resend", SVIX), ("sequenzy", "whsec_anything")])
def test_a_ping_is_genuine_for_its_secret_alone_and_means_nothing(name: str, secret: str):
    webhook = webhook_of(name)
    delivery = webhook.ping("ping-1", str(int(time.time())), secret)
    assert delivery
    assert webhook.is_genuine(delivery.body, delivery.headers, secret)
    assert not webhook.is_genuine(delivery.body, delivery.headers, "whsec_b3RoZXI=")
    [item] = webhook.items(delivery.body, delivery.headers)
    assert (item.event_id, item.type, webhook.read(item)) == ("ping-1", "ping", None)


def test_svix_itself_takes_our_ping():
    delivery = webhook_of("resend").ping("ping-1", str(int(time.time())), SVIX)
    assert delivery
    Svix(SVIX).verify(delivery.body, dict(delivery.headers))  # raises if it is not genuine


def test_only_sendgrid_can_sign_its_events():
    assert webhook_of("sendgrid").ping("ping-1", "1", P256) is None
