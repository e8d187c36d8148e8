"""What holds for every provider: what arrives, under which id, and that it is always the same."""

import json

import pytest

from errors import InvalidMessage, UnsupportedFeature
from message import Attachment, from_json, to_json
from providers import PROVIDERS
from providers.base import Provider
from providers.http import HttpProvider
from providers.inbox import Inbox
from tests.providers.samples import ID, KEY, PATHS, full, new_provider, plain, send
from tools.simulator_process import Simulator

ALL: dict[str, Provider] = {name: new_provider(name, "http://127.0.0.1:1") for name in PATHS} | {
    "inbox": Inbox()
}

each = pytest.mark.parametrize("any_provider", ALL.values(), ids=ALL)


def test_a_plain_message_arrives_under_the_id_of_its_receipt(provider: HttpProvider, simulator):
    receipt = send(provider, plain(), ID)
    [record] = simulator.accepted()
    assert (receipt.provider, record["provider"]) == (provider.name, provider.name)
    assert receipt.message_id == record["id"]
    assert 200 <= receipt.status < 300
    assert (record["from"], record["to"]) == ("Acme <a@acme.co>", ["ann@example.com"])
    assert record["html"] == plain().html


def test_a_message_with_all_fields_arrives_whole(provider: HttpProvider, simulator: Simulator):
    send(provider, full(), ID)
    [record] = simulator.accepted()
    assert record["to"] == ["ann@example.com", "ben@example.com"]
    assert (record["cc"], record["bcc"]) == (["cy@example.com"], ["dee@example.com"])
    assert record["reply_to"] == ["help@acme.co"]
    assert record["subject"] == full().subject
    assert record["headers"] == full().headers
    assert record["attachments"] == ["Übersicht.txt", "logo.png"]
    assert "Grüße" in record["html"]
    assert "🎉" in record["html"]
    if "text" not in provider.capabilities.left_out:
        assert record["text"] == full().text


@pytest.mark.parametrize("message", [plain(), full()], ids=["plain", "full"])
def test_our_id_travels_with_the_email(provider: HttpProvider, simulator, message):
    send(provider, message, ID)
    [record] = simulator.accepted()
    if provider.capabilities.idempotency_window:
        assert record["idempotency_key"] == ID
    if "metadata" not in provider.capabilities.left_out:
        assert record["metadata"]["email_id"] == ID


@pytest.mark.parametrize("name", ["resend", "sendgrid"])
def test_nothing_in_a_message_takes_the_place_of_our_id(make_provider, simulator, name):
    message = plain(tags=["email_id"], metadata={"email_id": "forged", "email id": "forged"})
    send(make_provider(name), message, ID)
    [record] = simulator.accepted()
    assert record["metadata"]["email_id"] == ID


@each
@pytest.mark.parametrize("message", [plain(), full()], ids=["plain", "full"])
def test_the_same_message_is_the_same_bytes_also_after_the_outbox(any_provider, message):
    first = any_provider.build(message, ID)
    stored = json.loads(json.dumps(to_json(message)))
    assert any_provider.build(message, ID) == first
    assert any_provider.build(from_json(stored), ID) == first


@each
def test_a_repeated_send_gives_the_first_receipt_where_keys_count(any_provider, make_provider):
    name, window = any_provider.name, any_provider.capabilities.idempotency_window
    sender = make_provider(name) if name != "inbox" else any_provider
    ids = [send(sender, plain(), ID).message_id for _ in range(2)]
    assert (ids[0] == ids[1]) == (window > 0)


@each
def test_what_is_too_much_is_refused_before_any_call(any_provider):
    limits = any_provider.capabilities
    people = [f"p{number}@example.com" for number in range(1000)]
    files = [Attachment(filename=f"{number}.txt", content=b"x") for number in range(11)]
    over = {
        "recipients": plain(cc=people[: limits.max_recipients + 1])
        if limits.max_recipients < 999
        else None,
        "reply_to": plain(reply_to=people[: limits.max_reply_to + 1])
        if limits.max_reply_to < 1000
        else None,
        "attachments": plain(attachments=files) if limits.max_attachments else None,
        "bytes": plain(html="x" * (limits.max_bytes // 2 + 1), text="x" * (limits.max_bytes // 2))
        if limits.max_bytes < 40 * 1024 * 1024
        else None,
    }
    for what, message in over.items():
        if message is not None:
            with pytest.raises(UnsupportedFeature, match=f"{any_provider.name} takes .*{what}"):
                send(any_provider, message, ID)


@each
@pytest.mark.parametrize("key", ["", "two\nlines", "snow☃man", "x" * 257])
def test_a_key_that_no_header_can_carry_is_refused_before_any_call(any_provider, key):
    with pytest.raises(InvalidMessage, match="key") as refused:
        any_provider.build(plain(), key)
    assert refused.value.field == "key"


def test_the_inbox_accepts_everything_and_needs_no_settings():
    provider = PROVIDERS["inbox"].from_settings({})
    receipt = send(provider, full(), ID)
    assert (receipt.message_id, receipt.status) == (f"inbox-{ID}", 200)


def test_a_built_request_never_shows_the_email_or_the_key_when_printed(provider: HttpProvider):
    shown = repr(provider.build(full(), ID)) + repr(provider)
    assert "Grüße" not in shown
    assert KEY not in shown
